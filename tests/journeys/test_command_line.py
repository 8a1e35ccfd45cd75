"""The command as a user meets it: exit codes, one JSON document, calm errors, kept cases."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.journeys.story import write_story

FAILED = "Nov 20 10:00:01 web1 sshd[100]: Failed password for root from 203.0.113.7 port 50001 ssh2\n"


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def davylamp(
    *arguments: str, stdin: bytes | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "davylamp", *arguments],
        input=stdin,
        capture_output=True,
        check=False,
        cwd=cwd,
        timeout=120,
    )


def document(*arguments: str) -> dict[str, Any]:
    done = davylamp("scan", *arguments, "--format", "json")
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def test_no_argument_and_help_say_what_it_is() -> None:
    for arguments in ((), ("--help",), ("scan", "--help")):
        done = davylamp(*arguments)
        assert done.returncode == 0
        assert b"davylamp scan" in done.stdout
    assert davylamp("--version").stdout.startswith(b"davylamp 0.")


def test_a_read_file_is_exit_zero_and_exactly_one_json_document(tmp_path: Path) -> None:
    log = tmp_path / "anything.txt"
    log.write_text(FAILED, encoding="utf-8")
    done = davylamp("scan", str(log), "--format", "json")
    assert done.returncode == 0
    made = json.loads(done.stdout)
    assert list(made)[:5] == ["schema", "run", "coverage", "findings", "incidents"]
    assert made["coverage"][0]["source"] == "sshd_syslog"
    assert made["coverage"][0]["event_classes"] == {"authentication": 1}


@pytest.mark.parametrize(
    ("name", "data", "code", "state"),
    [
        ("empty", b"", 0, "read"),
        ("noise", bytes(range(256)) * 40, 3, "unrecognized"),
        ("cut.gz", gzip.compress(FAILED.encode() * 50_000)[:-3000], 4, "partial"),
    ],
)
def test_exit_codes_follow_coverage(tmp_path: Path, name: str, data: bytes, code: int, state: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    done = davylamp("scan", str(path), "--format", "json")
    assert done.returncode == code, done.stderr
    assert json.loads(done.stdout)["coverage"][0]["state"] == state


def test_a_missing_path_is_nothing_readable_and_says_so(tmp_path: Path) -> None:
    done = davylamp("scan", str(tmp_path / "gone"), "--format", "json")
    assert done.returncode == 3
    assert "no such file" in json.loads(done.stdout)["coverage"][0]["reason"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("scan", "--format", "xml", "x"),
        ("scan", "--memory", "lots", "x"),
        ("scan", "--memory", "0", "x"),
        ("scan", "--since", "2026-03-02", "--until", "2026-03-01", "x"),
        ("scan", "--since", "yesterday-ish", "x"),
        ("explain", "no_such_unit"),
        ("units", "no_such_kind"),
        ("events", "no_such_class"),
        ("nonsense",),
    ],
)
def test_usage_errors_are_exit_two_with_a_hint_and_no_traceback(arguments: tuple[str, ...]) -> None:
    done = davylamp(*arguments)
    assert done.returncode == 2, done.stderr
    assert done.stdout == b""
    assert done.stderr.startswith(b"davylamp: ")
    assert b"now: " in done.stderr
    assert b"Traceback" not in done.stderr


def test_exit_code_option_answers_with_the_highest_severity(tmp_path: Path) -> None:
    story = write_story(tmp_path / "story")
    assert davylamp("scan", str(story)).returncode == 0
    assert davylamp("scan", str(story), "--exit-code").returncode == 15


def test_standard_input_is_evidence() -> None:
    done = davylamp("scan", "-", "--format", "json", stdin=FAILED.encode())
    assert json.loads(done.stdout)["coverage"][0]["event_classes"] == {"authentication": 1}


@pytest.mark.parametrize("compressed", [False, True])
def test_parquet_is_read_from_a_stream_too(compressed: bool, tmp_path: Path) -> None:
    flow = {"srcaddr": ["10.0.0.5"], "dstaddr": ["198.51.100.4"], "bytes": [500], "start": [1660000000]}
    pq.write_table(pa.table(flow), tmp_path / "flow.parquet")
    data = (tmp_path / "flow.parquet").read_bytes()
    case = tmp_path / "case"
    done = davylamp("scan", "-", "--case", str(case), stdin=gzip.compress(data) if compressed else data)
    assert done.returncode == 0, done.stderr
    [row] = davylamp("events", "network_activity", "--case", str(case)).stdout.splitlines()
    assert {"path": "-", "line": 1, "dst_ip": "198.51.100.4"}.items() <= json.loads(row).items()


def test_scanning_the_same_file_twice_into_a_case_changes_nothing(tmp_path: Path) -> None:
    story = write_story(tmp_path / "story")
    case = tmp_path / "case"
    first = document(str(story), "--case", str(case))
    second = document(str(story), "--case", str(case))
    first.pop("run")
    second.pop("run")
    assert first == second


def test_a_file_that_grew_is_read_anew_and_counted_once(tmp_path: Path) -> None:
    log, case = tmp_path / "auth.log", tmp_path / "case"
    log.write_text(FAILED, encoding="utf-8")
    document(str(log), "--case", str(case))
    log.write_text(FAILED + FAILED.replace("50001", "50002"), encoding="utf-8")
    [row] = document(str(log), "--case", str(case))["coverage"]
    assert row["event_classes"] == {"authentication": 2}


def test_the_same_content_under_two_names_is_counted_once(tmp_path: Path) -> None:
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_text(FAILED, encoding="utf-8")
    rows = document(str(tmp_path / "*.log"))["coverage"]
    assert [row["event_classes"] for row in rows] == [{"authentication": 1}, {}]
    assert "same content" in rows[1]["reason"]


def test_a_second_scan_gives_the_same_document_but_for_run(tmp_path: Path) -> None:
    story = write_story(tmp_path / "story")
    made = [document(str(story)) for _ in range(2)]
    for each in made:
        each.pop("run")
    assert made[0] == made[1]


def test_the_last_scan_can_be_shown_again(tmp_path: Path) -> None:
    story = write_story(tmp_path / "story")
    [incident] = document(str(story))["incidents"]
    shown = davylamp("show", incident["uid"][:8])
    assert shown.returncode == 0
    assert b"web1" in shown.stdout
    for command in ("coverage", "assets"):
        assert davylamp(command).returncode == 0
    assert davylamp("show", "inc-nothing").returncode == 2


def test_events_give_rows_with_their_origin(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.write_text("noise\n" + FAILED, encoding="utf-8")
    document(str(log))
    done = davylamp("events", "authentication")
    [row] = [json.loads(line) for line in done.stdout.splitlines()]
    assert (row["path"], row["line"], row["src_ip"], row["asset"]) == (str(log), 2, "203.0.113.7", "web1")
    assert davylamp("events", "authentication", "--format", "csv").stdout.count(b"\n") == 2
    target = tmp_path / "rows.parquet"
    assert davylamp("events", "authentication", "--format", "parquet", "--output", str(target)).returncode == 0
    assert target.read_bytes()[:4] == b"PAR1"


def test_since_and_until_narrow_what_is_judged(tmp_path: Path) -> None:
    story = write_story(tmp_path / "story")
    assert document(str(story), "--until", "2026-03-03T00:00:00Z")["incidents"] == []


def test_an_unreadable_file_is_a_coverage_row(tmp_path: Path) -> None:
    (tmp_path / "good.log").write_text(FAILED, encoding="utf-8")
    os.mkfifo(tmp_path / "pipe")
    done = davylamp("scan", str(tmp_path), "--format", "json")
    states = {Path(row["path"]).name: row["state"] for row in json.loads(done.stdout)["coverage"]}
    assert states == {"good.log": "read", "pipe": "unreadable"}
    assert done.returncode == 4


def test_a_case_that_is_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.doc").write_text("x", encoding="utf-8")
    log = tmp_path / "a.log"
    log.write_text(FAILED, encoding="utf-8")
    done = davylamp("scan", str(log), "--case", str(tmp_path / "full"))
    assert done.returncode == 2
    assert b"holds something else" in done.stderr


def test_the_output_file_is_written_and_a_bad_place_is_told(tmp_path: Path) -> None:
    log, report = tmp_path / "a.log", tmp_path / "report.html"
    log.write_text(FAILED, encoding="utf-8")
    assert davylamp("scan", str(log), "--format", "html", "--output", str(report)).returncode == 0
    assert report.read_text(encoding="utf-8").startswith("<!")
    done = davylamp("scan", str(log), "--output", str(tmp_path / "no" / "where"))
    assert done.returncode == 2
    assert b"cannot be written" in done.stderr


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    story = write_story(tmp_path / "story")
    command = f"{sys.executable} -m davylamp scan {story} --format json | head -c 10"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, check=False, timeout=120)
    assert done.stderr == b""


@pytest.mark.slow
def test_ctrl_c_leaves_a_case_that_can_be_scanned_into_again(tmp_path: Path) -> None:
    big, case = tmp_path / "big.log", tmp_path / "case"
    big.write_text("".join(FAILED.replace("50001", str(number % 65536)) for number in range(400_000)), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "davylamp", "scan", str(big), "--case", str(case)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell that runs the tests in the background hands down an ignored SIGINT; a terminal does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not (case / "case.json").exists():
        time.sleep(0.02)
    time.sleep(0.4)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert b"Traceback" not in said
    [row] = document(str(big), "--case", str(case))["coverage"]
    assert row["event_classes"] == {"authentication": 400_000}


@pytest.mark.slow
def test_a_full_disk_is_told_calmly(tmp_path: Path) -> None:
    """A one-megabyte tmpfs stands in for the full disk; needs root, as CI has."""
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], check=True)
    try:
        log = tmp_path / "big.log"
        with log.open("w", encoding="utf-8") as out:
            for number in range(300_000):
                out.write(FAILED.replace("root", f"user{number * 7919 % 1_000_003}"))
        done = davylamp("scan", str(log), "--case", str(small / "case"))
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)
    assert done.returncode == 2, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"now: " in done.stderr
