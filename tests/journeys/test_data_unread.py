"""Formats that no source reads: every file has a coverage row that says so, and nothing is guessed from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools.data_sets import SETS

from tests.journeys.conftest import Scans

pytestmark = pytest.mark.slow
UNREAD = [each.name for each in SETS if each.says.endswith("unrecognized, and said so")]


@pytest.mark.parametrize("name", UNREAD)
def test_a_set_without_a_source_is_said_to_be_unread(name: str, scans: Scans, data: Path) -> None:
    document = scans.document(name)
    files = {str(path) for path in (data / name).rglob("*") if path.is_file()}
    assert {row["path"] for row in document["coverage"]} == files
    for row in document["coverage"]:
        empty = Path(row["path"]).stat().st_size == 0
        assert row["source"] is None
        assert row["event_classes"] == {}
        assert row["state"] == ("read" if empty else "unrecognized")
    assert document["findings"] == []
    assert document["run"]["rows_count"] == 0


def test_these_sets_are_many() -> None:
    assert len(UNREAD) >= 15
