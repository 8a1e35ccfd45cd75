"""Stretches of windows in which more CPU was spent than is accounted for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from davylamp.kit.detection import Row
from davylamp.kit.findings import number_of

# Windows further apart than this many of their own lengths belong to different looks.
APART_COUNT = 3.0


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch that holds.

    Args:
        cpus: CPUs that were spent and not accounted for, the median of its windows.
        cpu_s_per_start: seconds of CPU that each process or thread begun meanwhile would have had to use unseen;
            None where starts were not counted.
    """

    rows: tuple[Row, ...]
    cpus: float
    length_s: float
    cpu_s_per_start: float | None


def stretches(
    rows: Sequence[Row], windows_count: int, seconds_least: float, held_ratio: float, gapes: Callable[[Row], bool]
) -> list[Gap]:
    """Where, of each run of enough windows, so large a share gapes; runs that overlap are one stretch."""
    found: list[Gap] = []
    for look in _looks(rows):
        marks = [gapes(row) for row in look]
        held = [False] * len(look)
        first = 0
        for last in range(len(look)):
            while _enough(look, first + 1, last, windows_count, seconds_least):
                first += 1
            if _enough(look, first, last, windows_count, seconds_least):
                share = sum(marks[first : last + 1]) / (last + 1 - first)
                if share >= held_ratio:
                    held[first : last + 1] = [True] * (last + 1 - first)
        found.extend(_gap(look[begin:end]) for begin, end in _runs(held))
    return found


def missing_cpus(row: Row) -> float:
    """CPUs spent in a window and not accounted for."""
    return number_of(row, "spent_cpus") - number_of(row, "visible_cpus")


def _enough(look: Sequence[Row], first: int, last: int, windows_count: int, seconds_least: float) -> bool:
    if last + 1 - first < windows_count:
        return False
    return (
        number_of(look[last], "time_s") + number_of(look[last], "period_s") - number_of(look[first], "time_s")
        >= seconds_least
    )


def _looks(rows: Sequence[Row]) -> list[list[Row]]:
    looks: list[list[Row]] = []
    ends_s = float("-inf")
    for row in sorted(rows, key=lambda each: number_of(each, "time_s")):
        at_s, length_s = number_of(row, "time_s"), number_of(row, "period_s")
        if at_s > ends_s + APART_COUNT * length_s:
            looks.append([])
        looks[-1].append(row)
        ends_s = at_s + length_s
    return looks


def _runs(held: Sequence[bool]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for place, holds in enumerate(held):
        if holds and (not runs or runs[-1][1] != place):
            runs.append((place, place + 1))
        elif holds:
            runs[-1] = (runs[-1][0], place + 1)
    return runs


def _gap(rows: Sequence[Row]) -> Gap:
    lengths = [number_of(row, "period_s") for row in rows]
    missing_s = sum(max(0.0, missing_cpus(row)) * length for row, length in zip(rows, lengths, strict=True))
    starts = [row.get("started_count") for row in rows]
    counted = [each for each in starts if isinstance(each, int)]
    return Gap(
        rows=tuple(rows),
        cpus=median(missing_cpus(row) for row in rows),
        length_s=number_of(rows[-1], "time_s") + lengths[-1] - number_of(rows[0], "time_s"),
        cpu_s_per_start=missing_s / max(1, sum(counted)) if len(counted) == len(rows) else None,
    )
