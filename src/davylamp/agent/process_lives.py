"""From the kernel's events to records: who started whom, what it ran, and when it ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from davylamp.agent import procfs
from davylamp.agent.process_events import EXEC, EXIT, FORK, ProcessEvent
from davylamp.agent.processes import Table
from davylamp.agent.record import Look, Recorder

_Kept = TypeVar("_Kept")

# A shell's child runs its program within milliseconds; what has not after this long runs the image of its parent.
WITHOUT_PROGRAM_S = 1.0
# Births are kept for lineage, in memory that a storm must not be able to grow.
BIRTHS_COUNT = 4096


@dataclass(slots=True)
class Birth:
    """A fork: of whom, and when (wall clock)."""

    parent_pid: int
    at: float


@dataclass
class Lives:
    """Follows processes through fork, exec and end.

    Args:
        table: what is known of living processes; shared with the passes over `/proc`.
        may_read: whether the budget allows to read one more process's details now.
        wall, steady_ns: clocks; `steady_ns` is the kernel's monotonic one, in which events are stamped.
    """

    table: Table
    recorder: Recorder
    may_read: Callable[[], bool] = lambda: True
    wall: Callable[[], float] = time.time
    steady_ns: Callable[[], int] = time.monotonic_ns
    skipped_count: int = 0
    launched: list[int] = field(default_factory=list)
    _births: dict[int, Birth] = field(default_factory=dict)
    _without_program: dict[int, float] = field(default_factory=dict)

    def take(self, events: Iterable[ProcessEvent]) -> None:
        """Records what these events say; a process's details are read at once, for it may be gone soon."""
        offset_s = self.wall() - self.steady_ns() / 1e9
        for event in events:
            at = offset_s + event.at_ns / 1e9
            if event.what == EXEC:
                self._ran(event.pid, at)
            elif event.what == FORK:
                self._forked(event.pid, event.parent_pid, at)
            elif event.what == EXIT:
                self._ended(event, at)

    def tick(self) -> None:
        """Tells of processes that run on without having run a program of their own (daemons, workers)."""
        now = self.wall()
        for pid, at in list(self._without_program.items()):
            # A clock set back makes a birth lie ahead of now: told at once rather than never.
            if 0 <= now - at < WITHOUT_PROGRAM_S:
                break
            del self._without_program[pid]
            if self.may_read():
                self._tell(pid, now)
            else:
                self.skipped_count += 1

    def waits(self, pid: int) -> bool:
        """Whether a process is so young that it may still be about to run its program."""
        return pid in self._without_program

    def _forked(self, pid: int, parent_pid: int, at: float) -> None:
        self.table.told.pop(pid, None)
        self.table.stats.pop(pid, None)
        _remember(self._births, pid, Birth(parent_pid, at))
        _remember(self._without_program, pid, at)

    def _ran(self, pid: int, at: float) -> None:
        self._without_program.pop(pid, None)
        if not self.may_read():
            self.skipped_count += 1
            return
        if not self._tell(pid, at):
            self._tell_what_is_left(pid, at)

    def _tell(self, pid: int, at: float) -> bool:
        """Records a living process; False when it is gone."""
        known = procfs.stat_of(pid, self.table.reader.proc)
        if known is None:
            return False
        known.parent_pid = self._parent_of(pid, known.parent_pid)
        self.table.stats[pid] = known
        self.table.told.pop(pid, None)
        self.table.tell(Look(self.recorder, at), [pid], "launch", seen_by=["event"])
        told = self.table.told.get(pid) == known.start_ticks
        if told:
            self.launched.append(pid)
        return told

    def _tell_what_is_left(self, pid: int, at: float) -> None:
        """It ran and was gone before it could be looked at: its birth is all there is."""
        birth = self._births.get(pid)
        self.recorder.record(
            "process_activity",
            at,
            activity="launch",
            process_pid=pid,
            process_started_at=birth and _to_tick(birth.at),
            parent_process_pid=birth and birth.parent_pid,
            seen_by=["event"],
        )

    def _parent_of(self, pid: int, now_pid: int) -> int:
        """Who started it, even when that one has ended and another has taken it in.

        Forks between that never ran a program have their parent's image; the nearest known ancestor stands for them.
        """
        birth = self._births.get(pid)
        parent_pid = birth.parent_pid if birth else now_pid
        for _ in range(8):
            if parent_pid in self.table.stats:
                return parent_pid
            if (seen := procfs.stat_of(parent_pid, self.table.reader.proc)) is not None:
                self.table.stats[parent_pid] = seen
                return parent_pid
            before = self._births.get(parent_pid)
            if before is None:
                break
            parent_pid = before.parent_pid
        return birth.parent_pid if birth else now_pid

    def _ended(self, event: ProcessEvent, at: float) -> None:
        pid = event.pid
        self._without_program.pop(pid, None)
        known = self.table.stats.get(pid)
        was_told = self.table.told.pop(pid, None) is not None
        birth = self._births.get(pid)
        if not was_told and birth is None:
            return  # nothing is known of it that could be ended; its start is counted as lost
        if not was_told and not self.may_read():
            self.skipped_count += 1
            return
        self.recorder.record(
            "process_activity",
            at,
            activity="terminate",
            process_pid=pid,
            process_started_at=self._started_at(pid),
            parent_process_pid=known.parent_pid if known else birth.parent_pid if birth else None,
            process_name=known.name if known else None,
            exit_code=event.exit_code,
            seen_by=["event"],
        )

    def _started_at(self, pid: int) -> float | None:
        known, birth = self.table.stats.get(pid), self._births.get(pid)
        if known is not None:
            return procfs.started_at(known, self.table.reader.boot)
        return _to_tick(birth.at) if birth else None


def _remember(kept: dict[int, _Kept], pid: int, what: _Kept) -> None:
    kept.pop(pid, None)
    kept[pid] = what
    if len(kept) > BIRTHS_COUNT:
        del kept[next(iter(kept))]


def _to_tick(at: float) -> float:
    """A start as `/proc` would give it: to a hundredth of a second, rounded down."""
    return int(at * procfs.TICKS_PER_S) / procfs.TICKS_PER_S
