"""Windows of what processes use: close for who has begun to burn, wide for who always does, none for the idle."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from typing import Any

import pytest

from davylamp.agent import procfs
from davylamp.agent.process_windows import ProcessWindows
from davylamp.agent.procfs import TICKS_PER_S, Stat
from davylamp.agent.record import Recorder

BOOT = 1_795_000_000.0


def stat(pid: int, cpu_s: float, start_ticks: int = 100) -> Stat:
    return Stat(pid, "x", "R", 1, 0, 0, round(cpu_s * TICKS_PER_S), 0, 0, 1, start_ticks, 10)


def written(pattern: list[float], step_s: float = 5.0) -> list[dict[str, Any]]:
    """Windows of a process whose CPU clock shows these values, step by step."""
    lines: list[str] = []
    windows = ProcessWindows(Recorder(lines.append), BOOT, proc="/nonexistent")
    for number, cpu_s in enumerate(pattern):
        windows.all_read({7: stat(7, cpu_s)}, BOOT + number * step_s, number * step_s)
    return [json.loads(line) for line in lines]


def lengths(rows: list[dict[str, Any]]) -> list[float]:
    return [round(row["end_time"] - row["time"], 3) for row in rows]


def test_who_burns_is_written_window_by_window_without_gaps() -> None:
    rows = written([number * 1.5 for number in range(60)])
    assert set(lengths(rows)) == {5.0}
    assert all(later["time"] == earlier["end_time"] for earlier, later in itertools.pairwise(rows))
    assert sum(row["cpu_user_s"] for row in rows) == pytest.approx(59 * 1.5)
    assert rows[0]["process_started_at"] == BOOT + 1


def test_who_has_always_burned_is_written_in_wider_windows() -> None:
    rows = written([number * 1.5 for number in range(400)])
    assert lengths(rows)[:100] == [5.0] * 100
    assert lengths(rows)[-10:] == [30.0] * 10


def test_the_idle_are_not_written_and_the_nearly_idle_once_a_minute() -> None:
    assert written([0.0] * 100) == []
    rows = written([number * 0.1 for number in range(61)])
    assert lengths(rows) == [60.0] * 5


def test_a_pid_that_another_process_has_taken_begins_anew() -> None:
    lines: list[str] = []
    windows = ProcessWindows(Recorder(lines.append), BOOT, proc="/nonexistent")
    windows.all_read({7: stat(7, 100.0)}, BOOT, 0.0)
    windows.all_read({7: stat(7, 2.0, start_ticks=900)}, BOOT + 5, 5.0)
    assert lines == []
    windows.all_read({7: stat(7, 4.0, start_ticks=900)}, BOOT + 10, 10.0)
    (row,) = [json.loads(line) for line in lines]
    assert row["cpu_user_s"] == 2.0
    assert row["process_started_at"] == BOOT + 9


def test_a_clock_set_back_does_not_stretch_a_window() -> None:
    lines: list[str] = []
    windows = ProcessWindows(Recorder(lines.append), BOOT, proc="/nonexistent")
    windows.all_read({7: stat(7, 0.0)}, BOOT, 0.0)
    windows.all_read({7: stat(7, 5.0)}, BOOT - 3600, 5.0)
    (row,) = [json.loads(line) for line in lines]
    assert row["end_time"] - row["time"] == 5.0


def test_a_fresh_burner_is_looked_at_between_passes() -> None:
    lines: list[str] = []
    windows = ProcessWindows(Recorder(lines.append), procfs.boot_at())
    child = subprocess.Popen(
        [sys.executable, "-S", "-c", "import time\nend=time.time()+3\nwhile time.time()<end: pass"]
    )
    try:
        for number in range(2):
            found = procfs.stat_of(child.pid)
            assert found is not None
            windows.all_read({child.pid: found}, time.time(), time.monotonic())
            time.sleep(0.6 if not number else 0)
        assert child.pid in windows.burners
        time.sleep(1.6)
        assert windows.closely(time.time(), time.monotonic()) == [child.pid]
    finally:
        child.kill()
        child.wait()
    rows = [json.loads(line) for line in lines]
    assert [row["process_pid"] for row in rows] == [child.pid] * 2
    assert rows[1]["cpu_allowed_count"] >= 1
    assert rows[1]["transferred_bytes"] is not None
