"""Windows of what processes use, kept small: short for who has just begun to burn, long for who always does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from davylamp.agent import procfs, usage
from davylamp.agent.procfs import Stat
from davylamp.agent.record import Recorder

# Who uses this much of one core is written window by window; half of what a miner worth finding uses.
BURNS_RATIO = 0.05
# Who uses less than this over a minute is not written at all (as in one look at the host).
LEAST_RATIO = 0.01
LONGEST_WINDOW_S = 60.0
# Freshly seen to burn: sampled closely for two minutes, which shows a duty cycle (knowledge/detection.md 4.2).
CLOSELY_S = 120.0
CLOSE_STEP_S = 2.0
# After ten minutes a plateau is told by longer windows as well, in a twelfth of the space.
SETTLED_AFTER_S = 600.0
SETTLED_WINDOW_S = 30.0
# A tick of the CPU's clock is a hundredth of a second; of shorter windows it would be too large a part.
SHORTEST_WINDOW_S = 0.5
# Suspects looked at between passes; a build with more of them at once is looked at in passes alone.
CLOSELY_COUNT = 8


@dataclass(slots=True)
class Burner:
    """A process seen to burn.

    Args:
        since_s: when that began, by the steady clock.
        spent_s: CPU seconds seen since then.
        talks: whether it, its parent or a child of it holds an outgoing connection; true as long as nobody has looked.
    """

    pid: int
    start_ticks: int
    since_s: float
    last_s: float
    spent_s: float = 0.0
    allowed_count: float = 0.0
    talks: bool = True


@dataclass(slots=True)
class _Open:
    """The window that is open for a process."""

    counters: usage.Counters
    at: float
    at_s: float


@dataclass
class ProcessWindows:
    """Closes a process's window when it has something to say, and writes it as `process_usage`.

    Args:
        boot: when the machine booted.
        burners: processes that burn now, by pid.
    """

    recorder: Recorder
    boot: float
    proc: str = "/proc"
    burners: dict[int, Burner] = field(default_factory=dict)
    _open: dict[int, _Open] = field(default_factory=dict)

    def all_read(self, stats: Mapping[int, Stat], at: float, at_s: float) -> None:
        """Takes a pass over all processes."""
        for pid in [pid for pid in self._open if pid not in stats]:
            del self._open[pid]
        for pid in [pid for pid in self.burners if pid not in stats]:
            del self.burners[pid]
        for stat in stats.values():
            self._read(stat, at, at_s)

    def closely(self, at: float, at_s: float) -> list[int]:
        """Takes the freshest burners alone, between passes; gives their pids."""
        fresh = [each for each in self.burners.values() if at_s - each.since_s < CLOSELY_S][:CLOSELY_COUNT]
        for burner in fresh:
            stat = procfs.stat_of(burner.pid, self.proc)
            if stat is not None:
                self._read(stat, at, at_s)
        return [burner.pid for burner in fresh]

    def close_all(self, at: float, at_s: float) -> None:
        """Closes the windows of all that burn, for a judging that is about to begin."""
        for burner in list(self.burners.values()):
            stat, opened = procfs.stat_of(burner.pid, self.proc), self._open.get(burner.pid)
            if stat is not None and opened is not None and at_s - opened.at_s >= SHORTEST_WINDOW_S:
                self._close(opened, stat, at, at_s, burner)

    def _read(self, stat: Stat, at: float, at_s: float) -> None:
        opened = self._open.get(stat.pid)
        if opened is None or opened.counters.stat.start_ticks != stat.start_ticks:
            self._begin(stat, at, at_s)
            return
        length_s = at_s - opened.at_s
        spent_s = (stat.ticks - opened.counters.stat.ticks) / procfs.TICKS_PER_S
        burner = self.burners.get(stat.pid)
        burns = spent_s >= BURNS_RATIO * length_s
        if burner is not None and burner.start_ticks == stat.start_ticks:
            settled = at_s - burner.since_s > SETTLED_AFTER_S
            if length_s < (SETTLED_WINDOW_S if settled else CLOSE_STEP_S * 0.75):
                return
            self._close(opened, stat, at, at_s, burner)
            self._follow(burner, burns, at_s)
        elif burns:
            burner = Burner(stat.pid, stat.start_ticks, opened.at_s, at_s)
            burner.allowed_count = usage.cpu_allowed_count(stat.pid, usage.group_of(stat.pid))
            self.burners[stat.pid] = burner
            self._close(opened, stat, at, at_s, burner)
            self._follow(burner, burns, at_s)
        elif length_s >= LONGEST_WINDOW_S:
            if spent_s >= LEAST_RATIO * length_s:
                self._close(opened, stat, at, at_s, None)
            else:
                self._begin(stat, at, at_s)

    def _begin(self, stat: Stat, at: float, at_s: float) -> None:
        self._open[stat.pid] = _Open(usage.Counters(stat), at, at_s)

    def _close(self, opened: _Open, stat: Stat, at: float, at_s: float, burner: Burner | None) -> None:
        after = usage.counters_of(stat, self.proc)
        length_s = at_s - opened.at_s
        if burner is not None:
            burner.spent_s += (stat.ticks - opened.counters.stat.ticks) / procfs.TICKS_PER_S
        allowed = burner.allowed_count if burner else usage.cpu_allowed_count(stat.pid, usage.group_of(stat.pid))
        self.recorder.record(
            "process_usage",
            # By the steady clock, so that a clock set meanwhile does not stretch the window.
            at - length_s,
            end_time=at,
            process_started_at=procfs.started_at(stat, self.boot),
            cpu_allowed_count=allowed,
            **usage.window_columns(opened.counters, after, length_s),
        )
        self._open[stat.pid] = _Open(after, at, at_s)

    def _follow(self, burner: Burner, burns: bool, at_s: float) -> None:
        if burns:
            burner.last_s = at_s
        elif at_s - burner.last_s > LONGEST_WINDOW_S:
            del self.burners[burner.pid]
