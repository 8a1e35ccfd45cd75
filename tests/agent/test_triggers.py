"""The cheap triggers bring looks forward and are never the reason of a miss; the budget holds."""

from __future__ import annotations

import itertools
import random

import pytest

from davylamp.agent.budget import Budget, Meter
from davylamp.agent.jobs import LONGEST_WAIT_S, Job, Jobs
from davylamp.agent.judge_trigger import AGES_S, SUREST_S, JudgeTrigger
from davylamp.agent.judge_trigger import LONGEST_S as JUDGED_EVERY_S
from davylamp.agent.pass_trigger import LEAST_CPU_RATIO, LONGEST_S, SHORTEST_S, PassTrigger
from davylamp.agent.process_windows import Burner
from davylamp.agent.procfs import MachineTime


def machine(at_s: float, processes_s: float) -> MachineTime:
    return MachineTime(at_s, processes_s, processes_s, at_s * 2)


def passes(spent: list[float], step_s: float = 5.0) -> list[float]:
    """Instants of passes while the machine's counter goes through these values."""
    trigger = PassTrigger()
    made = []
    for number, processes_s in enumerate(spent):
        now = machine(number * step_s, processes_s)
        if trigger.due(now):
            trigger.passed(now)
            made.append(now.at_s)
    return made


@pytest.mark.parametrize("seed", range(20))
def test_no_process_burns_unread_for_longer_than_a_minute_whatever_the_counter_says(seed: int) -> None:
    """The counter may stand still, go back or be another machine's: passes come once a minute all the same."""
    chance = random.Random(seed)
    lying = [chance.choice([0.0, 5.0, chance.uniform(0, 1e6)]) for _ in range(200)]
    made = passes(lying)
    assert max(later - earlier for earlier, later in itertools.pairwise(made)) <= LONGEST_S + 5
    assert made[-1] >= 199 * 5 - LONGEST_S - 5


@pytest.mark.parametrize("seed", range(20))
def test_whoever_burns_more_than_the_least_is_read_at_the_next_chance(seed: int) -> None:
    """What one process burns is part of what all processes spent, so the trigger cannot fall below it."""
    chance = random.Random(seed)
    burned_s = chance.uniform(LEAST_CPU_RATIO * 1.01, 2.0)
    others = [chance.uniform(0, 0.02) for _ in range(100)]
    spent, total = [], 0.0
    for other in others:
        total += (burned_s + other) * SHORTEST_S
        spent.append(total)
    assert passes(spent, SHORTEST_S) == [number * SHORTEST_S for number in range(100)]


def test_an_idle_machine_is_passed_over_once_a_minute() -> None:
    made = passes([number * 0.05 for number in range(121)])
    assert made == [0.0, 60.0, 120.0, 180.0, 240.0, 300.0, 360.0, 420.0, 480.0, 540.0, 600.0]


def judgings(budget: Budget, clock: list[float], burner: Burner | None, seconds: int, cost_s: float) -> list[float]:
    trigger = JudgeTrigger(budget)
    trigger.judged(cost_s)  # the one that belongs to the start
    made = []
    for second in range(seconds):
        clock[0] = float(second)
        burners = {}
        if burner is not None and second >= burner.since_s:
            burner.spent_s = second - burner.since_s
            burners = {burner.pid: burner}
        if trigger.due(clock[0], burners):
            trigger.judging(clock[0], burners)
            trigger.judged(cost_s)
            made.append(clock[0])
    return made


def test_judging_comes_every_five_minutes_however_empty_the_budget() -> None:
    clock = [0.0]
    budget = Budget(0.001, 10.0, lambda: clock[0])
    made = judgings(budget, clock, None, 3600, 50.0)
    gaps = [later - earlier for earlier, later in itertools.pairwise(made)]
    assert made[0] <= JUDGED_EVERY_S + 1
    assert max(gaps) <= 300
    assert max(gaps) <= JUDGED_EVERY_S + 1


def test_a_process_that_begins_to_burn_is_judged_within_a_minute_and_not_for_ever() -> None:
    clock = [0.0]
    made = judgings(Budget(0.005, 480.0, lambda: clock[0]), clock, Burner(7, 1, 100.0, 100.0), 2000, 1.0)
    early = [at for at in made if 100 <= at <= 160]
    assert early == [100 + AGES_S[0], 100 + SUREST_S]  # for one between them nothing would be left for another process
    assert len(made) <= 2000 / JUDGED_EVERY_S + len(AGES_S) + 1


def test_where_one_judging_is_all_that_can_be_paid_it_is_the_surest_within_the_minute() -> None:
    """On a loaded machine one judging took 4 s of CPU; made 25 s after the start it left none for what TLS needs."""
    clock = [0.0]
    trigger = JudgeTrigger(Budget(0.005, 480.0, lambda: clock[0]))
    trigger.judged(4.0)  # the one that belongs to the start
    made = []
    for second in range(200):
        clock[0] = float(second)
        burner = Burner(7, 1, 60.0, float(second), second - 60.0)
        if trigger.due(clock[0], {7: burner} if second > 60 else {}):
            trigger.judging(clock[0], {7: burner})
            trigger.judged(4.0)
            made.append(second - 60)
    assert made == [SUREST_S]


def test_judging_brought_forward_stays_within_its_budget() -> None:
    """A build server begins to burn anew all the time."""
    clock = [0.0]
    trigger = JudgeTrigger(Budget(0.005, 480.0, lambda: clock[0]))
    made_count = 0
    for second in range(3600):
        clock[0] = float(second)
        burners = {second // 25: Burner(second // 25, 1, second // 25 * 25.0, float(second), 25.0)}
        if trigger.due(clock[0], burners):
            trigger.judging(clock[0], burners)
            trigger.judged(1.0)
            made_count += 1
    # What it saved, what it earned, and the judgings that come in any case.
    assert made_count <= 480 * 0.005 + 3600 * 0.005 + 3600 / JUDGED_EVERY_S + 2


def test_a_changed_file_is_judged_soon() -> None:
    clock = [0.0]
    trigger = JudgeTrigger(Budget(0.005, 480.0, lambda: clock[0]))
    trigger.due(0.0, {})
    trigger.file_changed(5.0)
    assert trigger.due(12.0, {}) == ""
    assert trigger.due(20.0, {}) == "a watched file changed"
    trigger.judging(20.0, {})
    assert trigger.due(60.0, {}) == ""


def test_a_purse_fills_at_its_rate_and_debts_are_paid_first() -> None:
    clock = [0.0]
    purse = Budget(0.02, 30.0, lambda: clock[0])
    assert purse.left_s == pytest.approx(0.6)
    purse.spend(1.0)
    assert not purse.allows()
    assert purse.wait_s() == pytest.approx(20.0)
    clock[0] = 21.0
    assert purse.allows()
    clock[0] = 10_000.0
    assert purse.allows(0.59)
    assert not purse.allows(0.61)


def test_a_job_that_costs_more_than_its_share_comes_later_and_says_so() -> None:
    clock, cpu = [0.0], [0.0]
    said: list[tuple[str, bool]] = []

    def costly() -> None:
        cpu[0] += 0.1

    def slowed(job: Job) -> None:
        said.append((job.name, job.slowed))

    jobs = Jobs(slowed, lambda: clock[0], Meter(lambda: cpu[0]))
    job = jobs.add("costly", costly, 2.0, 0.005)
    total_s = 0.0
    for _ in range(300):
        clock[0] += 1.0
        total_s += jobs.run_due()
    assert job.interval_s == pytest.approx(20.0)
    assert total_s <= 300 * 0.005 + 0.2
    assert said == [("costly", True)]
    assert jobs.wait_s() <= 20.0


def test_jobs_wait_while_too_much_has_been_spent_and_none_waits_for_ever() -> None:
    clock, pause = [0.0], [0.0]
    ran: list[float] = []
    jobs = Jobs(lambda job: None, lambda: clock[0], pause_s=lambda: pause[0])
    jobs.add("look", lambda: ran.append(clock[0]), 5.0, 0.01)
    for second in range(200):
        clock[0], pause[0] = float(second), 1.0 if 20 <= second < 100 else 0.0
        jobs.run_due()
    assert ran == [0, 5, 10, 15, 50, 85, *range(100, 200, 5)]
    assert LONGEST_WAIT_S == 30


def test_a_job_that_is_due_runs_though_the_clock_goes_on_while_it_is_asked() -> None:
    """A clock that had moved on between two readings of it kept every job back for half a minute."""
    ticks = itertools.count()
    ran: list[int] = []
    jobs = Jobs(lambda job: None, lambda: next(ticks) / 1e6)
    jobs.add("look", lambda: ran.append(1), 5.0, 0.01)
    jobs.run_due()
    assert ran == [1]
