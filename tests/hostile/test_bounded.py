"""Evidence that is far larger than it looks ends in a coverage row, in bounded memory."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

GIBIBYTE = 1 << 30
PIECE_BYTES = 32 << 20
# What the engine may take (`--memory 300MB`), and what an interpreter with its libraries and one
# block in every stage takes besides; a file that was held whole would be three times this.
MOST_BYTES = 750_000_000

SSHD = b"Nov 20 10:00:01 web1 sshd[100]: Failed password for root from 203.0.113.7 port 50001 ssh2\n"
FLOWS = (
    b"2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 "
    b"1418530010 1418530070 ACCEPT OK\n"
)
EVENT = (
    b'{"eventVersion":"1.08","eventTime":"2026-01-01T00:00:00Z","eventName":"GetObject","eventSource":"s3.amazonaws.com",'
    b'"userIdentity":{"type":"Root","accountId":"123456789012"},"recipientAccountId":"123456789012"}'
)
HEADS = {
    "sshd": SSHD + SSHD[:60],
    "flows": FLOWS + FLOWS[:30],
    "records": b'{"Records":[' + EVENT + b',{"eventName":"',
    "event": EVENT + b"\n" + EVENT[:30],
    "nested": b'{"Records":[' + EVENT + b",",
    "csv": b"timestamp,value\n2026-01-01 00:00:00,5.0\n2026-01-01 00:05:00,",
    "zeek": b"#separator \\x09\n#path\tdns\n#fields\tts\tid.orig_h\tid.resp_h\tquery\n#types\ttime\taddr\taddr\t"
    b"string\n1.5\t10.0.0.1\t10.0.0.2\ta.example\n1.5\ta",
}
FILLS = {"nested": b"[", "csv": b"1"}
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lambda data: lzma.compress(data, preset=0),
    "zst": zstandard.ZstdCompressor(level=1).compress,
}


def _scan(path: Path, folder: Path) -> dict[str, Any]:
    arguments = ["scan", str(path), "--memory", "300MB", "--format", "json", "--case", str(folder / "case")]
    done = subprocess.run([sys.executable, "-m", "davylamp", *arguments], capture_output=True, check=False, timeout=600)
    assert done.returncode in (0, 3, 4), done.stderr
    assert b"Traceback" not in done.stderr
    made: dict[str, Any] = json.loads(done.stdout)
    assert made["run"]["peak_memory_bytes"] < MOST_BYTES
    [row, *_] = made["coverage"]
    assert "reader failed" not in row["reason"]
    assert row["state"] in ("partial", "unreadable"), row
    assert isinstance(row, dict)
    return row


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(HEADS))
def test_a_line_of_a_gibibyte_is_one_reject(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "evidence.gz"
    # Text that does not shrink to nothing: else it would be stopped as a bomb before it is a line.
    filling = FILLS.get(kind) or b"".join(b"%07d " % number for number in range(1000))
    piece = gzip.compress((filling * (PIECE_BYTES // len(filling) + 1))[:PIECE_BYTES], 1)
    with path.open("wb") as out:
        out.write(gzip.compress(HEADS[kind]))
        for _ in range(GIBIBYTE // PIECE_BYTES):
            out.write(piece)
        out.write(gzip.compress(b"\n"))
    row = _scan(path, tmp_path)
    assert row["rejected_count"] >= 1 or "bomb" in row["reason"]
    assert sum(row["event_classes"].values()) == 1, row


@pytest.mark.slow
def test_a_sparse_file_of_a_gibibyte_is_read_through(tmp_path: Path) -> None:
    path = tmp_path / "auth.log"
    path.write_bytes(SSHD * 60)
    os.truncate(path, GIBIBYTE)
    row = _scan(path, tmp_path)
    assert row["event_classes"] == {"authentication": 60}
    assert [each["line"] for each in row["rejects"]] == [61]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PACKERS))
def test_a_bomb_is_stopped(name: str, tmp_path: Path) -> None:
    path = tmp_path / "evidence"
    member = PACKERS[name](bytes(PIECE_BYTES))
    with path.open("wb") as out:
        out.write(PACKERS[name](SSHD * 60))
        for _ in range(8 * GIBIBYTE // PIECE_BYTES):
            out.write(member)
    row = _scan(path, tmp_path)
    assert "bomb" in row["reason"]
    assert row["event_classes"]["authentication"] == 60


def test_a_file_that_needs_more_than_the_memory_costs_itself_alone(tmp_path: Path) -> None:
    """Calls with user data of 400 KB: an engine of 64 MiB does not hold them; the log beside is read."""
    evidence, case = tmp_path / "evidence", tmp_path / "case"
    evidence.mkdir()
    call = EVENT[:-1] + b',"requestParameters":{"userData":"' + b"x" * 400_000 + b'"}}'
    (evidence / "calls.jsonl").write_bytes((EVENT + b"\n" + call + b"\n") * 100)
    (evidence / "auth.log").write_bytes(SSHD * 60)
    scarce = _document(evidence, case, "65MB", code=4)
    log, calls = scarce["coverage"]
    assert (log["state"], log["event_classes"]) == ("read", {"authentication": 60})
    assert (calls["state"], calls["source"], calls["event_classes"]) == ("unreadable", "aws_cloudtrail", {})
    assert "memory" in calls["reason"]
    assert {finding["unit"] for finding in scarce["findings"]} >= {"ssh_guessing_burst"}

    enough = _document(evidence, case, "1GB", code=0)
    assert [row["state"] for row in enough["coverage"]] == ["read", "read"]
    assert enough["coverage"][1]["event_classes"] == {"api_activity": 200}


def _document(evidence: Path, case: Path, memory: str, code: int) -> dict[str, Any]:
    arguments = ["scan", str(evidence), "--memory", memory, "--format", "json", "--case", str(case)]
    done = subprocess.run([sys.executable, "-m", "davylamp", *arguments], capture_output=True, check=False, timeout=600)
    assert done.returncode == code, done.stderr
    made: dict[str, Any] = json.loads(done.stdout)
    return made
