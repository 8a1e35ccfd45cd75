"""A clock that is set back an hour in the middle: what was seen stays in order, and the miner is still named once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
# Looks at this machine as it is: two such tests at once would see each other's miners.
pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(not LIBRARIES, reason="another clock is made with Debian's libfaketime"),
    pytest.mark.skipif(os.geteuid() != 0, reason="sees packets as root only"),
]
HOUR_S = 3600.0


@contextmanager
def set_back(command: Sequence[str], folder: Path, after_s: float) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a command whose time of day, not its steady clock, goes back an hour after so long."""
    offset = folder / "offset"
    offset.write_text("+0", encoding="ascii")
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    turn = threading.Timer(after_s, offset.write_text, [f"-{HOUR_S:.0f}"], {"encoding": "ascii"})
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as child:
        turn.start()
        try:
            yield child
        finally:
            turn.cancel()
            if child.poll() is None:
                child.kill()


@contextmanager
def mining(seconds: float) -> Iterator[int]:
    """An emulated miner at full load; gives its pid."""
    command = [sys.executable, "-m", "tests.agent.emulated_miner"]
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    with subprocess.Popen([*command, "pool", str(seconds)], stdout=subprocess.PIPE, cwd=ROOT, env=environment) as pool:
        assert pool.stdout is not None
        port = pool.stdout.readline().decode().strip()
        with subprocess.Popen([*command, "miner", port, str(seconds), "1.0"], cwd=ROOT, env=environment) as miner:
            try:
                yield miner.pid
            finally:
                miner.kill()
                pool.kill()


def names_of(incident: dict[str, Any], pid: int) -> set[str]:
    return {asset["name"] for asset in incident["assets"] if asset["name"].startswith(f"{pid}@")}


def test_a_look_in_which_the_clock_is_set_back_tells_the_miner_as_any_other(tmp_path: Path) -> None:
    case = tmp_path / "case"
    command = [sys.executable, "-m", "davylamp", "scan", "host", "--format", "json", "--case", str(case)]
    began = time.time()
    with mining(120) as pid, set_back([*command, "--observe", "40s"], tmp_path, 15) as look:
        out, errors = look.communicate(timeout=200)
    assert b"Traceback" not in errors
    document = json.loads(out)
    told = [incident for incident in document["incidents"] if names_of(incident, pid)]
    assert len(told) == 1, (errors, document["findings"])
    assert len(names_of(told[0], pid)) == 1
    (evidence,) = (case / "host").glob("*.jsonl")
    records = [json.loads(line) for line in evidence.read_text(encoding="ascii").splitlines()]
    windows = [row for row in records if row["record"] == "process_usage" and row["process_pid"] == pid]
    assert windows
    assert all(began <= row["time"] < row["end_time"] for row in windows)


def test_a_watch_in_which_the_clock_is_set_back_opens_one_incident_of_one_process(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "davylamp", "watch", "--format", "jsonl", "--case", str(tmp_path / "case")]
    with set_back([*command, "--for", "75s"], tmp_path, 25) as watch:
        assert watch.stdout is not None
        first = watch.stdout.readline()
        with mining(90) as pid:
            out, errors = watch.communicate(timeout=200)
    assert b"Traceback" not in errors, errors
    lines = [json.loads(line) for line in (first + out).splitlines()]
    told = [line["incident"] for line in lines if line["kind"] == "incident" and names_of(line["incident"], pid)]
    assert told, errors
    assert len({incident["uid"] for incident in told}) == 1
    assert len(set.union(*(names_of(incident, pid) for incident in told))) == 1
