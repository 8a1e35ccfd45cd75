"""Lives of processes: who started whom, what it ran, when it ended; hostile names; storms."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from davylamp.agent import procfs
from davylamp.agent.cap import EVENTS_SHARE, Cap
from davylamp.agent.details import Reader, users_of
from davylamp.agent.process_sense import ProcessSense
from davylamp.agent.processes import Table
from davylamp.agent.record import Look, Recorder

RICH = 10.0


class Watched:
    """A sense of processes that writes to a list."""

    def __init__(self, cap_ratio: float = RICH) -> None:
        self.lines: list[str] = []
        recorder = Recorder(self.lines.append)
        table = Table(Reader(users_of(), procfs.boot_at()))
        self.sense = ProcessSense(recorder, table, Cap(cap_ratio))
        self.sense.open(Look(recorder, time.time()))
        if self.sense.connector is None:
            pytest.skip("the kernel refuses the proc connector")
        self.lines.clear()

    def take(self, seconds: float = 0.0) -> None:
        """Takes events for so long, as the event loop does."""
        deadline = time.monotonic() + seconds
        while True:
            pause = self.sense.take_events()
            if time.monotonic() >= deadline and not pause:
                return
            time.sleep(0.002)

    def rows(self, **wanted: object) -> list[dict[str, Any]]:
        """Process records with these columns."""
        rows = [json.loads(line) for line in self.lines]
        return [
            row
            for row in rows
            if row["record"] == "process_activity" and all(row.get(name) == value for name, value in wanted.items())
        ]


@pytest.fixture
def watched() -> Iterator[Watched]:
    made = Watched()
    yield made
    made.sense.close()


def test_every_start_and_end_is_a_record(watched: Watched) -> None:
    children = []
    for _ in range(60):
        children.append(subprocess.Popen(["sleep", "0.05"]))
        watched.take()
    for child in children:
        child.wait()
    watched.take(0.1)
    for child in children:
        (launch,) = watched.rows(process_pid=child.pid, activity="launch")
        (end,) = watched.rows(process_pid=child.pid, activity="terminate")
        assert launch["parent_process_pid"] == os.getpid()
        assert end["exit_code"] == 0
        if "image_path" in launch:  # it was there still when it was looked at
            assert launch["image_path"].endswith(("sleep", "coreutils"))
            assert launch["command_line"] == "sleep 0.05"
        assert end["process_started_at"] == pytest.approx(launch["process_started_at"], abs=0.02)


def test_the_true_parent_is_told_although_another_has_taken_the_child_in(watched: Watched) -> None:
    script = (
        "import os\nif os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0:\n    os.execvp('sleep', ['sleep', '1.5'])\n"
        "  os._exit(0)\n"
    )
    starter = subprocess.Popen([sys.executable, "-S", "-c", script])
    starter.wait()
    watched.take(0.3)
    (launch,) = watched.rows(command_line="sleep 1.5", activity="launch")
    assert launch["parent_process_pid"] in (starter.pid, *[row["process_pid"] for row in watched.rows()])
    assert launch["parent_process_pid"] not in (0, 1)


def test_a_process_that_runs_no_program_of_its_own_is_told_too(watched: Watched) -> None:
    child = subprocess.Popen(
        [sys.executable, "-S", "-c", "import os,time\nif os.fork() == 0: time.sleep(2.5)\nelse: os.wait()"]
    )
    watched.take(0.4)
    workers = [event for event in watched.sense.lives._births.items() if event[1].parent_pid == child.pid]
    assert len(workers) == 1
    watched.take(1.0)
    watched.sense.tick()
    (launch,) = watched.rows(process_pid=workers[0][0], activity="launch")
    assert launch["parent_process_pid"] == child.pid
    child.kill()
    child.wait()


def test_hostile_names_stay_one_record_and_are_laid_to_nobody_else(watched: Watched, tmp_path: Path) -> None:
    names = [b"a\nb", b"\x1b[2J", b") S 1 1 1", b"\xff\xfe", b"x" * 200, b'"}']
    pids = []
    for name in names:
        image = os.fsencode(tmp_path) + b"/" + name
        Path(os.fsdecode(image)).symlink_to(sys.executable)
        child = subprocess.Popen([image, "-S", "-c", "import time; time.sleep(0.3)", b'\n{"record":"header"}\n'])
        watched.take(0.05)
        pids.append(child)
    watched.take(0.1)
    for name, child in zip(names, pids, strict=True):
        child.wait()
        launches = [row for row in watched.rows(process_pid=child.pid, activity="launch") if "process_name" in row]
        assert len(launches) == 1
        assert launches[0]["parent_process_pid"] == os.getpid()
        shown = name[:15].decode("utf-8", "backslashreplace")
        assert launches[0]["process_name"] == shown
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in watched.lines)


def test_a_process_that_dies_while_it_is_read_is_told_by_its_birth(watched: Watched) -> None:
    for _ in range(50):
        subprocess.run(["true"], check=True)
    watched.take(0.05)
    launches = watched.rows(activity="launch", parent_process_pid=os.getpid())
    assert len(launches) == 50
    assert all(row["process_started_at"] <= time.time() + 0.1 for row in launches)


def test_a_storm_stays_within_its_purse_and_is_counted() -> None:
    """Six seconds of processes as fast as this machine makes them, at a tenth of a cap of 2 %."""
    watched = Watched(0.002 / EVENTS_SHARE)
    purse = watched.sense.cap.events
    storm = subprocess.Popen(["sh", "-c", "while :; do /bin/true; done"])
    began, began_cpu = time.monotonic(), time.process_time()
    try:
        while time.monotonic() - began < 6:
            if watched.sense.take_events():
                time.sleep(min(1.0, max(0.0, watched.sense.resume_s - time.monotonic())))
            else:
                time.sleep(0.01)
        spent_s, lasted_s = time.process_time() - began_cpu, time.monotonic() - began
    finally:
        storm.kill()
        storm.wait()
    losses = watched.sense.take_losses()
    watched.sense.close()
    # What it had saved, what it earned, and the batch that it was in the middle of.
    assert spent_s <= purse.rate * (purse.saved_s + lasted_s) + 0.15
    assert sum(count for count, _ in losses) > 0
    stated = [json.loads(line) for line in watched.lines if '"sensor_state"' in line]
    assert any(row["kind"] == "slowed" for row in stated)


def test_memory_of_births_is_bounded(watched: Watched) -> None:
    from davylamp.agent.process_events import FORK, ProcessEvent

    watched.sense.lives.take(ProcessEvent(FORK, pid, 1, 1) for pid in range(10_000, 60_000))
    assert len(watched.sense.lives._births) <= 4096
    assert len(watched.sense.lives._without_program) <= 4096


def test_without_the_connector_new_processes_are_polled_and_coverage_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from davylamp.agent import process_sense

    def refused() -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(process_sense, "Connector", refused)
    lines: list[str] = []
    recorder = Recorder(lines.append)
    sense = ProcessSense(recorder, Table(Reader(users_of(), procfs.boot_at())), Cap(RICH))
    sense.open(Look(recorder, time.time()))
    said = [json.loads(line) for line in lines if '"could_not_look"' in line]
    assert any("CAP_NET_ADMIN" in row["reason"] for row in said)
    child = subprocess.Popen(["sleep", "1"])
    sense.tick()
    child.kill()
    child.wait()
    launches = [json.loads(line) for line in lines if f'"process_pid":{child.pid},' in line]
    assert launches[0]["activity"] == "launch"
