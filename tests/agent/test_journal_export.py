"""The journal's entries of sshd are forwarded once, and a journal that cannot be read is said."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from davylamp.agent import journal_export
from davylamp.agent.journal_export import JournalExport
from davylamp.agent.log_tail import LinesFolder

# Stands for the program: real entries need a running journal, which a container has not. It answers as
# journalctl 252 does, from a file of entries, and honours the cursor.
PROGRAM = """#!/bin/sh
echo "$@" >> {folder}/asked
[ -e {folder}/broken ] && {{ echo "Failed to seek to cursor" >&2; exit 1; }}
after=0
for word in "$@"; do case "$word" in --after-cursor=*) after=${{word#--after-cursor=}};; esac; done
tail -n +$((after + 1)) {folder}/entries
echo "-- cursor: $(wc -l < {folder}/entries)"
"""


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "bin/journalctl"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(folder=tmp_path))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(journal_export, "JOURNALS", (str(tmp_path),))
    return tmp_path


def export(folder: Path) -> str:
    target = LinesFolder(str(folder / "logs"), "journal-", ".jsonl", continued=True)
    return JournalExport(target, str(folder / "cursor")).forward()


def forwarded(folder: Path) -> list[int]:
    files = sorted((folder / "logs").iterdir())
    return [json.loads(line)["number"] for path in files for line in path.read_text().splitlines()]


def test_each_entry_is_forwarded_once(journal: Path) -> None:
    for count in (3, 3, 5):
        (journal / "entries").write_text("".join(f'{{"number": {number}}}\n' for number in range(count)))
        assert export(journal) == ""
    assert forwarded(journal) == [0, 1, 2, 3, 4]
    asked = (journal / "asked").read_text().splitlines()
    assert "--since=-24 hours" in asked[0]
    assert "--after-cursor=3" in asked[1]
    assert all("_COMM=sshd" in line for line in asked)
    assert len(list((journal / "logs").iterdir())) == 1


def test_a_cursor_of_a_lost_journal_is_said_and_given_up(journal: Path) -> None:
    (journal / "entries").write_text('{"number": 0}\n')
    export(journal)
    (journal / "broken").touch()
    assert "Failed to seek" in export(journal)
    (journal / "broken").unlink()
    assert export(journal) == ""


def test_a_host_without_a_journal_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_export, "JOURNALS", (str(tmp_path / "none"),))
    assert export(tmp_path) == ""
    assert list((tmp_path / "logs").iterdir()) == []
