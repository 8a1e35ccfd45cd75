"""The cap holds over any ten minutes, and over any shorter time but for a burst that is stated."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from davylamp.agent import sensor
from davylamp.agent.budget import Meter
from davylamp.agent.cap import HELD_S, JUDGING_SHARE, SENSOR_SHARE, Cap
from davylamp.agent.jobs import Jobs
from davylamp.agent.judge_trigger import LONGEST_S, SUREST_S, JudgeTrigger
from davylamp.agent.process_windows import Burner

BATCH_S = 0.01
NEVER_S = 1e9
JOBS = (
    (sensor.TICK_S, sensor.TICK_SHARE),
    (sensor.CPU_S, sensor.PROCESSES_SHARE),
    (sensor.SOCKETS_S, sensor.SOCKETS_SHARE),
    *[(each_s, sensor.SMALL_SHARE) for each_s in (sensor.LOGS_S, sensor.LOSSES_S, *[sensor.MINUTE_S] * 3)],
    (sensor.HIDDEN_S, sensor.SMALL_SHARE),
)


@dataclass
class Storm:
    """A watch whose clocks are played: real purses, jobs and trigger, whatever the machine asks of them.

    Args:
        job_s: CPU seconds of the costliest run of a job.
        judging_s: of each judging.
        burning_s: a further process begins to burn this often.
        miner_at_s: when one more begins that burns on.
    """

    ratio: float
    seed: int
    job_s: float
    judging_s: float
    burning_s: float
    miner_at_s: float = NEVER_S
    clock: float = 0.0
    cpu_s: float = 0.0
    spent: list[tuple[float, float]] = field(default_factory=list)
    judged_at_s: list[float] = field(default_factory=list)

    def play(self, seconds: int) -> None:
        chance = random.Random(self.seed)
        cap = Cap(self.ratio, lambda: self.clock)
        jobs = Jobs(lambda job: None, lambda: self.clock, Meter(lambda: self.cpu_s), cap.jobs_wait_s)
        for every_s, share in JOBS:
            jobs.add("job", lambda: self._use(chance.uniform(0, self.job_s)), every_s, self.ratio * share)
        trigger = JudgeTrigger(cap.judging)
        trigger.judged(self.judging_s)  # the one that belongs to the start
        whole = Meter(lambda: self.cpu_s)
        while self.clock < seconds:
            self.clock += 0.25
            jobs.run_due()
            for _ in range(chance.randrange(20)):
                if cap.events_may():
                    used = chance.uniform(0, BATCH_S)
                    self._use(used)
                    cap.events.spend(used)
            cap.spend(whole.take())
            self._judge(trigger)

    def _judge(self, trigger: JudgeTrigger) -> None:
        number = int(self.clock // self.burning_s)
        burners = {number: self._burner(number, number * self.burning_s)} if self.burning_s < NEVER_S else {}
        if self.clock > self.miner_at_s:
            burners[-1] = self._burner(-1, self.miner_at_s)
        if trigger.due(self.clock, burners):
            trigger.judging(self.clock, burners)
            self.spent.append((self.clock, self.judging_s))
            self.judged_at_s.append(self.clock)
            trigger.judged(self.judging_s)

    def _burner(self, pid: int, since_s: float) -> Burner:
        return Burner(pid, 1, since_s, self.clock, self.clock - since_s)

    def _use(self, cpu_s: float) -> None:
        self.cpu_s += cpu_s
        self.spent.append((self.clock, cpu_s))

    def most_within(self, window_s: float) -> float:
        """The most that any window of this length holds."""
        most = total = 0.0
        first = 0
        for at, used in self.spent:
            total += used
            while self.spent[first][0] <= at - window_s:
                total -= self.spent[first][1]
                first += 1
            most = max(most, total)
        return most


STORMS = {
    "ratio": st.sampled_from((0.01, 0.02, 0.05)),
    "seed": st.integers(0, 10_000),
    "job_s": st.floats(0.001, 0.3),
    "judging_part": st.floats(0.1, 1.0),
    "burning_s": st.floats(12.0, 600.0),
}


@settings(max_examples=25, deadline=None)
@given(**STORMS)
@example(ratio=0.02, seed=1, job_s=0.3, judging_part=1.0, burning_s=26.0)
def test_over_any_time_no_more_is_spent_than_the_rate_and_the_stated_burst(
    ratio: float, seed: int, job_s: float, judging_part: float, burning_s: float
) -> None:
    cap = Cap(ratio)
    judging_s = cap.largest_judging_s * judging_part
    storm = Storm(ratio, seed, job_s, judging_s, burning_s)
    storm.play(2400)
    # What is under way is not cut short: one run of each job, one batch of events.
    slack_s = job_s * len(JOBS) + BATCH_S
    for window_s in (1.0, 60.0, 300.0, HELD_S):
        rate = ratio * (SENSOR_SHARE + JUDGING_SHARE)
        assert storm.most_within(window_s) <= rate * window_s + cap.burst_s + judging_s + slack_s
    assert storm.most_within(HELD_S) <= ratio * HELD_S + slack_s
    gaps = [later - earlier for earlier, later in itertools.pairwise((0.0, *storm.judged_at_s))]
    assert max(gaps) <= LONGEST_S + 1


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("judging_s", [0.9, 1.5, 2.0])
def test_a_miner_in_a_storm_is_judged_within_its_first_minute(seed: int, judging_s: float) -> None:
    """Nothing but the storm burns, as short processes do not live to be burners; then somebody begins to mine."""
    storm = Storm(0.02, seed, 0.05, judging_s, NEVER_S, miner_at_s=700.0)
    storm.play(1300)
    assert any(700 + 25 <= at <= 700 + SUREST_S + 1 for at in storm.judged_at_s)


def test_what_the_default_cap_promises() -> None:
    """The figures of docs/how-to/watch-a-host.md."""
    cap = Cap(0.02)
    assert cap.burst_s == pytest.approx(2.15)
    assert cap.largest_judging_s == pytest.approx(2.05)
