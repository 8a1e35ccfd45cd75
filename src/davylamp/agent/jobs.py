"""Work that comes round: each job at its own pace, slower when it costs more than its share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from davylamp.agent.budget import Meter

# A job that has to wait this many times longer than it wants, so many times in a row, is said to be slowed; one run
# may have met a full disk or a busy moment.
SLOWED_TIMES, IN_A_ROW_COUNT = 2.0, 3
# However much has been spent, a job that is due runs after so long, or after one interval more where that is longer:
# nothing goes unseen for ever, and all jobs together then take half of their shares at most.
LONGEST_WAIT_S = 30.0


@dataclass
class Job:
    """One piece of work.

    Args:
        run: does it.
        every_s: how often it is wanted.
        share: CPU seconds a second that it may take; costing more, it comes round later.
    """

    name: str
    run: Callable[[], None]
    every_s: float
    share: float
    next_s: float = 0.0
    interval_s: float = 0.0
    slowed: bool = False
    changing_count: int = 0


@dataclass
class Jobs:
    """Runs what is due.

    Args:
        slowed: told of a job that has been slowed down, or is no longer.
        pause_s: seconds for which all of them should wait, because too much has been spent.
    """

    slowed: Callable[[Job], None]
    steady: Callable[[], float] = time.monotonic
    meter: Meter = field(default_factory=Meter)
    pause_s: Callable[[], float] = lambda: 0.0
    jobs: list[Job] = field(default_factory=list)

    def add(self, name: str, run: Callable[[], None], every_s: float, share: float, first_s: float = 0.0) -> Job:
        """Adds a job; it is due in `first_s` seconds."""
        job = Job(name, run, every_s, share, self.steady() + first_s, every_s)
        self.jobs.append(job)
        return job

    def run_due(self) -> float:
        """Runs all jobs that are due; gives the CPU seconds they took."""
        total_s = 0.0
        for job in self.jobs:
            if self.steady() < self._due_s(job):
                continue
            self.meter.take()
            job.run()
            cost_s = self.meter.take()
            total_s += cost_s
            job.interval_s = max(job.every_s, cost_s / job.share)
            job.next_s = self.steady() + job.interval_s
            self._state(job)
        return total_s

    def _state(self, job: Job) -> None:
        slow = job.interval_s > job.every_s * SLOWED_TIMES
        job.changing_count = job.changing_count + 1 if slow != job.slowed else 0
        if job.changing_count >= IN_A_ROW_COUNT:
            job.slowed, job.changing_count = slow, 0
            self.slowed(job)

    def wait_s(self) -> float:
        """Seconds until the next job is due."""
        return max(0.0, min(map(self._due_s, self.jobs)) - self.steady())

    def _due_s(self, job: Job) -> float:
        pause_s = self.pause_s()
        if pause_s <= 0:
            return job.next_s
        return min(job.next_s + max(LONGEST_WAIT_S, job.interval_s), max(job.next_s, self.steady() + pause_s))
