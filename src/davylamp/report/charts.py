"""Geometry of the page's drawings: where each mark stands, in percent, so that text keeps its size at any width."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from davylamp.report.wording import Record, instant_of

MARKS_SHOWN_COUNT = 400
LANES_SHOWN_COUNT = 14
ROWS_SHOWN_COUNT = 8
MARK_WIDTH_PERCENT = 4.0
STEMS_SHOWN_COUNT = 400
POINTS_SHOWN_COUNT = 700
REST_LANE = "others"
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400
_STEPS_S = (
    *(1, 5, 15, _MINUTE_S, 2 * _MINUTE_S, 5 * _MINUTE_S, 15 * _MINUTE_S, 30 * _MINUTE_S),
    *(_HOUR_S, 3 * _HOUR_S, 6 * _HOUR_S, 12 * _HOUR_S),
    *(_DAY_S, 2 * _DAY_S, 7 * _DAY_S, 30 * _DAY_S, 90 * _DAY_S, 365 * _DAY_S),
)
_TICKS_COUNT = 6


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment on the axis."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A finding on a row, from `x` over `width` percent."""

    x: float
    width: float
    row: int
    finding: Record


@dataclass(frozen=True, slots=True)
class Lane:
    """A named lane of as many rows as its marks need to stand apart."""

    name: str
    first_row: int
    rows_count: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """Findings on lanes over one time axis."""

    lanes: tuple[Lane, ...]
    rows_count: int
    ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...]
    left_out_count: int
    day: str


@dataclass(frozen=True, slots=True)
class Stem:
    """One message of a dialogue: up from us, down from the server."""

    x: float
    height: float
    ours: bool


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The messages of one flow over time."""

    stems: tuple[Stem, ...]
    ticks: tuple[Tick, ...]
    total_count: int
    largest_up_bytes: int
    largest_down_bytes: int
    cut_at_bytes: int


@dataclass(frozen=True, slots=True)
class Level:
    """A named level, `y` percent from the top; `label_y` keeps labels apart."""

    y: float
    label_y: float
    text: str


@dataclass(frozen=True, slots=True)
class Curve:
    """A used share over time, with its levels."""

    points: tuple[tuple[float, float], ...]
    ticks: tuple[Tick, ...]
    levels: tuple[Level, ...]
    day: str


def timeline(
    findings: Sequence[Record], lane_of: Callable[[Record], str], order: Sequence[str] = ()
) -> Timeline | None:
    """Findings drawn on lanes; None when there is nothing to draw."""
    if not findings:
        return None
    shown = findings[:MARKS_SHOWN_COUNT]
    begins = [instant_of(item["first_seen"]).timestamp() for item in shown]
    ends = [instant_of(item["last_seen"]).timestamp() for item in shown]
    start_s, end_s = _padded(min(begins), max(ends))
    spans = [
        (_percent(begin, start_s, end_s), _percent(end, start_s, end_s), item)
        for item, begin, end in zip(shown, begins, ends, strict=True)
    ]
    names = _lane_names([lane_of(item) for item in shown], order)
    grouped = [(name, [span for span in spans if lane_of(span[2]) == name]) for name in names]
    grouped.append((REST_LANE, [span for span in spans if lane_of(span[2]) not in names]))
    lanes: list[Lane] = []
    marks: list[Mark] = []
    for name, mine in grouped:
        if mine:
            first_row = lanes[-1].first_row + lanes[-1].rows_count if lanes else 0
            placed = _placed(mine, first_row)
            marks += placed
            lanes.append(Lane(name, first_row, max(mark.row for mark in placed) - first_row + 1))
    return Timeline(
        tuple(lanes),
        lanes[-1].first_row + lanes[-1].rows_count,
        _time_ticks(start_s, end_s),
        tuple(marks),
        len(findings) - len(shown),
        _days(start_s, end_s),
    )


def _placed(spans: list[tuple[float, float, Record]], first_row: int) -> list[Mark]:
    """Marks on the first row where they touch no other; what finds none shares the last."""
    free_from: list[float] = []
    marks = []
    for begin, end, item in sorted(spans, key=lambda span: span[0]):
        row = next((number for number, edge in enumerate(free_from) if begin >= edge), len(free_from))
        row = min(row, ROWS_SHOWN_COUNT - 1)
        if row == len(free_from):
            free_from.append(0.0)
        free_from[row] = max(begin, end) + MARK_WIDTH_PERCENT
        marks.append(Mark(begin, round(max(0.0, end - begin), 3), first_row + row, item))
    return marks


def _lane_names(names: list[str], order: Sequence[str]) -> list[str]:
    """Lanes in the given order, then by how much is on them; what is left over shares one more."""
    counted = sorted(set(names) - set(order), key=lambda name: (-names.count(name), name))
    wanted = [name for name in order if name in names] + counted
    return wanted if len(wanted) <= LANES_SHOWN_COUNT else wanted[: LANES_SHOWN_COUNT - 1]


def rhythm(series: Record) -> Rhythm | None:
    """A stem plot of signed message sizes; the first `STEMS_SHOWN_COUNT`, since thinning would break the rhythm."""
    points = _finite(series)
    if not points:
        return None
    shown = points[:STEMS_SHOWN_COUNT]
    start, end = shown[0][0], max(shown[-1][0], shown[0][0] + 1.0)
    sizes = sorted(abs(size) for _, size in shown)
    # A TLS handshake is ten times a share: drawn to its scale, the rhythm itself would be flat.
    tallest = max(1.0, min(sizes[-1], 1.2 * sizes[math.floor(0.95 * (len(sizes) - 1))]))
    stems = tuple(
        Stem(round(1.5 + 97 * (at - start) / (end - start), 3), round(46 * min(1.0, abs(size) / tallest), 2), size >= 0)
        for at, size in shown
    )
    step = _step(end - start)
    ticks = tuple(
        Tick(round(1.5 + 97 * number * step / (end - start), 3), _seconds(number * step))
        for number in range(int((end - start) / step) + 1)
    )
    up = max((size for _, size in shown), default=0.0)
    down = max((-size for _, size in shown), default=0.0)
    cut_at = int(tallest) if sizes[-1] > tallest else 0
    return Rhythm(stems, ticks, len(points), int(max(0.0, up)), int(max(0.0, down)), cut_at)


def cpu_curve(series: Record) -> Curve | None:
    """The used share with its levels; long series keep each stretch's lowest and highest point."""
    points = _finite(series)
    if len(points) < 2:
        return None
    start_s, end_s = points[0][0], max(points[-1][0], points[0][0] + 1.0)
    top = max(1.0, *(share for _, share in points))
    drawn = tuple(
        (round(1000 * (at - start_s) / (end_s - start_s), 1), round(100 - 100 * max(0.0, share) / top, 2))
        for at, share in _thinned(points)
    )
    levels: list[Level] = []
    named = [(name, level) for name, level in series["levels"].items() if _is_number(level)]
    for name, level in sorted(named, key=lambda pair: -pair[1]):
        y = round(min(100.0, max(0.0, 100 - 100 * level / top)), 2)
        # A label stands on its line; where the frame leaves no room above, it hangs below.
        label_y = max(y, levels[-1].label_y + 14) if levels else y if y >= 12.0 else y + 13.0
        levels.append(Level(y, round(label_y, 2), f"{name.replace('_', ' ')} {level * 100:.0f} %"))
    return Curve(drawn, _time_ticks(start_s, end_s), tuple(levels), _days(start_s, end_s))


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    if len(points) <= POINTS_SHOWN_COUNT:
        return points
    size = math.ceil(2 * len(points) / POINTS_SHOWN_COUNT)
    kept: list[tuple[float, float]] = []
    for start in range(0, len(points), size):
        stretch = points[start : start + size]
        lowest = min(stretch, key=lambda point: point[1])
        highest = max(stretch, key=lambda point: point[1])
        kept += sorted({lowest, highest})
    return kept


def _finite(series: Record) -> list[tuple[float, float]]:
    """The points that are numbers, in time order."""
    pairs = [(x, y) for x, y in zip(series["x"], series["y"], strict=False) if _is_number(x) and _is_number(y)]
    return sorted(pairs, key=lambda pair: pair[0])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _padded(start_s: float, end_s: float) -> tuple[float, float]:
    margin_s = max(30.0, (end_s - start_s) * 0.05)
    return start_s - margin_s, end_s + margin_s


def _percent(at_s: float, start_s: float, end_s: float) -> float:
    return round(100 * (at_s - start_s) / (end_s - start_s), 3)


def _step(length_s: float) -> float:
    return next((step for step in _STEPS_S if length_s / step <= _TICKS_COUNT), math.ceil(length_s / _TICKS_COUNT))


def _time_ticks(start_s: float, end_s: float) -> tuple[Tick, ...]:
    step_s = _step(end_s - start_s)
    pattern = "%H:%M:%S" if step_s < 60 else "%H:%M" if step_s < 86400 else "%d %b" if step_s < 90 * 86400 else "%b %Y"
    first = math.ceil(start_s / step_s)
    moments = [number * step_s for number in range(first, math.floor(end_s / step_s) + 1)]
    texts = [datetime.fromtimestamp(at_s, UTC).strftime(pattern) for at_s in moments]
    if step_s < 86400:
        # The first tick of a new day says which day begins.
        for number, (before_s, at_s) in enumerate(pairwise(moments), 1):
            if before_s // 86400 != at_s // 86400:
                texts[number] = datetime.fromtimestamp(at_s, UTC).strftime("%d %b")
    return tuple(Tick(_percent(at_s, start_s, end_s), text) for at_s, text in zip(moments, texts, strict=True))


def _days(start_s: float, end_s: float) -> str:
    first, last = (datetime.fromtimestamp(at_s, UTC).strftime("%d %B %Y").lstrip("0") for at_s in (start_s, end_s))
    return first if first == last else f"{first} to {last}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
