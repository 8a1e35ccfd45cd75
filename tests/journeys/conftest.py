"""Scans of the data sets beside the checkout: each set once in a run, whatever its workers, and only when asked for."""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tools.data_sets import SETS, DataSet, data_folder
from tools.golden import scanned

from davylamp.app.saved_case import opened_events
from davylamp.app.scan import ScanResult


class Scans:
    """What a scan of each set gave; a set that is not there skips the test and says what was not looked at."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._results: dict[str, ScanResult] = {}

    def result(self, name: str) -> ScanResult:
        if name not in self._results:
            data_set = next(each for each in SETS if each.name == name)
            if missing := data_set.missing():
                pytest.skip(missing)
            self._results[name] = self._once(data_set)
            assert self._results[name].failures == ()
        return self._results[name]

    def _once(self, data_set: DataSet) -> ScanResult:
        """The first worker that asks scans, the others take what it gave."""
        kept = self._scratch / f"{data_set.name}.pickle"
        with kept.with_suffix(".lock").open("w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not kept.exists():
                kept.write_bytes(pickle.dumps(scanned(data_set, self._scratch)))
        result: ScanResult = pickle.loads(kept.read_bytes())
        return result

    def document(self, name: str) -> dict[str, Any]:
        return self.result(name).document

    def findings(self, name: str, unit: str) -> list[dict[str, Any]]:
        return [each for each in self.document(name)["findings"] if each["unit"] == unit]

    def rows(self, name: str, query: str) -> list[dict[str, Any]]:
        """Rows of a query over the event classes of the set's case."""
        with opened_events(self.result(name).case_folder) as engine:
            return list(engine.rows(query))


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Scans:
    own = tmp_path_factory.getbasetemp()
    shared = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "data_sets"
    shared.mkdir(exist_ok=True)
    return Scans(shared)


@pytest.fixture(scope="session")
def data() -> Iterator[Path]:
    """The folder of all sets."""
    if not data_folder().is_dir():
        pytest.skip(f"no data set was looked at: there is no {data_folder()}")
    yield data_folder()
