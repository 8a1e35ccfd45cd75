"""The three spans over which a floor is looked at, and the samples each of them takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from davylamp.catalog.detections.cpu_floor_raised.floor import Episode, Sample, Thresholds, episodes
from davylamp.kit.findings import number_of, whole_of

_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Scale:
    """One span.

    Args:
        limits: its thresholds.
        by_hour: whether it looks at hourly means, in which a miner's pauses within the hour vanish.
    """

    limits: Thresholds
    by_hour: bool = False

    def episodes(self, samples: Sequence[Sample]) -> list[Episode]:
        """Episodes of a series, in time order."""
        return episodes(hourly(samples) if self.by_hour else samples, self.limits)


def scales_of(params: Mapping[str, object]) -> tuple[Scale, ...]:
    """The quick, the slow and the hourly scale, in the order in which they speak of the same."""
    quick = Thresholds.of(params)
    slow = replace(
        quick,
        floor_window_s=whole_of(params, "slow_window_s"),
        least_rise_ratio=number_of(params, "slow_rise_ratio"),
        held_s=whole_of(params, "slow_held_s"),
    )
    by_hour = replace(
        quick,
        floor_window_s=whole_of(params, "slow_window_s"),
        floor_quantile=number_of(params, "hourly_quantile"),
        headroom_ratio=number_of(params, "hourly_headroom_ratio"),
        reference_least_s=whole_of(params, "hourly_reference_least_s"),
        held_s=whole_of(params, "slow_held_s"),
    )
    return Scale(quick), Scale(slow), Scale(by_hour, by_hour=True)


def by_scale(scales: Sequence[Scale], samples: Sequence[Sample]) -> list[list[Episode]]:
    """Episodes of each scale, without the quick ones that are but parts of a slow one.

    A job of two hours that runs each night is part of the quick scale's reference: of a miner that takes less than the
    job did, that scale then sees the hour in which both compute, and would date and price the theft by it.
    """
    quick, slow, *others = (scale.episodes(samples) for scale in scales)
    return [[episode for episode in quick if not _is_part(episode, quick, slow)], slow, *others]


def _is_part(episode: Episode, quick: Sequence[Episode], slow: Sequence[Episode]) -> bool:
    """Whether a slow episode lasted over twice as long as all that the quick scale saw in its time."""
    for longer in slow:
        if longer.started_s <= episode.started_s and episode.last_s <= longer.last_s:
            seen_s = sum(
                each.last_s - each.started_s for each in quick if longer.started_s <= each.started_s < longer.last_s
            )
            return longer.last_s - longer.started_s > 2 * seen_s
    return False


def hourly(samples: Sequence[Sample]) -> list[Sample]:
    """Means of whole hours; an hour with fewer than three quarters of the usual samples is a gap."""
    values: dict[int, list[float]] = {}
    for sample in samples:
        values.setdefault(sample.at_s // _HOUR_S * _HOUR_S, []).append(sample.used_ratio)
    usual = max((len(held) for held in values.values()), default=0)
    return [Sample(at_s, sum(held) / len(held)) for at_s, held in values.items() if 4 * len(held) >= 3 * usual]
