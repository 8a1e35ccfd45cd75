"""Files read side by side give what they give one after the other."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from davylamp.app.ingest_evidence import coverage_of, ingest_evidence
from davylamp.app.progress import Silent
from davylamp.app.reading_lanes import LANE_BYTES
from davylamp.kit import registry
from davylamp.model.coverage import FileCoverage
from davylamp.store.case import Case
from davylamp.store.engine import DuckEngine

FILES_COUNT = 12


def _log(number: int) -> str:
    said = f"Failed password for root from 198.51.100.{number} port 4{number:04} ssh2"
    return "".join(f"Nov {number + 1:2} 10:00:0{second} web1 sshd[{number}]: {said}\n" for second in range(9))


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    folder = tmp_path / "evidence"
    folder.mkdir()
    for number in range(FILES_COUNT):
        (folder / f"auth-{number:02}.log").write_text(_log(number), encoding="ascii")
    # The same bytes twice, next to each other, so that both are read at the same time.
    (folder / "auth-05-copy.log").write_text(_log(5), encoding="ascii")
    (folder / "cut.log.gz").write_bytes(gzip.compress(_log(20).encode())[:-9])
    (folder / "empty.log").touch()
    (folder / "prose.txt").write_text("nothing that any source knows\n", encoding="ascii")
    return folder


QUESTION = "Nov 20 10:00:00 router dnsmasq[1]: query[A] pool.example from 192.168.1.20\n"


def _read(evidence: Path, case_folder: Path, memory_bytes: int) -> tuple[tuple[FileCoverage, ...], list[str], int]:
    case = Case(case_folder, create=True)
    engine = DuckEngine(memory_bytes, case.scratch)
    try:
        ingested = ingest_evidence([str(evidence)], case, engine, registry.sources(), memory_bytes, Silent())
        parts = [Path(part.file).name for part in case.parts("authentication")]
        assert not [path for path in case.scratch.rglob("*") if path.is_file()]
    finally:
        engine.close()
        case.close()
    return coverage_of(case), parts, ingested.bytes_count


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core has one lane")
def test_side_by_side_is_as_one_after_the_other(evidence: Path, tmp_path: Path) -> None:
    alone = _read(evidence, tmp_path / "alone", LANE_BYTES)
    beside = _read(evidence, tmp_path / "beside", 2 * LANE_BYTES)
    assert beside == alone
    coverage, parts, _ = beside
    assert len(parts) == FILES_COUNT + 1
    reasons = {Path(row.path).name: row.reason for row in coverage}
    assert "counted once" in reasons["auth-05.log"]  # the copy's name sorts first
    assert "ends early" in reasons["cut.log.gz"]


@pytest.mark.parametrize("memory_bytes", [LANE_BYTES, 2 * LANE_BYTES])
def test_a_log_that_several_programs_write_gives_what_each_said(tmp_path: Path, memory_bytes: int) -> None:
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / "messages").write_text(QUESTION * 20 + _log(1), encoding="ascii")
    coverage, parts, _ = _read(tmp_path / "evidence", tmp_path / "case", memory_bytes)
    rows = {row.source: row.event_classes for row in coverage}
    assert rows == {"dns_query_log": {"dns_activity": 20}, "sshd_syslog": {"authentication": 9}}
    assert len(parts) == 1


def test_a_second_reading_changes_nothing(evidence: Path, tmp_path: Path) -> None:
    first = _read(evidence, tmp_path / "case", 2 * LANE_BYTES)
    again = _read(evidence, tmp_path / "case", 2 * LANE_BYTES)
    assert again[:2] == first[:2]
