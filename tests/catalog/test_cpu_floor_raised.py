"""The raised floor on real series with injected miners, and on sampling that is not five minutes."""

from __future__ import annotations

import csv
import gzip
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from davylamp.catalog.detections.cpu_floor_raised.unit import CpuFloorRaised
from davylamp.kit.registry import query_of
from davylamp.model.finding import Finding

NAB = Path(__file__).parents[1] / "data" / "nab"
Points = Sequence[tuple[datetime, float]]
DAY = timedelta(days=1)


class NoFacts:
    """The detection asks the world for nothing."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"asked for {name}")


def nab(name: str) -> list[tuple[datetime, float]]:
    with gzip.open(NAB / f"{name}.csv.gz", "rt", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [(datetime.fromisoformat(row["timestamp"]), float(row["value"])) for row in rows]


def real_series() -> Mapping[str, list[tuple[datetime, float]]]:
    names = sorted(path.name.removesuffix(".csv.gz") for path in NAB.glob("*_cpu_*.csv.gz"))
    assert len(names) == 6
    return {name: nab(name) for name in names}


def judged(series: Mapping[str, Points]) -> dict[str, list[Finding]]:
    """Findings by asset, through the unit's own query."""
    rows = [
        (name, moment, value / 100.0, line)
        for name, points in series.items()
        for line, (moment, value) in enumerate(points, start=2)
    ]
    names, times, ratios, lines = (list(column) for column in zip(*rows, strict=True))
    table = pa.table(
        {
            "asset": names,
            "series": names,
            "path": names,
            "time": pa.array(times, pa.timestamp("us")),
            "used_ratio": pa.array(ratios, pa.float64()),
            "line": pa.array(lines, pa.int64()),
            "byte_offset": pa.array([None] * len(lines), pa.int64()),
            "metric": ["cpu"] * len(lines),
        }
    )
    unit = CpuFloorRaised()
    connection = duckdb.connect()
    connection.register("resource_usage", table)
    query = query_of(unit)
    result = connection.execute(query, {name: value for name, value in unit.params.items() if f"${name}" in query})
    columns = [column[0] for column in result.description]
    candidates = [dict(zip(columns, values, strict=True)) for values in result.fetchall()]
    found: dict[str, list[Finding]] = {}
    for finding in unit.judge(candidates, NoFacts()):  # type: ignore[arg-type]
        found.setdefault(finding.assets[0].name, []).append(finding)
    return found


def injected(points: Points, start: datetime, share: float, *, of_headroom: bool) -> list[tuple[datetime, float]]:
    def mined(value: float) -> float:
        taken = share * max(0.0, 100.0 - value) if of_headroom else share * 100.0
        return max(value, min(100.0, value + taken))

    return [(at, mined(value) if start <= at < start + DAY else value) for at, value in points]


def quiet(days: float, step: timedelta, seed: int = 7) -> Iterator[tuple[datetime, float]]:
    """A machine at 3 % that works in bursts of up to 60 % a quarter of the time."""
    generator = random.Random(seed)
    at = datetime(2026, 3, 1)  # noqa: DTZ001 - stored instants are UTC without a zone
    for _ in range(int(timedelta(days=days) / step)):
        yield at, 3.0 + generator.random() + (57.0 * generator.random() if generator.random() < 0.25 else 0.0)
        at += step


def mined_after(points: Points, days: float, share: float = 0.9) -> list[tuple[datetime, float]]:
    return injected(points, points[0][0] + days * DAY, share, of_headroom=False)


def test_untouched_series_stay_quiet() -> None:
    series = {
        **real_series(),
        **{name: nab(name) for name in ("art_daily_small_noise", "art_daily_perfect_square_wave")},
    }
    assert judged(series) == {}


def trials_of(mined: Callable[[Points, datetime], Points], starts_count: int) -> dict[str, tuple[datetime, Points]]:
    """Each real series with a miner of 24 h from random starts after its fifth day."""
    generator = random.Random(20261123)
    trials: dict[str, tuple[datetime, Points]] = {}
    for name, points in real_series().items():
        first, last = points[0][0] + 5 * DAY, points[-1][0] - DAY
        for number in range(starts_count):
            start = first + generator.random() * (last - first)
            trials[f"{name}/{number}"] = (start, mined(points, start))
    return trials


def share_found(trials: Mapping[str, tuple[datetime, Points]], found: Mapping[str, list[Finding]]) -> float:
    hits = [
        name
        for name, (start, _) in trials.items()
        if any(
            start - timedelta(hours=2) <= each.first_seen.replace(tzinfo=None) <= start + DAY
            for each in found.get(name, [])
        )
    ]
    return len(hits) / len(trials)


@pytest.mark.slow
@pytest.mark.parametrize("of_headroom", [False, True])
def test_injected_miners_are_found_as_often_as_in_the_trial(of_headroom: bool) -> None:
    # One of the six series has 8 points of headroom, and half of 8 is what such a machine does by itself.
    shares = (1.0, 0.83, 0.83, 0.83) if of_headroom else (1.0, 1.0, 1.0, 0.90)
    for share, least in zip((1.0, 0.5, 0.25, 0.1), shares, strict=True):
        mined = partial(injected, share=share, of_headroom=of_headroom)
        trials = trials_of(mined, starts_count=10)
        found = judged({name: points for name, (_, points) in trials.items()})
        if share == 1.0 and not of_headroom:
            assert all(len(each) == 1 for each in found.values()), "one finding per episode"
        assert share_found(trials, found) >= least


@pytest.mark.slow
@pytest.mark.parametrize(("works_m", "rests_m", "least"), [(15, 15, 0.8), (10, 20, 0.6)])
def test_miners_that_work_in_turns_are_found_in_the_hourly_means(works_m: int, rests_m: int, least: float) -> None:
    def mined(points: Points, start: datetime) -> Points:
        full = injected(points, start, 1.0, of_headroom=True)
        minutes = [int((at - start).total_seconds() // 60) % (works_m + rests_m) for at, _ in points]
        return [busy if minute < works_m else idle for minute, busy, idle in zip(minutes, full, points, strict=True)]

    trials = trials_of(mined, starts_count=4)
    found = judged({name: points for name, (_, points) in trials.items()})
    assert share_found(trials, found) >= least
    assert max(each.llr for findings in found.values() for each in findings if "hourly" in each.because) == 1.5


@pytest.mark.parametrize("minutes", [1, 5, 15, 60])
def test_any_usual_sampling_works(minutes: int) -> None:
    points = list(quiet(7, timedelta(minutes=minutes)))
    (finding,) = judged({"web1": mined_after(points, 5)})["web1"]
    start = points[0][0].replace(tzinfo=UTC) + 5 * DAY
    assert abs(finding.first_seen - start) <= timedelta(minutes=2 * max(5, minutes))
    (usage,) = finding.compute
    assert usage.share_ratio is not None and 0.7 < usage.share_ratio <= 1.0
    assert usage.ended_at is not None and abs(usage.ended_at - start - DAY) <= timedelta(hours=1)
    (series,) = finding.series
    assert len(series.x) == len(series.y) <= 600
    assert set(series.levels) == {"floor_before", "floor_after"}
    assert finding.evidence and finding.evidence[0].line is not None


@pytest.mark.parametrize("minutes", [5, 60])
def test_gaps_do_not_fire(minutes: int) -> None:
    points = list(quiet(10, timedelta(minutes=minutes)))
    start = points[0][0]
    holes = [(2.0, 2.2), (4.0, 5.5), (7.0, 7.1)]
    kept = [point for point in points if not any(start + a * DAY <= point[0] < start + b * DAY for a, b in holes)]
    # A lone busy sample between two gaps is no raised floor.
    kept.append((start + 4.7 * DAY, 95.0))
    assert judged({"web1": sorted(kept)}) == {}


def test_a_miner_that_runs_on_has_no_end() -> None:
    points = list(quiet(6, timedelta(minutes=5)))
    (finding,) = judged({"web1": mined_after(points, 5.5)})["web1"]
    assert finding.compute[0].ended_at is None
    assert "where the evidence ends" in finding.because


def test_a_miner_beside_a_nightly_job_is_dated_by_the_slow_scale() -> None:
    # Found by a series of the kind that backup servers show: the quick scale saw the job's two hours and nothing else.
    points = [(at, 70.0 if at.hour in (1, 2) else value / 5) for at, value in quiet(14, timedelta(minutes=5))]
    start = points[0][0] + 11.3 * DAY
    mined = [(at, value + (0.6 * (100 - value) if start <= at < start + 1.7 * DAY else 0.0)) for at, value in points]
    (finding,) = judged({"backup1": mined})["backup1"]
    assert abs(finding.first_seen.replace(tzinfo=None) - start) <= timedelta(minutes=10)
    (usage,) = finding.compute
    assert usage.ended_at is not None and abs(usage.ended_at.replace(tzinfo=None) - start - 1.7 * DAY) <= timedelta(
        hours=1
    )
    assert usage.share_ratio is not None and 0.5 < usage.share_ratio < 0.7
    assert judged({"backup1": points}) == {}


def test_two_miners_far_apart_are_two_episodes_and_close_ones_are_one() -> None:
    points = list(quiet(16, timedelta(minutes=5)))
    far = mined_after(mined_after(points, 4), 14)
    assert len(judged({"web1": far})["web1"]) == 2
    close = mined_after(mined_after(points, 4), 5.1)
    assert len(judged({"web1": close})["web1"]) == 1


def test_a_weekly_job_is_told_once_and_a_long_weekend_never() -> None:
    points = list(quiet(29, timedelta(minutes=5)))
    first = points[0][0]

    def weekly(at: datetime, value: float) -> float:
        return (
            92.0 if (at - first) % (7 * DAY) > 6.1 * DAY and (at - first) % (7 * DAY) < 6.1 * DAY + DAY / 6 else value
        )

    def office(at: datetime, value: float) -> float:
        day = (at - first) // DAY
        works = day % 7 < 5 and day not in (11, 14) and 8 <= at.hour < 18
        return value + (30.0 if works else 0.0)

    found = judged(
        {
            "weekly": [(at, weekly(at, value)) for at, value in points],
            "office": [(at, office(at, value)) for at, value in points],
        }
    )
    assert [finding.first_seen.day for finding in found.pop("weekly")] == [7]
    assert found == {}


def test_a_first_day_gives_no_verdict() -> None:
    points = list(quiet(1, timedelta(minutes=5)))
    assert judged({"web1": mined_after(points, 0.5)}) == {}
