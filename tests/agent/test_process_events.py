"""The proc connector: every start and end is told, and what the kernel dropped is counted."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from davylamp.agent.process_events import EXEC, EXIT, FORK, Connector, ProcessEvent


@pytest.fixture
def connector() -> Iterator[Connector]:
    try:
        opened = Connector()
    except OSError as error:
        pytest.skip(f"the kernel refuses the proc connector: {error}")
    yield opened
    opened.close()


def all_events(connector: Connector) -> list[ProcessEvent]:
    """What waits; events are delivered while the call that causes them runs, so none is on its way."""
    return connector.read(1 << 20)


def test_every_one_of_many_starts_is_told_with_parent_and_end(connector: Connector) -> None:
    count = 300
    pids = []
    for number in range(count):
        child = subprocess.Popen(["sh", "-c", f"exit {number % 256}"])
        child.wait()
        pids.append(child.pid)
    events = all_events(connector)
    assert connector.overruns_count == 0
    assert connector.take_lost_count() == 0
    forks = {event.pid: event.parent_pid for event in events if event.what == FORK}
    execs = [event.pid for event in events if event.what == EXEC]
    ends = {event.pid: event.exit_code for event in events if event.what == EXIT}
    for number, pid in enumerate(pids):
        assert forks[pid] == os.getpid()
        assert execs.count(pid) == 1
        assert ends[pid] == number % 256


def test_threads_are_no_processes(connector: Connector) -> None:
    code = "import threading\nfor _ in range(20): t = threading.Thread(target=int); t.start(); t.join()"
    child = subprocess.Popen([sys.executable, "-S", "-c", code])
    child.wait()
    mine = [event.what for event in all_events(connector) if event.pid == child.pid]
    assert mine == [FORK, EXEC, EXIT]


def test_a_signal_that_ends_a_process_shows_as_a_shell_shows_it(connector: Connector) -> None:
    child = subprocess.Popen(["sleep", "60"])
    child.kill()
    child.wait()
    assert [event.exit_code for event in all_events(connector) if event.pid == child.pid and event.what == EXIT] == [
        137
    ]


def test_an_overrun_is_counted_and_reading_goes_on(connector: Connector) -> None:
    import socket

    connector.channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    subprocess.run(["sh", "-c", "i=0; while [ $i -lt 200 ]; do (:) ; i=$((i+1)); done"], check=True)
    seen_count = len(all_events(connector))
    later_count = 0
    for cpu in sorted(os.sched_getaffinity(0)):  # the gap shows with the next event of the CPU that dropped some
        subprocess.run(["taskset", "--cpu-list", str(cpu), "true"], check=True)
        later_count += len(all_events(connector))
    assert connector.overruns_count >= 1
    assert later_count
    lost_count = connector.take_lost_count()
    assert lost_count > 0
    assert seen_count < 400
    assert connector.take_lost_count() == 0


def test_in_a_storm_only_starts_are_passed_on(connector: Connector) -> None:
    connector.only_starts(True)
    child = subprocess.Popen(["true"])
    child.wait()
    assert [event.what for event in all_events(connector) if event.pid == child.pid] == [EXEC]
    connector.only_starts(False)
    child = subprocess.Popen(["true"])
    child.wait()
    assert [event.what for event in all_events(connector) if event.pid == child.pid] == [FORK, EXEC, EXIT]


def test_events_are_stamped_by_the_monotonic_clock(connector: Connector) -> None:
    before_ns = time.monotonic_ns()
    subprocess.run(["true"], check=True)
    after_ns = time.monotonic_ns()
    events = [event for event in all_events(connector) if event.parent_pid == os.getpid() and event.what == FORK]
    assert any(before_ns <= event.at_ns <= after_ns for event in events)
