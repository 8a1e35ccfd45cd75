"""Files that are no plain files, change while they are read, or carry hostile names."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from davylamp.app.scan import ScanRequest, ScanResult, scan
from tests.hostile.verdict import check_scan

FAILED = "Nov 20 10:00:{:02d} web1 sshd[100]: Failed password for root from 203.0.113.7 port 50001 ssh2\n"
LINES = "".join(FAILED.format(second) for second in range(40))
NOBODY = 65534


class _Meddler:
    """Does something to a file when the scan is about to read it."""

    def __init__(self, act: Callable[[Path], object]) -> None:
        self._act = act

    def reading(self, path: str, done_count: int, total_count: int) -> None:
        if Path(path).name == "auth.log":
            self._act(Path(path))

    def judging(self, unit: str) -> None:
        pass

    def observing(self, elapsed_s: float, duration_s: float) -> None:
        pass


def _scan(folder: Path, act: Callable[[Path], object] | None = None) -> tuple[ScanResult, dict[str, dict[str, Any]]]:
    request = ScanRequest(paths=(str(folder / "evidence"),), case_folder=folder / "case")
    result = scan(request, _Meddler(act) if act else None)
    check_scan(result, [])
    return result, {Path(row["path"]).name: row for row in result.document["coverage"]}


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "auth.log").write_text(LINES, encoding="utf-8")
    (folder / "other.log").write_text(LINES.replace("web1", "web2"), encoding="utf-8")
    return folder


def test_pipes_sockets_devices_and_loops_are_rows_of_coverage(evidence: Path, tmp_path: Path) -> None:
    os.mkfifo(evidence / "pipe")
    (evidence / "itself").symlink_to("itself")
    (evidence / "there").symlink_to("back")
    (evidence / "back").symlink_to("there")
    (evidence / "up").symlink_to("..", target_is_directory=True)
    (evidence / "gone").symlink_to("nowhere")
    (evidence / "null").symlink_to("/dev/null")
    (evidence / "zero").symlink_to("/dev/zero")
    result, rows = _scan(tmp_path)
    assert rows["auth.log"]["state"] == rows["other.log"]["state"] == "read"
    for name in ("pipe", "itself", "there", "back", "up", "gone", "null", "zero"):
        assert rows[name]["state"] == "unreadable", rows[name]
        assert rows[name]["reason"]
    assert result.exit_code == 4


@pytest.mark.parametrize("name", ["unlink", "truncate", "shorten", "folder", "pipe"])
def test_a_file_that_changes_between_walk_and_read(name: str, evidence: Path, tmp_path: Path) -> None:
    def become_folder(path: Path) -> None:
        path.unlink()
        path.mkdir()

    def become_pipe(path: Path) -> None:
        path.unlink()
        os.mkfifo(path)

    acts: dict[str, Callable[[Path], object]] = {
        "unlink": Path.unlink,
        "truncate": lambda path: os.truncate(path, 0),
        "shorten": lambda path: os.truncate(path, 150),
        "folder": become_folder,
        "pipe": become_pipe,
    }
    _, rows = _scan(tmp_path, acts[name])
    assert rows["other.log"]["state"] == "read"
    expected = {"unlink": "unreadable", "folder": "unreadable", "pipe": "unreadable"}.get(name)
    assert expected is None or rows["auth.log"]["state"] == expected
    if name == "shorten":
        assert rows["auth.log"]["event_classes"] == {"authentication": 1}


def test_a_file_that_grows_while_it_is_read_is_read_whole_the_next_time(evidence: Path, tmp_path: Path) -> None:
    def grow(path: Path) -> None:
        with path.open("a", encoding="utf-8") as log:
            log.write(FAILED.format(59)[:40])

    _, rows = _scan(tmp_path, grow)
    assert rows["auth.log"]["event_classes"] == {"authentication": 40}
    with (evidence / "auth.log").open("a", encoding="utf-8") as log:
        log.write(FAILED.format(59)[40:])
    _, rows = _scan(tmp_path)
    assert rows["auth.log"]["event_classes"] == {"authentication": 41}
    assert rows["auth.log"]["state"] == "read"


HOSTILE_NAMES = (
    b"new\nline.log",
    b"\x1b]0;owned\x07\x1b[2J.log",
    b"\xff\xfe not utf-8 \x80.log",
    "\u202egol.exe".encode(),
    b"'; DROP TABLE records; --.log",
    b"[a-z]*?.log",
    b"{}%s$1.log",
    b"<script>alert(1)</script>.log".replace(b"/", b"\xe2\x81\x84"),
    b"-",
    b"--help",
    b" ",
    b"a" * 255,
    b"tab\tand\rreturn.log",
    b"*.parquet",
)


@pytest.mark.parametrize("kind", ["log", "csv", "parquet", "pcap"])
def test_file_names_are_opaque(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    for number, name in enumerate(HOSTILE_NAMES):
        (folder / os.fsdecode(name)).write_bytes(_evidence(kind, number))
    result, rows = _scan(tmp_path)
    assert len(rows) == len(HOSTILE_NAMES)
    for row in rows.values():
        assert row["state"] == "read", row
        assert row["event_classes"], row
    again, _ = _scan(tmp_path)
    strip = {"run": None}
    assert {**again.document, **strip} == {**result.document, **strip}


def _evidence(kind: str, number: int) -> bytes:
    """Small evidence, different for each number (the same content is counted once)."""
    if kind == "log":
        return (LINES + FAILED.format(number).replace("root", f"user{number}")).encode()
    if kind == "csv":
        samples = "".join(f"2026-03-01 12:{minute:02d}:00,{number}.5\n" for minute in range(30))
        return ("timestamp,cpu_percent\n" + samples).encode()
    if kind == "parquet":
        import io

        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = {
            "version": [2], "account_id": ["123456789012"], "interface_id": ["eni-0123456789abcdef0"],
            "srcaddr": ["10.0.0.5"], "dstaddr": [f"203.0.113.{number}"], "srcport": [50000], "dstport": [443],
            "protocol": [6], "packets": [10], "bytes": [1000], "start": [1772323200], "end": [1772323260],
            "action": ["ACCEPT"], "log_status": ["OK"],
        }  # fmt: skip
        sink = io.BytesIO()
        pq.write_table(pa.table(columns), sink)
        return sink.getvalue()
    from davylamp.kit import registry

    [source] = [each for each in registry.sources() if each.meta.uid == "pcap"]
    capture = (registry.folder_of(source) / "cases" / "fires_on_login_job_dialogue.pcap").read_bytes()
    # The link type's neighbour, the snapshot length, may be any number that is large enough.
    return capture[:16] + (65535 + number).to_bytes(4, "little") + capture[20:]


def test_a_name_that_is_no_utf8_can_be_printed_by_the_command(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / os.fsdecode(b"\xff\x1b[2J\n.log")).write_text(LINES, encoding="utf-8")
    for report in ("text", "json", "html", "ocsf"):
        done = _command("scan", str(folder), "--case", str(tmp_path / "case"), "--format", report)
        assert done.returncode == 0, done.stderr
        assert done.stderr == b""
        assert b"\x1b[2J" not in done.stdout
    for view in (
        ("coverage",),
        ("assets",),
        ("events", "authentication"),
        ("events", "authentication", "--format", "csv"),
    ):
        done = _command(*view, "--case", str(tmp_path / "case"))
        assert done.returncode == 0, done.stderr
    assert _command("scan", str(folder).encode() + b"/\xff\x1b[2J\n.log").returncode == 0


def _command(*arguments: str | bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "davylamp", *arguments], capture_output=True, check=False, timeout=120)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_what_may_not_be_read_is_a_row_of_coverage(evidence: Path, tmp_path: Path) -> None:
    (evidence / "auth.log").chmod(0)
    closed = evidence / "closed"
    closed.mkdir()
    (closed / "more.log").write_text(LINES, encoding="utf-8")
    closed.chmod(0)
    for folder in (tmp_path, *tmp_path.parents[:-1]):
        if folder.owner() == "root" and folder not in (Path("/tmp"), Path("/")):
            folder.chmod(folder.stat().st_mode | 0o055)
    work = tmp_path / "work"
    work.mkdir()
    work.chmod(0o777)
    # The interpreter itself may lie where nobody may read: one scan beforehand loads all of it.
    first = ["scan", str(evidence / "other.log"), "--case", str(tmp_path / "first"), "--output", os.devnull]
    program = (
        f"import os, sys; from davylamp.cli.main import main; main({[*first, '--format', 'json']!r}); "
        f"os.setgid({NOBODY}); os.setuid({NOBODY}); sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "scan", str(evidence), "--case", str(work / "case"), "--format", "json"],
        capture_output=True,
        check=False,
        env={**os.environ, "HOME": str(work), "XDG_STATE_HOME": str(work)},
        timeout=120,
    )
    closed.chmod(0o700)
    assert done.returncode == 4, done.stderr
    rows = {Path(row["path"]).name: row for row in json.loads(done.stdout)["coverage"]}
    assert (rows["auth.log"]["state"], rows["auth.log"]["reason"]) == ("unreadable", "permission denied")
    assert (rows["closed"]["state"], rows["closed"]["reason"]) == ("unreadable", "permission denied")
    assert rows["other.log"]["state"] == "read"


@pytest.mark.slow
def test_ten_thousand_empty_files_are_ten_thousand_rows(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    for number in range(10_000):
        (folder / f"{number:05d}.log").touch()
    (folder / "auth.log").write_text(LINES, encoding="utf-8")
    (folder / "auth.log.gz").write_bytes(gzip.compress(LINES.encode()))
    result, rows = _scan(tmp_path)
    assert len(rows) == 10_002
    assert {row["reason"] for name, row in rows.items() if name[0].isdigit()} == {"the file is empty"}
    assert result.exit_code == 0
