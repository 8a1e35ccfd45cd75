"""A machine's CPU floor rose: the idle valleys are gone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar

from davylamp.catalog.detections.cpu_floor_raised.floor import Episode, Sample, Thresholds, episodes
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, candidates
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import AssetRef, Evidence, Finding, Series, Technique
from davylamp.model.severity import Confidence, Severity
from davylamp.model.usage import ComputeUsage
from davylamp.units import format_duration, format_instant

_SLOTS = tuple(f"used_{minute:02d}_ratio" for minute in range(0, 60, 5))
_SHOWN_BEFORE_S = 3 * 86400
_SHOWN_AFTER_S = 86400
_SHOWN_COUNT = 600


class CpuFloorRaised(Detection):
    """The CPU floor of a machine rose above what it was in the days before and stayed there.

    What it sees.
    The valleys of a CPU series. A miner never rests, so the quiet moments between requests, jobs and
    nights vanish: the lowest tenth of use rises, while peaks say nothing.

    Why it matters.
    CPU use is the one thing a miner cannot do without. The rise also measures the theft: use above the
    old floor is what was taken, and prices the incident.

    How it decides.
    Samples are five-minute means (1-minute series are averaged; 15-minute and hourly ones are taken
    as they are). The floor is the 10th percentile of the last 2 h; the reference is the 99.6th
    percentile of that floor over the 8 days that end 2 h ago, of which 1 day at least must be held.
    It fires when the floor exceeds the reference by 5 points and by 9 % of the headroom above the
    reference. The figures are those of a trial on six labelled Numenta series with injected miners
    of 24 h: every miner that takes 25 % of the machine or more is found, at 10 % three in four or
    more, half of them within 110 min, with no alarm in 9.4 instance-weeks and none on two anomaly-
    free files. Three things differ from that trial. Its 10 % of headroom became 9, because a miner
    that takes a tenth of the headroom lifts the floor by a tenth at most, and would be missed by
    arithmetic. Its 3 days became 8, so that a job that runs weekly, or a weekend with a holiday, is
    part of the reference, and its 99th percentile 99.6, so that still 45 minutes of such a floor
    are enough: found were then 100, 100, 100 and 88 % of miners that take 100, 50, 25 and 10 % of
    the machine, without an alarm on the same files (3 days at the 99th: the last is 92 %). Where
    the miner's share is of the headroom instead, 100, 83, 83 and 82 % are found: of the six series
    one is at 92 % all the time, and its own floor rises by 4.4 points in a quiet hour. Smaller
    least rises, fixed (3, 2 and 1 points) and in proportion to the floor's own spread, were tried:
    each alarms on that rise, and none finds more than 97 and 90 % at 50 and 25 %. Where 2 h hold
    fewer than 6 samples the window grows to 6 samples, because the lowest tenth of two is no floor.
    A window counts when 3/4 of its samples are there, so a gap never fires. The reference is frozen
    while an episode lasts; the episode ends when the floor falls back or the series is silent for a
    window; within 6 h after it nothing new is reported.
    The log likelihood ratio is ln(0.95 / 0.05): 0.95 is the share found, 0.05 per instance-week the rate
    that no alarm in 9.4 weeks supports (half an event); a rise below a quarter of the headroom counts
    half a unit less, because fewer of those were found.

    What it misses.
    Miners that idle more than a tenth of the time; ramps over days, which carry the reference along;
    machines that were full already (at 92 % in use, only a miner that takes nearly all of the rest is
    seen); the first day of a series; a second miner within 8 days of the first, which by then is part of
    the reference; series sampled more seldom than hourly.

    What looks like it and is not.
    A deployment that raises load for good, a new neighbour on the same host, a batch that runs longer
    than 2 h without a pause and did not run in the 8 days before. Square waves keep their valleys and
    stay quiet. It is no proof alone: look for a name, wire, login or audit finding on the same machine.

    What to do.
    Look at what uses the CPU (process list, per-container metrics) and what was deployed at the start of
    the rise. When nothing explains it, keep the evidence, isolate the machine and rebuild it.

    References.
    https://github.com/numenta/NAB
    https://attack.mitre.org/techniques/T1496/001/
    """

    meta = DetectionMeta(
        uid="cpu_floor_raised",
        title="CPU floor raised",
        group="cost",
        stage="mining",
        severity=Severity.MEDIUM,
        techniques=(Technique("T1496.001", "Resource Hijacking: Compute Hijacking"),),
        reads=("resource_usage",),
        references=("https://github.com/numenta/NAB", "https://attack.mitre.org/techniques/T1496/001/"),
    )
    params: ClassVar[Mapping[str, object]] = {
        "floor_window_s": 7200,
        "floor_quantile": 0.10,
        "floor_filled_ratio": 0.75,
        "reference_window_s": 8 * 86400,
        "reference_least_s": 86400,
        "reference_quantile": 0.996,
        "least_rise_ratio": 0.05,
        "headroom_ratio": 0.09,
        "rearm_s": 6 * 3600,
        "longest_step_s": 3600,
        "floor_least_count": 6,
        "judged_after_s": 86400,
        "large_rise_ratio": 0.25,
        "llr": 2.9,
        "small_rise_llr": 2.4,
    }

    def judge(self, candidates: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per asset and episode; the strongest series of an asset speaks for it."""
        limits = Thresholds.of(self.params)
        spoken: dict[str, list[Episode]] = {}
        found = [
            (episode, asset, rows, samples)
            for asset, rows, samples in _series(candidates)
            for episode in episodes(samples, limits)
        ]
        found.sort(key=lambda item: (item[1], -item[0].excess_ratio, item[0].started_s))
        for episode, asset, rows, samples in found:
            known = spoken.setdefault(asset, [])
            if not any(_overlap(episode, other) for other in known):
                known.append(episode)
                yield self._finding(asset, episode, rows, samples)

    def _finding(self, asset: str, episode: Episode, rows: Sequence[Row], samples: Sequence[Sample]) -> Finding:
        started_at, last_at = _instant(episode.started_s), _instant(episode.last_s)
        large = episode.floor_ratio - episode.reference_ratio >= _number(self.params["large_rise_ratio"]) * (
            1.0 - episode.reference_ratio
        )
        lasted = format_duration(episode.last_s - episode.started_s)
        until = "and is still raised where the evidence ends" if episode.ended_s is None else f"for {lasted}"
        cited = [row for row in rows if episode.started_s - 3600 < _integer(row["hour_s"]) < episode.last_s]
        because = (
            f"the CPU floor of {asset} rose from {episode.reference_ratio:.0%} to {episode.floor_ratio:.0%} at "
            f"{format_instant(started_at)} {until} ({lasted} seen): {episode.excess_ratio:.0%} of the machine is in "
            f"use above the highest floor of up to 8 days before"
        )
        return build_finding(
            self.meta,
            fact_key=str(episode.started_s),
            assets=[AssetRef("host", asset)],
            because=because,
            first_seen=started_at,
            last_seen=last_at,
            llr=_number(self.params["llr"] if large else self.params["small_rise_llr"]),
            confidence=Confidence.HIGH if large else Confidence.MEDIUM,
            evidence=[_evidence(row) for row in cited],
            evidence_count=sum(_integer(row["records_count"]) for row in cited),
            compute=[_usage(asset, episode)],
            series=[_drawn(episode, samples)],
        )


def _series(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row], list[Sample]]]:
    for first, members in candidates(rows, "asset", "series"):
        ordered = sorted(members, key=lambda row: (_integer(row["hour_s"]), str(row["path"])))
        means: dict[int, list[float]] = {}
        for row in ordered:
            for slot, name in enumerate(_SLOTS):
                if (used := row[name]) is not None:
                    means.setdefault(_integer(row["hour_s"]) + 300 * slot, []).append(_number(used))
        samples = [Sample(at_s, sum(values) / len(values)) for at_s, values in sorted(means.items())]
        yield str(first["asset"]), ordered, samples


def _overlap(one: Episode, other: Episode) -> bool:
    return one.started_s < other.last_s and other.started_s < one.last_s


def _usage(asset: str, episode: Episode) -> ComputeUsage:
    return ComputeUsage(
        model="stolen",
        asset=asset,
        share_ratio=episode.excess_ratio,
        base_ratio=episode.reference_ratio,
        started_at=_instant(episode.started_s),
        ended_at=None if episode.ended_s is None else _instant(episode.ended_s),
        basis=f"CPU use above the floor of {episode.reference_ratio:.0%} that it had before",
    )


def _drawn(episode: Episode, samples: Sequence[Sample]) -> Series:
    shown = [
        sample
        for sample in samples
        if episode.started_s - _SHOWN_BEFORE_S <= sample.at_s <= episode.last_s + _SHOWN_AFTER_S
    ]
    width = -(-len(shown) // _SHOWN_COUNT)
    groups = [shown[index : index + width] for index in range(0, len(shown), width)]
    return Series(
        kind="cpu_floor",
        x=tuple(float(group[0].at_s) for group in groups),
        y=tuple(sum(sample.used_ratio for sample in group) / len(group) for group in groups),
        levels={"floor_before": episode.reference_ratio, "floor_after": episode.floor_ratio},
    )


def _evidence(row: Row) -> Evidence:
    used = [_number(row[name]) for name in _SLOTS if row[name] is not None]
    line, byte_offset = row["line"], row["byte_offset"]
    return Evidence(
        path=str(row["path"]),
        line=line if isinstance(line, int) else None,
        byte_offset=byte_offset if isinstance(byte_offset, int) else None,
        columns={
            "hour": format_instant(_instant(_integer(row["hour_s"]))),
            "used_mean_ratio": round(sum(used) / len(used), 4),
            "used_least_ratio": round(min(used), 4),
        },
    )


def _instant(at_s: int) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)


def _integer(value: object) -> int:
    assert isinstance(value, int)
    return value


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)
