"""One look at the host that lasts: processes, connections and CPU are sampled over a window."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from davylamp.agent import procfs, usage
from davylamp.agent.capture import Capture
from davylamp.agent.connections import Connections
from davylamp.agent.counted_messages import ASKED_EVERY_S, CountedMessages
from davylamp.agent.machine_cpu import record_machine
from davylamp.agent.processes import Table
from davylamp.agent.record import Look, Recorder
from davylamp.agent.suspects import Suspects

STEP_S = 1.0
# A process that used less than this share of one CPU over the whole window burns nothing worth a row.
LEAST_CPU_RATIO = 0.01

Tick = Callable[[float], None]


@dataclass
class Observation:
    """Samples until the window ends.

    Args:
        recorder: where records go.
        table: the processes, refreshed at every step.
        connections: the connections, or None where the kernel tells none.
        capture: keeps packets of suspects' connections, or None where that is not wanted.
        clock: seconds since 1970; one that nobody sets back meanwhile.
        stopped_after_s: when a stop ended the window, None when it ran to its end.
        counted: messages of suspects' connections where their packets are refused.
        listens: whether there is a suspect whose connection is followed.
    """

    recorder: Recorder
    table: Table
    connections: Connections | None
    capture: Capture | None = None
    suspects: Suspects = field(default_factory=Suspects)
    rows: dict[tuple[int, int], list[dict[str, object]]] = field(default_factory=dict)
    before: dict[int, usage.Counters] = field(default_factory=dict)
    clock: Callable[[], float] = time.time
    stopped_after_s: float | None = None
    counted: CountedMessages | None = None
    listens: bool = False

    def run(self, duration_s: float, longest_s: float, tick: Tick) -> None:
        """Samples every second for so long, and up to `longest_s` while a suspect is listened to.

        A stop (KeyboardInterrupt) ends the window and keeps what was seen.
        """
        began = time.monotonic()
        last_at, last = self.clock(), procfs.machine_time()
        shown = self.table.shown()
        self.before = {pid: usage.Counters(stat) for pid, stat in self.table.stats.items()}
        try:
            while (elapsed := time.monotonic() - began) < (longest_s if self.listens else duration_s):
                tick(elapsed)
                self._rest(min(STEP_S, max(0.05, max(duration_s, longest_s) - elapsed)))
                at, now = self.clock(), procfs.machine_time()
                self._step(Look(self.recorder, at), last_at, now.at_s - last.at_s)
                shows = self.table.shown()
                record_machine(self.recorder, last_at, last, now, shown, shows)
                last_at, last, shown = at, now, shows
        except KeyboardInterrupt:
            self.stopped_after_s = time.monotonic() - began
        finally:
            self._write()
            if self.counted is not None:
                self.counted.record(Look(self.recorder, self.clock()))

    def _rest(self, length_s: float) -> None:
        """Waits for the next step; where packets are refused, counters are asked for meanwhile."""
        until_s = time.monotonic() + length_s
        while self.counted is not None and (left_s := until_s - time.monotonic()) > ASKED_EVERY_S:
            time.sleep(min(ASKED_EVERY_S, left_s))
            self.counted.ask(self.clock())
        time.sleep(max(0.0, until_s - time.monotonic()))

    def _step(self, look: Look, began_at: float, length_s: float) -> None:
        new = self.table.refresh()
        if new:
            self.table.tell(look, new, "launch")
        after: dict[int, usage.Counters] = {}
        for pid, stat in self.table.stats.items():
            before = self.before.get(pid)
            same = before is not None and before.stat.start_ticks == stat.start_ticks
            spent = stat.ticks - before.stat.ticks if before is not None and same else stat.ticks
            # Threads and bytes are read of those alone that burn; all else is one small file a process.
            busy = spent > LEAST_CPU_RATIO * length_s * procfs.TICKS_PER_S
            after[pid] = usage.counters_of(stat, self.table.reader.proc) if busy else usage.Counters(stat)
            if before is not None and same and (spent or (pid, stat.start_ticks) in self.rows):
                columns = usage.window_columns(before, after[pid], length_s)
                columns |= {"time": began_at, "end_time": look.at}
                self.rows.setdefault((pid, stat.start_ticks), []).append(columns)
        self.before = after
        if self.connections is not None:
            found = self.connections.record_changed(look)
            if self.capture is not None:
                self.capture.drain()
                wanted = self.suspects.connections_of(self._burned(), found, self.connections, time.monotonic())
                self.capture.follow(wanted, only=True)
                self.listens = bool(wanted)
                if self.capture.refused:
                    self.counted = self.counted or CountedMessages(self.connections)
                    self.counted.follow(wanted)

    def _burned(self) -> dict[int, float]:
        """Pid -> share of one CPU that it used, of those that are still here."""
        return {
            pid: _spent_ratio(windows)
            for pid, stat in self.table.stats.items()
            if (windows := self.rows.get((pid, stat.start_ticks)))
        }

    def _write(self) -> None:
        """Writes the windows of the processes that burned; the rest of them says nothing."""
        for (_, start_ticks), windows in sorted(self.rows.items()):
            if _spent_ratio(windows) < LEAST_CPU_RATIO:
                continue
            pid = windows[0]["process_pid"]
            stat = self.table.stats.get(pid) if isinstance(pid, int) else None
            allowed = (
                usage.cpu_allowed_count(stat.pid, usage.group_of(stat.pid)) if stat is not None else os.cpu_count()
            )
            started_at = round(self.table.reader.boot + start_ticks / procfs.TICKS_PER_S, 2)
            if stat is None or stat.start_ticks != start_ticks:
                # It ended meanwhile, and with it what it costs.
                self.recorder.record(
                    "process_activity",
                    _seconds(windows[-1], "end_time"),
                    activity="terminate",
                    process_pid=pid,
                    process_started_at=started_at,
                )
            for row in windows:
                at = _seconds(row, "time")
                kept = {name: value for name, value in row.items() if name != "time"}
                self.recorder.record(
                    "process_usage", at, process_started_at=started_at, cpu_allowed_count=allowed, **kept
                )


def _spent_ratio(windows: list[dict[str, object]]) -> float:
    spent = sum(_seconds(row, "cpu_user_s") + _seconds(row, "cpu_system_s") for row in windows)
    length = _seconds(windows[-1], "end_time") - _seconds(windows[0], "time")
    return spent / length if length > 0 else 0.0


def _seconds(row: dict[str, object], name: str) -> float:
    value = row[name]
    return float(value) if isinstance(value, int | float) else 0.0
