"""Work that comes round: each job at its own pace, slower when it costs more than its share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from davylamp.agent.budget import Meter

# A job that has to wait this many times longer than it wants is said to be slowed.
SLOWED_TIMES = 2.0


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


@dataclass
class Jobs:
    """Runs what is due.

    Args:
        slowed: told of a job that has been slowed down, or is no longer.
    """

    slowed: Callable[[Job], None]
    steady: Callable[[], float] = time.monotonic
    meter: Meter = field(default_factory=Meter)
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
            if self.steady() < job.next_s:
                continue
            self.meter.take()
            job.run()
            cost_s = self.meter.take()
            total_s += cost_s
            job.interval_s = max(job.every_s, cost_s / job.share)
            job.next_s = self.steady() + job.interval_s
            if (slow := job.interval_s > job.every_s * SLOWED_TIMES) != job.slowed:
                job.slowed = slow
                self.slowed(job)
        return total_s

    def wait_s(self) -> float:
        """Seconds until the next job is due."""
        return max(0.0, min(job.next_s for job in self.jobs) - self.steady())
