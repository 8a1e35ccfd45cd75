"""Assessing an incident: usages in, the four figures and their basis out; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from davylamp.cost.bill import Bill, total
from davylamp.cost.launched import bill_launched, bill_limits, bill_requested
from davylamp.cost.price_book import PriceBook
from davylamp.cost.stolen import bill_stolen
from davylamp.cost.windows import (
    RUNNING_SLACK,
    Segment,
    at_rest,
    close_known_ends,
    disjoint_segments,
    stopped_at,
    with_just_begun,
)
from davylamp.model.asset import Asset
from davylamp.model.money import Cost
from davylamp.model.usage import ComputeUsage
from davylamp.units import format_duration


def assess(
    usages: Sequence[ComputeUsage],
    assets: Mapping[str, Asset],
    book: PriceBook,
    now_at: datetime,
    ends: Mapping[str, datetime] | None = None,
    seen_until: Callable[[str], datetime] | None = None,
) -> Cost:
    """The cost of an incident.

    Args:
        usages: what its findings say was used, in any order; overlaps are the same theft.
        assets: assets by name.
        now_at: end of the evidence; open windows are counted up to it.
        ends: instance id -> when it was stopped or terminated for good; it costs nothing from then on.
        seen_until: asset -> until when evidence could have shown its use; that of all evidence when not given.
    """
    known_ends = ends or {}
    stolen: dict[str, list[ComputeUsage]] = {}
    started: dict[str, list[ComputeUsage]] = {}
    requested: dict[str, ComputeUsage] = {}
    limits: dict[str, ComputeUsage] = {}
    for usage in usages:
        if usage.model == "stolen":
            stolen.setdefault(usage.asset, []).append(usage)
        elif usage.model == "requested":
            requested.setdefault(_resource_key(usage), usage)
        elif usage.model == "limit":
            limits.setdefault(_resource_key(usage), usage)
        else:
            started.setdefault(_resource_key(usage), []).append(usage)
    bills: list[Bill] = []
    for name in sorted(stolen):
        asset = assets.get(name)
        owner = {name, asset.instance_id} - {""} if asset is not None else {name} - {""}
        if owner & set(started):
            bills.append(Bill(basis=(f"{name}: started by the attacker, priced as that and not as stolen too",)))
            continue
        ended_at = known_ends.get(asset.instance_id if asset is not None else name)
        own_end_at = seen_until(name) if seen_until else now_at
        segments = _segments(stolen[name], now_at, ended_at, own_end_at)
        bill = bill_stolen(name or "unnamed machine", asset, segments, book)
        bills.append(replace(bill, basis=(*bill.basis, *_taken_to_run(name, segments, own_end_at, now_at))))
    resources = {key: _launched(started[key], now_at, known_ends.get(key)) for key in sorted(started)}
    launched = bill_launched(resources, book)
    asked = bill_requested([requested[key] for key in sorted(requested) if key not in started], book)
    return _cost(
        [*bills, launched, _beyond(asked, launched), bill_limits([limits[key] for key in sorted(limits)], book)]
    )


def _beyond(asked: Bill, launched: Bill) -> Bill:
    """The exposure of what was asked for, as far as it goes beyond what runs.

    A dry run or a refused launch is mostly of what was then started: counting both would count one wish twice.
    """
    if not asked.exposure_24h_usd or not launched.exposure_24h_usd:
        return asked
    said = "the next 24 hours count what runs on or what was asked for, whichever is more"
    beyond_usd = max(0.0, asked.exposure_24h_usd - launched.exposure_24h_usd)
    return replace(asked, exposure_24h_usd=beyond_usd, basis=(*asked.basis, said))


def _taken_to_run(name: str, segments: Sequence[Segment], own_end_at: datetime, now_at: datetime) -> Iterator[str]:
    silent = now_at - own_end_at
    if segments and segments[-1].running and segments[-1].ended_at < now_at - RUNNING_SLACK and silent > RUNNING_SLACK:
        yield (
            f"{name}: what could show its use ends {format_duration(silent.total_seconds())} before the rest of the "
            "evidence; what ran then is taken to run, and nothing is counted for the time between"
        )


def _segments(
    usages: Sequence[ComputeUsage], now_at: datetime, ended_at: datetime | None, seen_until: datetime
) -> list[Segment]:
    if ended_at is None or ended_at > now_at:
        return disjoint_segments(usages, seen_until, now_at)
    return at_rest(disjoint_segments(stopped_at(usages, ended_at), seen_until, now_at), ended_at)


def _launched(usages: Sequence[ComputeUsage], now_at: datetime, ended_at: datetime | None) -> list[Segment]:
    closed = close_known_ends(usages)
    segments = _segments(closed, now_at, ended_at, now_at)
    return segments if ended_at is not None else with_just_begun(segments, closed, now_at)


def _resource_key(usage: ComputeUsage) -> str:
    """One resource is priced once; without an id, equal launches at one instant are one."""
    if usage.resource:
        return usage.resource
    size = f"{usage.count}/{usage.vcpu}/{usage.memory_gib}"
    return f"{usage.provider}/{usage.region}/{usage.instance_type}/{size}/{usage.started_at.isoformat()}"


def _cost(bills: Sequence[Bill]) -> Cost:
    amounts = total(bill.so_far for bill in bills)
    point_usd = amounts.billed_usd + amounts.lost_usd
    sentences = dict.fromkeys(sentence for bill in bills for sentence in bill.basis)
    return Cost(
        billed_extra_usd=amounts.billed_usd,
        capacity_lost_usd=amounts.lost_usd,
        run_rate_usd_per_hour=sum(bill.run_rate_usd_per_hour for bill in bills),
        exposure_24h_usd=sum(bill.exposure_24h_usd for bill in bills),
        # Sums taken in another order may differ in the last bit; bounds bound all the same.
        low_usd=min(amounts.low_usd, point_usd),
        high_usd=max(amounts.high_usd, point_usd),
        basis=tuple(sentences) or ("no compute use was stated by the findings",),
    )
