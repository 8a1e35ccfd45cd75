"""What two files of the evidence tell is counted once."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from davylamp.app.scan import ScanRequest, scan
from tests.catalog.audit_campaign import START, accelerator_sweep, own_work, thief
from tests.journeys.story import LOGIN_AT

ERRORS = 3


def scanned(folder: Path) -> dict[str, Any]:
    result = scan(ScanRequest(paths=(str(folder),), case_folder=folder.parent / "case"))
    assert result.failures == ()
    return result.document


def attempts() -> list[tuple[int, str]]:
    return [(number, f"Failed password for root from 192.0.2.77 port {5000 + number} ssh2") for number in range(ERRORS)]


def as_lines() -> str:
    return "".join(
        f"{LOGIN_AT + timedelta(seconds=number):%b %e %H:%M:%S} web1 sshd[{30 + number}]: {text}\n"
        for number, text in attempts()
    )


def as_journal() -> str:
    """With the instants that the journal has and the log does not."""
    at_s = LOGIN_AT.timestamp() + 0.25
    entries = (
        {
            "__REALTIME_TIMESTAMP": str(int((at_s + number) * 1e6)),
            "_HOSTNAME": "web1",
            "SYSLOG_IDENTIFIER": "sshd",
            "_PID": str(30 + number),
            "MESSAGE": text,
        }
        for number, text in attempts()
    )
    return "".join(json.dumps(entry) + "\n" for entry in entries)


def test_three_typing_errors_in_the_journal_and_in_the_log_are_no_burst(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "auth.log").write_text(as_lines(), encoding="utf-8")
    (folder / "auth.log.copy.gz").write_bytes(gzip.compress(as_lines().encode()))
    (folder / "journal.json").write_text(as_journal(), encoding="utf-8")
    document = scanned(folder)
    assert sum(row["event_classes"].get("authentication", 0) for row in document["coverage"]) == 3 * ERRORS
    assert document["findings"] == []


def test_three_passwords_typed_in_one_second_of_one_connection_are_three(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    line = f"{LOGIN_AT:%b %e %H:%M:%S} web1 sshd[30]: Failed password for root from 192.0.2.77 port 5000 ssh2\n"
    (folder / "auth.log").write_text(line * 12, encoding="utf-8")
    (folder / "again.log").write_text(line * 12 + as_lines(), encoding="utf-8")
    [burst] = scanned(folder)["findings"]
    assert "15 times" in burst["because"], "twelve that both hold, and three that one holds"


def test_two_trails_of_one_account_launch_once(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    records = [*own_work(3), *accelerator_sweep(thief(), START + timedelta(days=3), 3)]
    (folder / "organisation.json.gz").write_bytes(gzip.compress(json.dumps({"Records": records}).encode()))
    events = ({"version": "0", "detail-type": "AWS API Call via CloudTrail", "detail": record} for record in records)
    (folder / "bus.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    bursts = [each for each in scanned(folder)["findings"] if each["unit"] == "compute_launch_burst"]
    assert any("6 x g4dn.12xlarge" in each["because"] for each in bursts), [each["because"] for each in bursts]


def test_records_numbered_anew_in_each_file_are_all_counted(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    calls = accelerator_sweep(thief(), START + timedelta(days=3), 3)
    for number, call in enumerate(calls):
        (folder / f"{number}.json").write_text(json.dumps({"Records": [{**call, "eventID": "1"}]}), encoding="utf-8")
    [burst] = [each for each in scanned(folder)["findings"] if each["unit"] == "compute_launch_burst"]
    assert "6 x g4dn.12xlarge" in burst["because"]
