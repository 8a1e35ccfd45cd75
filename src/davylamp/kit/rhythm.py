"""Tests of instants: whether gaps have no memory, and whether messages follow others at a delay of their own."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

# A second part of an answer comes some fixed delay after the request, give or take its queueing.
DELAYS_S = tuple(0.08 * 1.3**step for step in range(17))
DELAY_SPREAD = (0.65, 1.55)
# One of so many delays would reach this by chance once in two times; from 7 on it is no accident (once in thirty).
UNLIKELY_FEWEST, UNLIKELY_CLEAR = math.log(2 * len(DELAYS_S)), 7.0


def exponential_distance(gaps_s: Sequence[float]) -> float:
    """Largest distance of the gaps' distribution from the exponential of their mean, by the root of their number.

    About 0.7 on average, 1.06 once in twenty times where the gaps have no memory (Lilliefors, JASA 64, 1969).
    """
    mean_s = sum(gaps_s) / len(gaps_s) if gaps_s else 0.0
    if mean_s <= 0:
        return math.sqrt(len(gaps_s))
    farthest = 0.0
    for rank, gap_s in enumerate(sorted(gaps_s)):
        expected = 1 - math.exp(-gap_s / mean_s)
        farthest = max(farthest, abs(expected - rank / len(gaps_s)), abs((rank + 1) / len(gaps_s) - expected))
    return farthest * math.sqrt(len(gaps_s))


def second_part_ratio(requests_s: Sequence[float], pushes_s: Sequence[float]) -> float:
    """How far pushes stand at one delay after a request, 0..1 beyond chance, at the delay where they do most.

    Args:
        requests_s, pushes_s: instants in order, at least one of each.
    """
    begin_s, end_s = min(requests_s[0], pushes_s[0]), max(requests_s[-1], pushes_s[-1])
    near, far = DELAY_SPREAD
    best = 0.0
    for delay_s in DELAYS_S:
        spans = _united([(moment_s + near * delay_s, moment_s + far * delay_s) for moment_s in requests_s])
        covered_s = sum(max(0.0, min(last_s, end_s) - first_s) for first_s, last_s in spans)
        begins = [first_s for first_s, _ in spans]
        inside = sum(
            (place := bisect_right(begins, moment_s)) > 0 and moment_s <= spans[place - 1][1] for moment_s in pushes_s
        )
        best = max(best, excess_ratio(inside, len(pushes_s), min(1.0, covered_s / max(end_s - begin_s, 1.0))))
    return best


def _united(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Spans in order of their beginnings, those that touch made one."""
    united: list[tuple[float, float]] = []
    for first_s, last_s in spans:
        if united and first_s <= united[-1][1]:
            united[-1] = (united[-1][0], max(last_s, united[-1][1]))
        else:
            united.append((first_s, last_s))
    return united


def excess_ratio(inside: int, count: int, chance: float) -> float:
    """Share inside beyond chance, 0..1, as far as it is no accident (Chernoff's bound on the binomial tail).

    Args:
        inside, count: how many of how many.
        chance: probability of each by itself.
    """
    share = inside / count
    if share <= chance or chance <= 0:
        return 0.0
    unlikely = share * math.log(share / chance)
    if share < 1:
        unlikely += (1 - share) * math.log((1 - share) / (1 - chance))
    told = (count * unlikely - UNLIKELY_FEWEST) / (UNLIKELY_CLEAR - UNLIKELY_FEWEST)
    return (share - chance) / (1 - chance) * min(1.0, max(0.0, told))
