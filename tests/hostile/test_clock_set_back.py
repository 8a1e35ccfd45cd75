"""A clock that is set back an hour in the middle: what was seen stays in order, and the miner is still named once."""

from __future__ import annotations

import json
import os
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
# Looks at this machine as it is: two such tests at once would see each other's miners.
pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="sees packets as root only"),
]
HOUR_S = 3600.0
# What the interpreter runs before the program: its time of day is the machine's and what a file says. The machine's own
# clock cannot be set for one program alone, and Debian's libfaketime breaks the sleep of Python 3.11.
OTHER_CLOCK = """
import os, time
machine_time = time.time
def told():
    with open(os.environ["OFFSET_FILE"], encoding="ascii") as file:
        return machine_time() + float(file.read() or 0)
time.time = told
"""


@contextmanager
def set_back(command: Sequence[str], folder: Path, after_s: float) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a command whose time of day, not its steady clock, goes back an hour after so long."""
    offset = folder / "offset"
    offset.write_text("0", encoding="ascii")
    (folder / "sitecustomize.py").write_text(OTHER_CLOCK, encoding="ascii")
    places = os.pathsep.join(map(str, (folder, ROOT / "src", ROOT)))
    environment = os.environ | {"PYTHONPATH": places, "OFFSET_FILE": str(offset)}
    turn = threading.Timer(after_s, offset.write_text, [str(-HOUR_S)], {"encoding": "ascii"})
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
    with mining(120) as pid, set_back([*command, "--observe", "25s"], tmp_path, 10) as look:
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


def test_a_watch_says_that_the_clock_was_set_back_and_names_its_processes_as_before(tmp_path: Path) -> None:
    case = tmp_path / "case"
    command = [sys.executable, "-m", "davylamp", "watch", "--format", "jsonl", "--case", str(case)]
    with set_back([*command, "--for", "25s"], tmp_path, 8) as watch:
        assert watch.stdout is not None
        first = watch.stdout.readline()
        with mining(60) as pid:
            out, errors = watch.communicate(timeout=200)
    assert watch.returncode == 0, errors
    assert errors == b""
    said = [line["sensor"]["kind"] for line in map(json.loads, (first + out).splitlines()) if line["kind"] == "sensor"]
    assert said.count("clock_set_back") == 1
    segments = sorted((case / "watch/spool").glob("*.jsonl"))
    assert len(segments) >= 2  # one before, one after: each is in order for itself
    records = [json.loads(line) for path in segments for line in path.read_text(encoding="ascii").splitlines()]
    starts = {
        row["process_started_at"] for row in records if row.get("process_pid") == pid and row["record"] != "header"
    }
    assert len(starts) == 1
    document = json.loads((case / "scan.json").read_text(encoding="utf-8"))
    assert len({name for finding in document["findings"] for name in names_of(finding, pid)}) <= 1
