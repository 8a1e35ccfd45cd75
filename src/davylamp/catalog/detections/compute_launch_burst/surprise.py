"""How surprising an hour's vCPUs are: the tail of a shrunk negative binomial."""

from __future__ import annotations

import math
from dataclasses import dataclass

PRIOR_HOURS_COUNT = 168.0
PRIOR_BURST_VCPU_COUNT = 32.0


@dataclass(frozen=True, slots=True)
class Baseline:
    """An account's earlier hours, silent ones counted: their number, their sum and their sum of squares."""

    hours_count: float
    vcpu_sum: float
    vcpu_squared_sum: float


def surprise_digits(vcpu: float, baseline: Baseline) -> float:
    """-log10 P(X >= vcpu), an upper bound of P; 0 where the hour is nothing special.

    Mean and variance are those of the earlier hours with a week added in which one hour saw 32 vCPUs.
    """
    hours = max(0.0, baseline.hours_count) + PRIOR_HOURS_COUNT
    mean = (baseline.vcpu_sum + PRIOR_BURST_VCPU_COUNT) / hours
    second = (baseline.vcpu_squared_sum + PRIOR_BURST_VCPU_COUNT**2) / hours
    variance = max(second - mean * mean, mean * 1.01)
    size = mean * mean / (variance - mean)
    ratio = mean / (size + mean)
    if vcpu <= mean:
        return 0.0
    log_mass = (
        math.lgamma(vcpu + size)
        - math.lgamma(size)
        - math.lgamma(vcpu + 1)
        + size * math.log1p(-ratio)
        + vcpu * math.log(ratio)
    )
    step = ratio * max(1.0, (vcpu + size) / (vcpu + 1))
    if step >= 1:
        return 0.0
    return max(0.0, -(log_mass - math.log1p(-step)) / math.log(10))
