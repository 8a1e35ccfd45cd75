"""`davylamp scan host` where the host refuses: full and read-only disks, signals, hidden processes, no rights."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

# Looks at this machine as it is: two such tests at once would see each other's miners.
pytestmark = [pytest.mark.slow, pytest.mark.live]
SCAN = [sys.executable, "-m", "davylamp", "scan", "host", "--format", "json"]
inside = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="namespaces are made by root, with unshare"
)


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Runs a shell script in a mount namespace of its own."""
    command = ["unshare", "--mount", "sh", "-c", script, "sh", *arguments]
    done = subprocess.run(command, capture_output=True, check=False, timeout=180)
    assert b"Traceback" not in done.stderr, done.stderr
    return done


def coverage(document: dict[str, Any]) -> str:
    return "\n".join(f"{row['path']}: {row['reason']}" for row in document["coverage"] if row["reason"])


@inside
@pytest.mark.parametrize(("options", "said"), [("size=64k", b"no space left"), ("ro", b"read-only")])
def test_a_case_on_a_full_or_read_only_disk_is_an_error_that_says_so(tmp_path: Path, options: str, said: bytes) -> None:
    script = f'mount -t tmpfs -o {options} none "$1"; shift; exec "$@"'
    done = run(script, str(tmp_path), *SCAN, "--observe", "1s", "--case", str(tmp_path / "case"))
    assert done.returncode == 2
    assert said in done.stderr.lower()
    assert b"now: " in done.stderr
    assert done.stdout == b""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_look_that_is_stopped_is_judged_as_far_as_it_went_and_says_so(tmp_path: Path, number: signal.Signals) -> None:
    case = tmp_path / "case"
    began = time.monotonic()
    command = [*SCAN, "--observe", "300s", "--case", str(case)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        while not any(b'"resource_usage"' in path.read_bytes() for path in case.glob("host/*.jsonl")):
            assert time.monotonic() - began < 120
            assert running.poll() is None
            time.sleep(0.2)
        running.send_signal(number)
        out, errors = running.communicate(timeout=120)
    assert b"Traceback" not in errors
    assert running.returncode == 4, errors
    document = json.loads(out)
    assert "the rest of the look: stopped after" in coverage(document)
    events = subprocess.run(
        [sys.executable, "-m", "davylamp", "events", "process_activity", "--case", str(case)],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert os.getpid() in {json.loads(line)["process_pid"] for line in events.stdout.splitlines()}


def looked(script: str, case: Path) -> dict[str, Any]:
    done = run(script, *SCAN, "--observe", "1s", "--case", str(case))
    assert done.returncode == 4, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


# Another user, who may read files as far as the interpreter lies in somebody's home, and no process of others.
OTHER_USER = (
    "exec setpriv --reuid 65534 --regid 65534 --clear-groups "
    '--inh-caps=-all,+dac_read_search --ambient-caps +dac_read_search --bounding-set=-all,+dac_read_search "$@"'
)


@inside
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="another user is made with setpriv")
@pytest.mark.parametrize("mount", ["", "mount -t proc -o hidepid=2 none /proc; "])
def test_another_user_learns_what_may_be_seen_and_what_right_would_show_the_rest(tmp_path: Path, mount: str) -> None:
    case = tmp_path / "case"
    case.mkdir()
    os.chown(case, 65534, 65534)
    document = looked(mount + OTHER_USER, case)
    said = coverage(document)
    assert "CAP_SYS_PTRACE" in said
    assert "CAP_NET_RAW" in said
    assert ("owners of sockets" in said) == (not mount)
    assert ("hidepid" in said) == bool(mount)
    assert [found for found in document["findings"] if found["unit"] == "hidden_process"] == []
    seen = [row for row in document["coverage"] if row["path"].endswith(".jsonl")]
    assert seen[0]["event_classes"]["process_activity"] >= 1


@inside
def test_without_rights_other_network_namespaces_are_not_looked_into_and_that_is_said(tmp_path: Path) -> None:
    with subprocess.Popen(["unshare", "--net", "sleep", "60"]) as other:
        time.sleep(0.5)
        try:
            document = looked('exec unshare --user "$@"', tmp_path / "case")
        finally:
            other.kill()
    said = coverage(document)
    for right in ("CAP_SYS_ADMIN", "CAP_SYS_PTRACE"):
        assert right in said


def test_processes_by_the_hundred_are_looked_at_in_seconds(tmp_path: Path) -> None:
    made = [subprocess.Popen([f"worker {number}", "60"], executable="/bin/sleep") for number in range(300)]
    try:
        before: Sequence[float] = os.times()
        done = subprocess.run(
            [*SCAN, "--observe", "3s", "--case", str(tmp_path / "case")], capture_output=True, check=False, timeout=180
        )
        after = os.times()
    finally:
        for each in made:
            each.kill()
        for each in made:
            each.wait()
    document = json.loads(done.stdout)
    seen = [row for row in document["coverage"] if row["path"].endswith(".jsonl")]
    assert seen[0]["event_classes"]["process_activity"] >= 300
    # CPU of the whole command, its judging included: about three seconds were measured here.
    assert (after[2] + after[3]) - (before[2] + before[3]) < 20
    named = {asset["name"].partition("@")[0] for found in document["findings"] for asset in found["assets"]}
    assert not named & {str(each.pid) for each in made}
