"""The CPU cap of the whole watch, shared out: what the lasting process and judging may spend, and when they may not."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from davylamp.agent.budget import Budget, Loan

# Of the cap. What the two leave pays, within ten minutes, for what both have saved and for one judging more.
SENSOR_SHARE, JUDGING_SHARE = 0.5, 0.15
# Of the cap too, within the sensor's: events in a storm.
EVENTS_SHARE = 0.3
SENSOR_SAVED_S = 20.0
# Two judgings on an idle machine at the default cap, so that a miner is judged at once although it comes in a storm;
# what they cost beyond that is paid off by the sensor, which slows down.
JUDGING_SAVED_S = 650.0
HELD_S = 600.0


@dataclass
class Cap:
    """Purses that are filled at 0.65 of the cap together, whatever happens.

    Over any stretch of W seconds both together spend at most `SENSOR_SHARE + JUDGING_SHARE` of the cap x W, and
    `burst_s` (one judging is never cut short). Over ten minutes that is no more than the cap as long as a judging takes
    no more than `largest_judging_s`.

    Args:
        ratio: of one core.
    """

    ratio: float
    steady: Callable[[], float] = time.monotonic
    sensor: Budget = field(init=False)
    events: Budget = field(init=False)
    judging: Budget = field(init=False)

    def __post_init__(self) -> None:
        self.sensor = Budget(self.ratio * SENSOR_SHARE, SENSOR_SAVED_S, self.steady)
        self.events = Budget(self.ratio * EVENTS_SHARE, SENSOR_SAVED_S, self.steady)
        self.judging = Budget(self.ratio * JUDGING_SHARE, JUDGING_SAVED_S, self.steady)
        self._loan = Loan(self.judging, self.sensor)

    def spend(self, cpu_s: float) -> None:
        """The lasting process has spent so much; while judging is in debt, half of its share goes there."""
        self.sensor.spend(cpu_s)
        self._loan.settle()

    def events_may(self, kept_ratio: float = 0.0) -> bool:
        """Whether events may be looked at: they leave half of what the sensor has saved to the jobs that come round.

        Args:
            kept_ratio: of the events' own savings, to be left as well.
        """
        return self.sensor.allows(self._for_jobs_s) and self.events.allows(
            self.events.rate * SENSOR_SAVED_S * kept_ratio
        )

    def events_wait_s(self, spent_s: float) -> float:
        """Seconds until events may spend as much as comes in `spent_s`."""
        wanted_s = self._for_jobs_s + self.sensor.rate * spent_s
        return max(self.sensor.wait_s(wanted_s), self.events.wait_s(self.events.rate * spent_s))

    def jobs_wait_s(self) -> float:
        """Seconds until jobs may go on; none as a rule."""
        return 0.0 if self.sensor.allows() else self.sensor.wait_s(self.sensor.rate)

    @property
    def _for_jobs_s(self) -> float:
        return self.sensor.rate * SENSOR_SAVED_S / 2

    @property
    def burst_s(self) -> float:
        """CPU seconds beyond the rate that may come at once, beside the judging that is under way."""
        return self.ratio * (SENSOR_SHARE * SENSOR_SAVED_S + JUDGING_SHARE * JUDGING_SAVED_S)

    @property
    def largest_judging_s(self) -> float:
        """The costliest judging with which the cap holds over ten minutes."""
        return self.ratio * (1 - SENSOR_SHARE - JUDGING_SHARE) * HELD_S - self.burst_s
