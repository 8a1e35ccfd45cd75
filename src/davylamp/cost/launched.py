"""Launched and requested compute: the attacker started it or asked for it, so all of it is his."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from davylamp.cost.bill import HOURS_PER_DAY, Amounts, Bill
from davylamp.cost.price_book import PriceBook
from davylamp.cost.shapes import known_shape
from davylamp.cost.stolen import task_price
from davylamp.cost.windows import Segment
from davylamp.model.money import Price
from davylamp.model.usage import ComputeUsage
from davylamp.units import format_usd

SAID_COUNT = 5


def price_of(usage: ComputeUsage, book: PriceBook) -> Price:
    """Price of one machine or task of a usage."""
    task = usage.model == "serverless" and not usage.instance_type
    if task or usage.instance_type.lower().startswith("fargate"):
        return task_price(book, usage.vcpu, usage.memory_gib, arm="arm" in usage.instance_type.lower())
    price = book.price(usage.instance_type, usage.region, usage.provider)
    if price.fallback and usage.vcpu is not None:
        return book.fallback_price(known_shape(usage.vcpu, usage.memory_gib), usage.instance_type)
    return price


def bill_launched(resources: Mapping[str, Sequence[Segment]], book: PriceBook) -> Bill:
    """All of what the attacker started is billed; resources of one price share a sentence."""
    amounts, rate_usd_per_hour = Amounts(), 0.0
    tally: dict[tuple[str, int], tuple[int, float, float]] = {}
    for segments in resources.values():
        for index, segment in enumerate(segments):
            price, count = price_of(segment.usage, book), segment.usage.count
            billed = price.usd_per_hour * count * segment.hours
            amounts = amounts.plus(Amounts(billed, 0.0, billed, billed))
            rate_usd_per_hour += price.usd_per_hour * count if segment.running else 0.0
            machines, hours, usd = tally.get((price.basis, price.gpu_count), (0, 0.0, 0.0))
            first = count if index == 0 else 0
            tally[price.basis, price.gpu_count] = (machines + first, hours + segment.hours * count, usd + billed)
    basis = (
        *(
            _launched_said(price, gpus, machines, hours, usd)
            for (price, gpus), (machines, hours, usd) in sorted(tally.items())
        ),
        *_usages_said([segment.usage for segments in resources.values() for segment in segments]),
    )
    return Bill(amounts, rate_usd_per_hour, rate_usd_per_hour * HOURS_PER_DAY, basis)


def _launched_said(price: str, gpu_count: int, machines: int, hours: float, billed_usd: float) -> str:
    gpus = f", {gpu_count} GPU each" if gpu_count else ""
    return (
        f"started by the attacker, all billed: {machines} x {price}{gpus}; {hours:,.1f} machine-hours, "
        f"{format_usd(billed_usd)}; disks, addresses and egress not counted"
    )


def _usages_said(usages: Sequence[ComputeUsage]) -> list[str]:
    """Where the first few usages are from, in their own words, and how many more there are."""
    said = sorted({usage.basis for usage in usages})
    more = [f"and {len(said) - SAID_COUNT} more of this kind"] if len(said) > SAID_COUNT else []
    return [*said[:SAID_COUNT], *more]


def bill_limits(usages: Sequence[ComputeUsage], book: PriceBook) -> Bill:
    """What groups may still start by their own limits: exposure only (knowledge base, cost 1.4)."""
    return _exposure(usages, book, "{usage.basis}, {usage.count} more x {price.basis}; {usd} in 24 hours if it does")


def bill_requested(usages: Sequence[ComputeUsage], book: PriceBook) -> Bill:
    """What was asked for and did not start: exposure only."""
    said = "asked for, not started: {usage.count} x {price.basis}; {usd} a day had it started"
    return _exposure(usages, book, said)


def _exposure(usages: Sequence[ComputeUsage], book: PriceBook, said: str) -> Bill:
    exposure_usd, basis = 0.0, set()
    for usage in usages:
        price = price_of(usage, book)
        day_usd = price.usd_per_hour * usage.count * HOURS_PER_DAY
        exposure_usd += day_usd
        basis.add(said.format(usage=usage, price=price, usd=format_usd(day_usd)))
    return Bill(exposure_24h_usd=exposure_usd, basis=tuple(sorted(basis)))
