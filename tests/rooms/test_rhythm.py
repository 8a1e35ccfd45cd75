"""Tests of instants that know what they tell apart: memoryless gaps and timers, second parts and free pushes."""

from __future__ import annotations

import itertools
import random

import pytest

from davylamp.kit.emulation.message import exponential_instants, periodic_instants
from davylamp.kit.rhythm import excess_ratio, exponential_distance, second_part_ratio


def gaps(instants: list[float]) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(instants)]


def test_memoryless_gaps_are_within_the_published_bound_as_often_as_it_says() -> None:
    """Lilliefors' 95 % point for the exponential is 1.06 over the root of the number, for large numbers."""
    draws = [random.Random(seed) for seed in range(600)]
    distances = [exponential_distance([draw.expovariate(1 / 5) for _ in range(40)]) for draw in draws]
    assert 0.02 <= sum(distance > 1.06 for distance in distances) / len(distances) <= 0.09


def test_a_timer_is_far_from_memoryless() -> None:
    assert all(
        exponential_distance(gaps(periodic_instants(random.Random(seed), 5.0, 0, 60))) > 1.5 for seed in range(20)
    )


@pytest.mark.parametrize("delay_s", [0.15, 0.6, 2.0])
def test_second_parts_stand_at_their_delay_and_jobs_do_not(delay_s: float) -> None:
    told, free = 0, 0
    for seed in range(60):
        draw = random.Random(seed)
        requests = exponential_instants(draw, 6.0, 0, 120)
        parts = sorted(moment_s + delay_s * draw.lognormvariate(0, 0.2) for moment_s in requests)
        told += second_part_ratio(requests, parts) > 0.5
        free += second_part_ratio(requests, periodic_instants(draw, 15.0, 0, 120)) > 0.5
    assert told >= 55
    assert free <= 3


def test_what_no_accident_explains_counts_in_full_and_chance_counts_for_nothing() -> None:
    assert excess_ratio(20, 20, 0.1) == 1.0
    assert excess_ratio(2, 20, 0.1) == 0.0
    assert excess_ratio(1, 1, 0.5) == 0.0


@pytest.mark.parametrize("instants", [[1.0], [1.0, 1.0, 1.0], [0.0, 1e9]])
def test_odd_instants_are_judged_without_a_crash(instants: list[float]) -> None:
    assert 0 <= second_part_ratio(instants, instants) <= 1
    assert exponential_distance(gaps(instants)) >= 0
    assert exponential_distance([]) == 0
