"""Bills: what one machine's use comes to, under the price model that is its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

HOURS_PER_DAY = 24.0


@dataclass(frozen=True, slots=True)
class Amounts:
    """Dollars of one stretch of use, or dollars per hour of it."""

    billed_usd: float = 0.0
    lost_usd: float = 0.0
    low_usd: float = 0.0
    high_usd: float = 0.0

    def times(self, factor: float) -> Amounts:
        """All four, multiplied."""
        return Amounts(*(value * factor for value in (self.billed_usd, self.lost_usd, self.low_usd, self.high_usd)))

    def plus(self, other: Amounts) -> Amounts:
        """All four, added."""
        return Amounts(
            self.billed_usd + other.billed_usd,
            self.lost_usd + other.lost_usd,
            self.low_usd + other.low_usd,
            self.high_usd + other.high_usd,
        )


@dataclass(frozen=True, slots=True)
class Bill:
    """The figures of one asset or resource, and the sentences they rest on."""

    so_far: Amounts = field(default_factory=Amounts)
    run_rate_usd_per_hour: float = 0.0
    exposure_24h_usd: float = 0.0
    basis: tuple[str, ...] = ()


def total(amounts: Iterable[Amounts]) -> Amounts:
    """The sum of all."""
    summed = Amounts()
    for each in amounts:
        summed = summed.plus(each)
    return summed


def growth_said(normal_usd: float, extra_usd: float) -> str:
    """A bill's growth as factor and as difference: `x6.5 is +550 %`; empty without a normal bill."""
    if normal_usd <= 0 or extra_usd <= 0:
        return ""
    ratio = extra_usd / normal_usd
    factor = f"{1 + ratio:,.3g}" if ratio < 99 else f"{1 + ratio:,.0f}"
    return f"x{factor} is +{ratio * 100:,.0f} %"
