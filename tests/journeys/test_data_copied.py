"""The truths of the data sets, on the small part of them that lies in the repository: this is never left out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from davylamp.app.scan import ScanRequest, scan
from davylamp.kit import registry

COPIED = Path(__file__).parents[1] / "data"
GUESSERS = {"103.100.210.198", "10.0.0.101", "179.43.183.98"}


def captures() -> list[Path]:
    """Captures of mining that are cases of the wire detections."""
    units = [unit for unit in registry.detections() if unit.meta.uid in ("mining_dialogue", "mining_message_rhythm")]
    return [path for unit in units for path in (registry.folder_of(unit) / "cases").glob("fires_on_public_*.pcap")]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    paths = [*captures(), COPIED / "hub_crowdsec", COPIED / "nab"]
    case = tmp_path_factory.mktemp("copied") / "case"
    result = scan(ScanRequest(paths=tuple(map(str, paths)), case_folder=case))
    assert result.failures == ()
    yield result.document


def test_every_capture_of_mining_shows_it_on_the_wire(document: dict[str, Any]) -> None:
    wire = [each for each in document["findings"] if each["group"] == "wire"]
    cited = {Path(row["path"]) for each in wire for row in each["evidence"]}
    assert set(captures()) <= cited
    assert len(captures()) == 4


def test_the_guessers_are_those_of_the_hub(document: dict[str, Any]) -> None:
    bursts = [each for each in document["findings"] if each["unit"] == "ssh_guessing_burst"]
    assert {item["value"] for each in bursts for item in each["observables"]} == GUESSERS


def test_server_metrics_are_quiet_and_only_the_mining_machine_is_in_an_incident(document: dict[str, Any]) -> None:
    assert [each for each in document["findings"] if each["unit"] == "cpu_floor_raised"] == []
    assert {asset["name"] for each in document["incidents"] for asset in each["assets"]} == {"10.0.2.15"}
