"""What every scan of hostile evidence must come to."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

from davylamp.app.exit_codes import MEANINGS
from davylamp.app.scan import ScanResult
from davylamp.report.document import dump_document
from davylamp.report.html import render_html
from davylamp.report.ocsf import render_ocsf
from davylamp.report.terminal import console_for, render_scan

STATES = ("read", "partial", "unrecognized", "unreadable")


def check_scan(result: ScanResult, paths: Sequence[Path]) -> None:
    """No crash, no failed reader, nothing silent, and every report can be written."""
    assert result.failures == ()
    assert result.exit_code in {code for code, _ in MEANINGS} - {1}
    rows = {row["path"]: row for row in result.document["coverage"]}
    missing = [path for path in paths if str(path) not in rows]
    assert missing == []
    for row in rows.values():
        assert row["state"] in STATES
        assert "reader failed" not in row["reason"], row
        assert "recognition failed" not in row["reason"], row
        assert "Traceback" not in row["reason"], row
        assert row["rejected_count"] >= len(row["rejects"])
        assert row["state"] == "read" or row["reason"]
        assert not row["rejected_count"] or row["state"] == "partial", row
    assert json.loads("".join(dump_document(result.document))) == result.document
    render_html(result.document)
    render_ocsf(result.document)
    render_scan(result.document, console_for(io.StringIO()))
