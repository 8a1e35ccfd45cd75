"""The floor of a series and its episodes: pure arithmetic over five-minute means."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The detection's parameters, by the names its docstring explains."""

    floor_window_s: int
    floor_quantile: float
    floor_filled_ratio: float
    reference_window_s: int
    reference_least_s: int
    reference_quantile: float
    least_rise_ratio: float
    headroom_ratio: float
    rearm_s: int
    longest_step_s: int
    floor_least_count: int
    held_s: int

    @classmethod
    def of(cls, params: Mapping[str, object]) -> Thresholds:
        """Thresholds out of a detection's `params`."""
        values = {name: params[name] for name in cls.__dataclass_fields__}
        return cls(**values)  # type: ignore[arg-type]

    def at_step(self, step_s: int) -> Thresholds:
        """The same, with a floor window that holds enough samples at this step."""
        return replace(self, floor_window_s=max(self.floor_window_s, self.floor_least_count * step_s))


@dataclass(frozen=True, slots=True)
class Sample:
    """One five-minute mean."""

    at_s: int
    used_ratio: float


@dataclass(frozen=True, slots=True)
class Episode:
    """A stretch in which the floor stayed above what it was before.

    Args:
        ended_s: end of the last sample above; None while the series ends raised.
        reference_ratio: the floor before, frozen when the episode began.
        excess_ratio: mean of use above that reference, over the episode.
        floor_ratio: 10th percentile of use within the episode.
    """

    started_s: int
    ended_s: int | None
    last_s: int
    reference_ratio: float
    excess_ratio: float
    floor_ratio: float


class _Window:
    """Sorted values of a sliding window; quantiles interpolate linearly."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def add(self, value: float) -> None:
        insort(self.values, value)

    def drop(self, value: float) -> None:
        del self.values[bisect_left(self.values, value)]

    def quantile(self, share: float) -> float:
        return quantile(self.values, share)


def quantile(ordered: Sequence[float], share: float) -> float:
    """Quantile of sorted values, linear between neighbours."""
    rank = share * (len(ordered) - 1)
    below = int(rank)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (rank - below)


def step_of(samples: Sequence[Sample]) -> int:
    """The usual distance between samples, in seconds; five minutes at least, as they are means of that."""
    gaps = [later.at_s - earlier.at_s for earlier, later in pairwise(samples)]
    return max(300, int(median(gaps))) if gaps else 0


def floors(samples: Sequence[Sample], step_s: int, limits: Thresholds) -> list[float | None]:
    """10th percentile of the window up to each sample; None where the window is not filled."""
    needed = max(2.0, limits.floor_window_s / step_s * limits.floor_filled_ratio)
    window, oldest = _Window(), 0
    found: list[float | None] = []
    for sample in samples:
        window.add(sample.used_ratio)
        while samples[oldest].at_s <= sample.at_s - limits.floor_window_s:
            window.drop(samples[oldest].used_ratio)
            oldest += 1
        filled = len(window.values) >= needed
        found.append(window.quantile(limits.floor_quantile) if filled else None)
    return found


def references(
    samples: Sequence[Sample], lows: Sequence[float | None], step_s: int, limits: Thresholds
) -> list[float | None]:
    """Nearly the highest floor of the days that end one floor window before each sample."""
    needed = limits.reference_least_s / step_s * limits.floor_filled_ratio
    window, oldest, newest = _Window(), 0, 0
    found: list[float | None] = []
    for sample in samples:
        border_s = sample.at_s - limits.floor_window_s
        while samples[newest].at_s <= border_s:
            low = lows[newest]
            if low is not None:
                window.add(low)
            newest += 1
        while oldest < newest and samples[oldest].at_s <= border_s - limits.reference_window_s:
            low = lows[oldest]
            if low is not None:
                window.drop(low)
            oldest += 1
        enough = len(window.values) >= max(1.0, needed)
        found.append(window.quantile(limits.reference_quantile) if enough else None)
    return found


def level_of(reference_ratio: float, limits: Thresholds) -> float:
    """The level a floor must pass to count as raised over a reference."""
    return reference_ratio + max(limits.least_rise_ratio, limits.headroom_ratio * (1.0 - reference_ratio))


def episodes(samples: Sequence[Sample], limits: Thresholds) -> list[Episode]:
    """Episodes of a raised floor, in time order; alarms within the re-arm time belong to the last one."""
    step_s = step_of(samples)
    if not 0 < step_s <= limits.longest_step_s:
        return []
    limits = limits.at_step(step_s)
    lows = floors(samples, step_s, limits)
    past = references(samples, lows, step_s, limits)
    found: list[Episode] = []
    index = 0
    while index < len(samples):
        low, reference = lows[index], past[index]
        if low is None or reference is None or low <= level_of(reference, limits):
            index += 1
            continue
        end = _end_index(samples, lows, index, level_of(reference, limits), limits)
        if samples[end].at_s - samples[index].at_s < limits.held_s:
            index = end + 1
            continue
        episode = _episode(samples, index, end, reference, step_s, limits)
        previous = found[-1] if found else None
        if previous is not None and samples[index].at_s - (previous.ended_s or previous.last_s) < limits.rearm_s:
            index = end + 1
            continue
        found.append(episode)
        index = end + 1
    return found


def _end_index(
    samples: Sequence[Sample], lows: Sequence[float | None], index: int, level: float, limits: Thresholds
) -> int:
    """Last sample of the episode: the floor fell back, or the series went silent."""
    while index + 1 < len(samples):
        low = lows[index + 1]
        if samples[index + 1].at_s - samples[index].at_s > limits.floor_window_s or (low is not None and low <= level):
            break
        index += 1
    return index


def _episode(
    samples: Sequence[Sample], raised: int, end: int, reference: float, step_s: int, limits: Thresholds
) -> Episode:
    level = level_of(reference, limits)
    start = raised
    # The floor passes its level only when a window is full of raised samples: the rise itself is earlier.
    while (
        start > 0
        and samples[start - 1].used_ratio > level
        and samples[start].at_s - samples[start - 1].at_s <= 2 * step_s
    ):
        start -= 1
    last = end
    while last > raised and samples[last].used_ratio <= level:
        last -= 1
    used = sorted(sample.used_ratio for sample in samples[start : last + 1])
    excess = sum(max(0.0, value - reference) for value in used) / len(used)
    open_end = end == len(samples) - 1
    return Episode(
        started_s=samples[start].at_s,
        ended_s=None if open_end else samples[last].at_s + step_s,
        last_s=samples[last].at_s + step_s,
        reference_ratio=reference,
        excess_ratio=min(1.0, excess),
        floor_ratio=quantile(used, limits.floor_quantile),
    )
