"""Stolen shares: a machine that was running anyway, priced by how it is paid for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from davylamp.cost.bill import HOURS_PER_DAY, Amounts, Bill, growth_said, total
from davylamp.cost.price_book import PriceBook
from davylamp.cost.shapes import ASSUMED_VCPU, guess_shape, known_shape
from davylamp.cost.windows import Segment
from davylamp.model.asset import Asset
from davylamp.model.money import Price
from davylamp.units import format_duration, format_usd

# Miners are commonly throttled to 30 to 60 % of a machine (threat reports 2022 to 2026); a quarter is below that.
UNMEASURED_LOW_RATIO = 0.25
UNMEASURED_SAID_RATIO = 0.01
# What the vendors advertise as the largest discount on list: 90 % for spot, 72 % for commitments.
DISCOUNTED_LOW_RATIO = {"spot": 0.10, "reserved": 0.28}
# Credits accrue for at most 24 h of earning (EC2 user guide, burstable credits).
CREDIT_BANK_HOURS = 24.0
# A scaling group's limit is rarely in the evidence: twice its usual size is assumed for the exposure.
ASSUMED_GROUP_LIMIT_RATIO = 2.0


@dataclass(frozen=True, slots=True)
class Terms:
    """How one asset is paid for."""

    name: str
    price: Price
    model: str
    count: int

    @property
    def vcpu(self) -> float:
        """vCPUs, assumed where neither table nor evidence says."""
        return self.price.vcpu if self.price.vcpu is not None else ASSUMED_VCPU


def bill_stolen(name: str, asset: Asset | None, segments: Sequence[Segment], book: PriceBook) -> Bill:
    """The bill of one asset whose capacity was taken; segments are disjoint and in time order."""
    if not segments:
        return Bill()
    bills = [(segment, _terms(name, asset, segment, book)) for segment in segments]
    amounts = total(_rates(terms, segment).times(segment.hours) for segment, terms in bills)
    amounts = replace(amounts, low_usd=max(0.0, amounts.low_usd - _credit_bank_usd(bills)))
    segment, terms = bills[-1]
    now = _rates(terms, segment) if segment.running else Amounts()
    run_rate = now.billed_usd + now.lost_usd
    exposure = run_rate * HOURS_PER_DAY
    if terms.model == "autoscaled" and segment.running:
        growth = terms.price.usd_per_hour * terms.count * (ASSUMED_GROUP_LIMIT_RATIO - 1.0)
        exposure = max(exposure, growth * HOURS_PER_DAY)
    return Bill(amounts, run_rate, exposure, _basis(bills, amounts))


def _terms(name: str, asset: Asset | None, segment: Segment, book: PriceBook) -> Terms:
    usage = segment.usage
    declared = asset.price_model if asset is not None else ""
    instance_type = usage.instance_type or (asset.instance_type if asset is not None else "")
    region = usage.region or (asset.region if asset is not None else "")
    if declared == "serverless" and not instance_type:
        return Terms(name, task_price(book, usage.vcpu, usage.memory_gib), declared, usage.count)
    price = book.price(instance_type, region, usage.provider)
    if price.fallback and usage.vcpu is not None:
        price = book.fallback_price(known_shape(usage.vcpu, usage.memory_gib), instance_type)
    return Terms(name, price, _model(declared, instance_type, price), usage.count)


def _model(declared: str, instance_type: str, price: Price) -> str:
    burstable = price.baseline_ratio is not None
    if declared in ("burstable_standard", "burstable_unlimited") and not burstable:
        return "unknown_burstable"
    if declared:
        return declared
    if not burstable:
        return "on_demand"
    unlimited = price.surplus_usd_per_vcpu_hour > 0 and not instance_type.startswith("t2.")
    return "burstable_unlimited" if unlimited else "burstable_standard"


def task_price(book: PriceBook, vcpu: float | None, memory_gib: float | None, arm: bool = False) -> Price:
    """Price of a container task by vCPU-hour and GB-hour; two vCPUs assumed where nothing says."""
    shape = guess_shape("", "") if vcpu is None else known_shape(vcpu, memory_gib)
    if vcpu is None and memory_gib is not None:
        shape = replace(shape, memory_gib=memory_gib, said=f"{shape.vcpu:g} vCPU assumed, {memory_gib:g} GiB known")
    kind = "arm" if arm else "x86"
    cpu_usd, memory_usd = book.rate_usd(f"fargate_{kind}_vcpu_hour"), book.rate_usd(f"fargate_{kind}_gb_hour")
    usd_per_hour = shape.vcpu * cpu_usd + shape.memory_gib * memory_usd
    said = f"task ${usd_per_hour:.4g}/h: {shape.said}, at ${cpu_usd} per vCPU-hour and ${memory_usd} per GB-hour"
    basis = f"{said} (Fargate {kind}, us-east-1)"
    return Price(usd_per_hour, shape.vcpu, shape.memory_gib, fallback=False, basis=basis)


def _rates(terms: Terms, segment: Segment) -> Amounts:
    """Dollars per hour of a segment."""
    share = segment.usage.share_ratio
    point = 1.0 if share is None else min(1.0, max(0.0, share))
    low = UNMEASURED_LOW_RATIO if share is None else point
    base = min(1.0, max(0.0, segment.usage.base_ratio or 0.0))
    at_point, at_low = _at_share(terms, point, base), _at_share(terms, low, base)
    return replace(
        at_point,
        low_usd=(at_low.billed_usd + at_low.lost_usd) * DISCOUNTED_LOW_RATIO.get(terms.model, 1.0),
        high_usd=at_point.high_usd,
    ).times(terms.count)


def _at_share(terms: Terms, share: float, base: float) -> Amounts:
    price = terms.price
    taken_usd = price.usd_per_hour * share
    if terms.model == "autoscaled":
        return Amounts(billed_usd=taken_usd, high_usd=taken_usd)
    if terms.model == "burstable_standard" and price.baseline_ratio is not None:
        # Throttled to its baseline, a machine has no more than that to lose.
        sustained = price.usd_per_hour * (min(1.0, share / price.baseline_ratio) if price.baseline_ratio else 1.0)
        return Amounts(lost_usd=sustained, high_usd=sustained)
    if terms.model == "burstable_unlimited" and price.baseline_ratio is not None:
        rate_usd = terms.vcpu * price.surplus_usd_per_vcpu_hour
        # Surplus is what all use together has above the baseline, less what the owner's own load had.
        used = min(1.0, base + share)
        billed = rate_usd * (max(0.0, used - price.baseline_ratio) - max(0.0, base - price.baseline_ratio))
        # Highest when the owner's own load already used the baseline: then all of the share is surplus.
        highest = rate_usd * max(0.0, min(share, 1.0 - price.baseline_ratio))
        return Amounts(billed_usd=billed, lost_usd=taken_usd, high_usd=taken_usd + max(billed, highest))
    return Amounts(lost_usd=taken_usd, high_usd=taken_usd)


def _credit_bank_usd(bills: Sequence[tuple[Segment, Terms]]) -> float:
    """What accrued credits may at most have paid for, once per asset: only the low bound knows of it."""
    saved = 0.0
    bank = 0.0
    for segment, terms in bills:
        if terms.model != "burstable_unlimited" or terms.price.baseline_ratio is None:
            continue
        share = segment.usage.share_ratio
        low = UNMEASURED_LOW_RATIO if share is None else share
        base = min(1.0, max(0.0, segment.usage.base_ratio or 0.0))
        saved += _at_share(terms, min(1.0, max(0.0, low)), base).billed_usd * segment.hours * terms.count
        rate_usd = terms.vcpu * terms.price.surplus_usd_per_vcpu_hour * terms.count
        bank = max(bank, CREDIT_BANK_HOURS * terms.price.baseline_ratio * rate_usd)
    return min(saved, bank)


def _basis(bills: Sequence[tuple[Segment, Terms]], amounts: Amounts) -> tuple[str, ...]:
    segment, terms = bills[-1]
    said = [f"{terms.name}: {terms.price.basis}", *_model_said(terms)]
    hours = sum(each.hours for each, _ in bills)
    measured = [each for each, _ in bills if each.usage.share_ratio is not None]
    unmeasured_h = sum(each.hours for each, _ in bills if each.usage.share_ratio is None)
    # The seconds between a miner's first message and the next CPU sample are no reason to doubt a day's measure.
    if unmeasured_h > UNMEASURED_SAID_RATIO * hours or not measured:
        when = f" for {format_duration(unmeasured_h * 3600)}" if measured else ""
        said.append(
            f"{terms.name}: the share taken was not measured{when}: the full machine is taken as estimate and high "
            f"bound, {UNMEASURED_LOW_RATIO * 100:.0f} % as low bound (throttled miners take 30 to 60 %)"
        )
    if measured:
        taken = sum(each.hours * min(1.0, each.usage.share_ratio or 0.0) for each in measured)
        over = sum(each.hours for each in measured)
        said.append(
            f"{terms.name}: {taken / over * 100:.0f} % of the machine taken over {format_duration(over * 3600)}, "
            f"as measured ({measured[-1].usage.basis.rstrip('.')})"
        )
    normal = sum(each_terms.price.usd_per_hour * each_terms.count * each.hours for each, each_terms in bills)
    growth = growth_said(normal, amounts.billed_usd)
    if growth:
        said.append(
            f"{terms.name}: {format_usd(normal)} in {format_duration(hours * 3600)} without it, "
            f"{format_usd(amounts.billed_usd)} more with it: {growth}"
        )
    if not segment.running:
        said.append(f"{terms.name}: nothing seen running at the end of the evidence, so no rate now")
    return tuple(said)


def _model_said(terms: Terms) -> list[str]:
    price, name = terms.price, terms.name
    if terms.model == "burstable_unlimited" and price.baseline_ratio is not None:
        full = 1.0 - price.baseline_ratio
        delay_h = CREDIT_BANK_HOURS * price.baseline_ratio / full if full > 0 else 0.0
        return [
            f"{name}: burstable, unlimited: use above {price.baseline_ratio * 100:.0f} % of each vCPU is billed at "
            f"${price.surplus_usd_per_vcpu_hour} per vCPU-hour once credits are gone; a full bank (24 h of earning) "
            f"delays that by up to {delay_h:.1f} h at full load, which only the low bound counts"
        ]
    said = [f"{name}: {_SENTENCES.get(terms.model, _SENTENCES['on_demand'])}"]
    if not terms.model.startswith("burstable") and price.surplus_usd_per_vcpu_hour > 0:
        said.append(
            f"{name}: a burstable type declared {terms.model}: in unlimited mode use above "
            f"{(price.baseline_ratio or 0) * 100:.0f} % would be billed besides; "
            "declare burstable_unlimited to count it"
        )
    return said


_SENTENCES = {
    "on_demand": "flat price: the bill is the same at any load, so the loss is the capacity taken",
    "spot": "spot, flat price: list price taken as estimate, the bill is lower by up to 90 %; loss is capacity taken",
    "reserved": "reserved, flat price: list price taken as estimate, the bill is lower by up to 72 %; loss is "
    "the capacity taken",
    "burstable_standard": "burstable, standard: throttled to its baseline, nothing is billed; the service slows",
    "unknown_burstable": "declared burstable, but no baseline is held for the type: priced flat, surplus not known",
    "autoscaled": "autoscaled: the scaler buys what is taken, so it is billed; the group's limit is not in the "
    f"evidence, exposure assumes growth to x{ASSUMED_GROUP_LIMIT_RATIO:g} of the usual size "
    f"(+{(ASSUMED_GROUP_LIMIT_RATIO - 1) * 100:.0f} %); a limit of seven times the usual size would be x7, +600 %",
    "serverless": "usage-priced task that ran anyway: nothing more is billed, the loss is the capacity taken",
}
