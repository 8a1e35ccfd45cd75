"""Money: every amount comes with the price, the usage and the model it rests on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Price:
    """List price of one machine.

    Args:
        usd_per_hour: on demand, Linux.
        vcpu: vCPUs of one; None when the table does not say.
        fallback: True when the type is unknown and a per-vCPU rate was used.
        basis: one sentence: table, date, region factor.
        baseline_ratio: sustained share of each vCPU of a burstable type; None otherwise.
        surplus_usd_per_vcpu_hour: charge above the baseline in unlimited mode; 0 where throttled.
        gpu_count: accelerators, 0 when none or unknown.
    """

    usd_per_hour: float
    vcpu: float | None
    memory_gib: float | None
    fallback: bool
    basis: str
    baseline_ratio: float | None = None
    surplus_usd_per_vcpu_hour: float = 0.0
    gpu_count: int = 0


@dataclass(frozen=True, slots=True)
class Cost:
    """The four figures of one incident, and what they rest on.

    Args:
        billed_extra_usd: what the invoice grows by, so far.
        capacity_lost_usd: paid for anyway, used by the attacker, so far.
        run_rate_usd_per_hour: what it costs now, per hour (billed and capacity together).
        exposure_24h_usd: what the next 24 hours cost if nobody acts, and groups grow to their limits.
        low_usd, high_usd: bounds of billed and capacity together, so far.
        basis: sentences naming price, usage and model.
    """

    billed_extra_usd: float
    capacity_lost_usd: float
    run_rate_usd_per_hour: float
    exposure_24h_usd: float
    low_usd: float
    high_usd: float
    basis: tuple[str, ...]
