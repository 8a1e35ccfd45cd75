"""Ctrl-C in the midst of a query that takes hours: it ends at once, and signals are as they were before."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from davylamp.app.progress import Silent
from davylamp.app.scan import ScanRequest, scan
from davylamp.store.engine import DuckEngine
from davylamp.store.prompt_stop import prompt_stop

# Each piece of work is many rows of one side with all of the other.
HOURS = "SELECT count(*) AS n FROM range(3000000) AS a, range(200000) AS b WHERE (a.range * b.range) % 7 = 3"
GIVEN_UP_S = 60.0


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DuckEngine]:
    made = DuckEngine(256 << 20, tmp_path)
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    # Whatever else fails, the test ends.
    given_up = threading.Timer(GIVEN_UP_S, made.interrupt)
    given_up.start()
    yield made
    given_up.cancel()
    given_up.join()
    signal.signal(signal.SIGINT, previous)
    made.close()


def pressed_after(wait_s: float) -> threading.Timer:
    finger = threading.Timer(wait_s, os.kill, (os.getpid(), signal.SIGINT))
    finger.start()
    return finger


def open_count() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def wakeup_descriptor() -> int:
    descriptor = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
    return descriptor


def test_ctrl_c_ends_a_query_of_hours(engine: DuckEngine) -> None:
    open_before_count = open_count()
    began_s = time.monotonic()
    finger = pressed_after(0.5)
    with pytest.raises(KeyboardInterrupt), prompt_stop(engine):
        engine.rows(HOURS)
    assert time.monotonic() - began_s < GIVEN_UP_S / 2
    finger.join()
    assert wakeup_descriptor() == -1
    assert open_count() == open_before_count
    assert engine.rows("SELECT 1 AS one") == [{"one": 1}]


def test_ctrl_c_between_queries_is_an_ordinary_one(engine: DuckEngine) -> None:
    with pytest.raises(KeyboardInterrupt), prompt_stop(engine):
        signal.raise_signal(signal.SIGINT)
    assert engine.rows("SELECT 1 AS one") == [{"one": 1}]


def test_another_signal_does_not_stop_a_query(engine: DuckEngine) -> None:
    seen: list[int] = []
    previous = signal.signal(signal.SIGUSR1, lambda number, _: seen.append(number))
    with prompt_stop(engine):
        signal.raise_signal(signal.SIGUSR1)
        assert engine.rows("SELECT count(*) AS n FROM range(50000000) AS a WHERE hash(a.range) % 7 = 8") == [{"n": 0}]
    signal.signal(signal.SIGUSR1, previous)
    assert seen == [signal.SIGUSR1]


def test_whoever_waits_for_signals_already_keeps_doing_so(engine: DuckEngine) -> None:
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    signal.set_wakeup_fd(writes, warn_on_full_buffer=False)
    with pytest.raises(KeyboardInterrupt), prompt_stop(engine):
        assert wakeup_descriptor() == writes
        signal.raise_signal(signal.SIGINT)
    assert signal.set_wakeup_fd(-1) == writes
    assert os.read(reads, 8) == bytes([signal.SIGINT])
    os.close(reads)
    os.close(writes)


def test_a_thread_beside_the_main_one_has_no_part_in_it(engine: DuckEngine) -> None:
    rows: list[dict[str, object]] = []

    def ask() -> None:
        with prompt_stop(engine):
            rows.extend(engine.rows("SELECT 1 AS one"))

    beside = threading.Thread(target=ask)
    beside.start()
    beside.join()
    assert rows == [{"one": 1}]


def test_a_scan_listens_while_it_judges_and_not_longer(tmp_path: Path) -> None:
    class Looking(Silent):
        descriptors: set[int] = set()  # noqa: RUF012 - one scan in this test

        def judging(self, uid: str) -> None:
            self.descriptors.add(wakeup_descriptor())

    log = tmp_path / "auth.log"
    log.write_text("2026-03-01T00:00:00Z web1 sshd[1]: Failed password for root from 203.0.113.7 port 1 ssh2\n")
    scan(ScanRequest(paths=(str(log),), case_folder=tmp_path / "case"), Looking())
    assert Looking.descriptors
    assert -1 not in Looking.descriptors
    assert wakeup_descriptor() == -1
