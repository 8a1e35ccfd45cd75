"""Every source over damaged evidence: no crash, no failed reader, everything accounted for."""

from __future__ import annotations

from pathlib import Path

import pytest

from davylamp.app.scan import ScanRequest, scan
from davylamp.kit import registry
from tests.hostile.corpus import write_corpus
from tests.hostile.verdict import check_scan

SOURCES = [source.meta.uid for source in registry.sources()]


@pytest.mark.parametrize("uid", SOURCES)
def test_damaged_files_of_a_source(uid: str, tmp_path: Path) -> None:
    paths = write_corpus(tmp_path / "evidence", uid)
    check_scan(scan(ScanRequest(paths=(str(tmp_path / "evidence"),), case_folder=tmp_path / "case")), paths)


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("uid", SOURCES)
def test_more_damaged_files_of_a_source(uid: str, number: int, tmp_path: Path) -> None:
    paths = write_corpus(tmp_path / "evidence", uid, number)
    check_scan(scan(ScanRequest(paths=(str(tmp_path / "evidence"),), case_folder=tmp_path / "case")), paths)
