"""`davylamp scan host`: this machine is looked at, kept as evidence, and what could not be seen is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

# Looks at this machine as it is: two such tests at once would see each other's miners.
pytestmark = pytest.mark.live


def look(case: Path, before: Sequence[str] = ()) -> tuple[dict[str, Any], subprocess.CompletedProcess[bytes]]:
    command = [
        sys.executable,
        "-m",
        "davylamp",
        "scan",
        "host",
        "--observe",
        "2s",
        "--case",
        str(case),
        "--format",
        "json",
    ]
    done = subprocess.run([*before, *command], capture_output=True, check=False, timeout=120)
    assert b"Traceback" not in done.stderr, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document, done


@pytest.mark.slow
def test_this_process_is_in_the_evidence_and_can_be_read_again(tmp_path: Path) -> None:
    document, done = look(tmp_path / "case")
    assert done.returncode in (0, 4)
    assert document["schema"] == "davylamp.scan/1"
    [evidence] = [row for row in document["coverage"] if row["path"].endswith(".jsonl")]
    assert evidence["state"] == "read"
    assert evidence["rejected_count"] == 0
    events = subprocess.run(
        [sys.executable, "-m", "davylamp", "events", "process_activity", "--case", str(tmp_path / "case")],
        capture_output=True,
        check=True,
        timeout=60,
    )
    rows = [json.loads(line) for line in events.stdout.splitlines()]
    [own] = [row for row in rows if row["process_pid"] == os.getpid() and row["activity"] == "snapshot"]
    names = ("process_started_at", "parent_process_pid", "process_name", "image_path", "command_line", "user_name")
    assert all(own[name] for name in names), own
    assert own["line"] > 1
    again = subprocess.run(
        [sys.executable, "-m", "davylamp", "scan", evidence["path"], "--format", "json"],
        capture_output=True,
        check=False,
        timeout=120,
    )
    found = json.loads(again.stdout)
    assert [each["uid"] for each in found["incidents"]] == [each["uid"] for each in document["incidents"]]


@pytest.mark.slow
def test_without_root_it_looks_at_what_it_may_and_says_what_that_leaves_out(tmp_path: Path) -> None:
    """A user namespace of its own takes every right away and leaves the files readable."""
    document, done = look(tmp_path / "case", before=("unshare", "--user"))
    assert done.returncode == 4
    said = " ".join(row["reason"] for row in document["coverage"] if row["state"] == "unreadable")
    assert "CAP_SYS_PTRACE" in said


def test_host_is_a_word_and_a_folder_of_that_name_is_written_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "davylamp", "scan", "./host", "--format", "json", "--case", "case"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert json.loads(done.stdout)["coverage"] == []
