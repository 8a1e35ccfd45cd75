"""Windows of use: clipped at the end of the evidence, and made disjoint so that nothing is priced twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from davylamp.model.usage import ComputeUsage

# Files of one scan end at different times; a use seen in the last hour of all evidence still runs.
RUNNING_SLACK = timedelta(hours=1)
# As between links of one story: what ended more than a day before all evidence says nothing of now.
STALE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of time in which one usage says what was used."""

    usage: ComputeUsage
    started_at: datetime
    ended_at: datetime
    running: bool

    @property
    def hours(self) -> float:
        """Length in hours."""
        return (self.ended_at - self.started_at).total_seconds() / 3600.0


def _end_of(usage: ComputeUsage, now_at: datetime) -> datetime:
    return now_at if usage.ended_at is None else min(usage.ended_at, now_at)


def _weight(usage: ComputeUsage) -> tuple[bool, float, str, str]:
    """A measured share beats an unmeasured one; of two measured the larger; then a stable order."""
    return usage.share_ratio is not None, usage.share_ratio or 0.0, usage.instance_type, usage.basis


def close_known_ends(usages: Sequence[ComputeUsage]) -> list[ComputeUsage]:
    """Cuts an open window at the end that another record of the same resource knows."""
    ends = [(usage.started_at, usage.ended_at) for usage in usages if usage.ended_at is not None]
    closed: list[ComputeUsage] = []
    for usage in usages:
        known = [end for start, end in ends if start <= usage.started_at < end] if usage.ended_at is None else []
        closed.append(replace(usage, ended_at=max(known)) if known else usage)
    return closed


def stopped_at(usages: Iterable[ComputeUsage], ended_at: datetime) -> list[ComputeUsage]:
    """Cuts every window where the control plane says that the machine was stopped or terminated."""
    return [
        replace(usage, ended_at=ended_at)
        if usage.started_at < ended_at and (usage.ended_at is None or usage.ended_at > ended_at)
        else usage
        for usage in usages
    ]


def at_rest(segments: Sequence[Segment], ended_at: datetime) -> list[Segment]:
    """The same, not running: a known end is no silence of the evidence, so it has no slack."""
    return [replace(each, running=each.running and each.ended_at > ended_at) for each in segments]


def disjoint_segments(usages: Iterable[ComputeUsage], seen_until: datetime, now_at: datetime) -> list[Segment]:
    """Segments in time order in which the weightiest usage of each moment stands for all.

    Several findings that speak of one machine at one time speak of the same theft. It still runs when it was seen at
    the end of what could have shown it, and that is not long ago.
    """
    live = [usage for usage in usages if usage.started_at < _end_of(usage, seen_until)]
    borders = sorted({usage.started_at for usage in live} | {_end_of(usage, seen_until) for usage in live})
    segments: list[Segment] = []
    for start, until in pairwise(borders):
        active = [usage for usage in live if usage.started_at <= start and _end_of(usage, seen_until) >= until]
        if active:
            _extend(segments, Segment(_together(active), start, until, running=False))
    recent = seen_until >= now_at - STALE
    if recent and segments and segments[-1].ended_at >= seen_until - RUNNING_SLACK:
        segments[-1] = replace(segments[-1], running=True)
    return segments


def with_just_begun(segments: list[Segment], usages: Iterable[ComputeUsage], now_at: datetime) -> list[Segment]:
    """Also what began at the last instant: a trail often ends with the launch. Nothing is billed yet, and it runs."""
    begun = [usage for usage in usages if usage.ended_at is None and usage.started_at == now_at]
    if not begun or any(segment.running for segment in segments):
        return segments
    return [*segments, Segment(_together(begun), now_at, now_at, running=True)]


def _together(active: Sequence[ComputeUsage]) -> ComputeUsage:
    """The weightiest usage, or what several processes of one machine were measured to take together."""
    heaviest = max(active, key=_weight)
    by_process: dict[str, ComputeUsage] = {}
    for usage in active:
        if usage.model == "stolen" and usage.resource and usage.share_ratio is not None:
            known = by_process.get(usage.resource)
            by_process[usage.resource] = usage if known is None else max(known, usage, key=_weight)
    share = min(1.0, sum(usage.share_ratio or 0.0 for usage in by_process.values()))
    if len(by_process) < 2 or share <= (heaviest.share_ratio or 0.0):
        return heaviest
    said = "; ".join(by_process[name].basis for name in sorted(by_process))
    return replace(by_process[min(by_process)], share_ratio=share, resource="", basis=said)


def _extend(segments: list[Segment], segment: Segment) -> None:
    if segments and segments[-1].usage == segment.usage and segments[-1].ended_at == segment.started_at:
        segments[-1] = replace(segments[-1], ended_at=segment.ended_at)
    else:
        segments.append(segment)
