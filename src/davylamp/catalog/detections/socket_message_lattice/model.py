"""How much a lattice speaks for mining: weights fitted on our emulations (`python -m bench.fit_message_lattice`)."""

from __future__ import annotations

import math
from collections.abc import Mapping

from davylamp.catalog.detections.socket_message_lattice.lattice import FINE_STEP_S, Lattice

LEAST_DURATION_S = 15.0
LEAST_SHARES_COUNT, LEAST_PUSHES_COUNT = 3, 2
# Which way each input must point; a fit that turns one round is fitted without it.
SIGNS: Mapping[str, int] = {
    "explained": 1,
    "one_push": 1,
    "job_larger": 1,
    "job_size": 1,
    "share_size": 1,
    "answer_size": 1,
    "prompt": 1,
    "memoryless": 1,
    "fits": 1,
    "fits_memoryless": 1,
    "fits_shares": 1,
    "fits_jobs": 1,
    "clockwork": -1,
    "second_part": -1,
    "tiny": -1,
    "busy": -1,
}
LLR_FEWEST = 1.5
# What the counts support: ln(recall / upper 95 % bound of false alarms), see the unit.
FINE_LLR_MOST, COARSE_LLR_MOST = 4.0, 2.5
FINE_WEIGHTS: Mapping[str, float] = {
    "job_larger": 2.88,
    "share_size": 6.63,
    "fits_shares": 3.33,
    "clockwork": -0.97,
    "second_part": -6.45,
    "tiny": -4.35,
    "": -7.58,
}
COARSE_WEIGHTS: Mapping[str, float] = {
    "explained": 1.15,
    "job_larger": 5.41,
    "share_size": 6.61,
    "answer_size": 3.58,
    "fits": 0.22,
    "fits_memoryless": 0.03,
    "fits_shares": 1.38,
    "second_part": -7.18,
    "tiny": -0.88,
    "": -14.09,
}
"""Log odds at even classes, so an LLR; the empty name is the constant."""


def judgeable(lattice: Lattice) -> bool:
    """Whether there is enough to judge: 15 s, three requests of one size, two pushes."""
    return (
        lattice.duration_s >= LEAST_DURATION_S
        and lattice.share_count >= LEAST_SHARES_COUNT
        and lattice.push_count >= LEAST_PUSHES_COUNT
        and lattice.answer_bytes > 0
        and lattice.job_bytes > 0
    )


def inputs(lattice: Lattice) -> dict[str, float]:
    """Figures between 0 and 1 that the weights belong to.

    Sizes are the bytes on the wire: whether TLS adds its 22 or 29 the counters do not tell.
    """
    fine = lattice.step_s <= FINE_STEP_S
    looks_count = max(2.0, lattice.duration_s / lattice.step_s)
    # The dispersion of counts without memory is 1 give or take sqrt(2 / (n - 1)).
    scatter = max(0.0, abs(lattice.dispersion - 1) - math.sqrt(2 / (looks_count - 1)))
    memoryless = 1 - between(scatter, 0.0, 1.0)
    if fine and lattice.gaps_count >= 4:
        memoryless = 1 - between(lattice.gaps_distance, 0.95, 1.5)
    found = {
        "explained": between(lattice.explained_ratio, 0.6, 0.97),
        "one_push": between(lattice.one_push_ratio, 0.4, 0.9),
        "job_larger": between(lattice.job_bytes / max(1, lattice.answer_bytes), 1.1, 2.0),
        "job_size": between(lattice.job_bytes, 60.0, 130.0),
        "share_size": between(lattice.share_bytes, 50.0, 100.0),
        "answer_size": between(lattice.answer_bytes, 20.0, 48.0),
        "prompt": lattice.prompt_ratio if fine else 0.5,
        "second_part": lattice.second_part_ratio,
        "tiny": 1 - between(lattice.least_bytes, 20.0, 46.0),
    }
    fits = math.prod(
        value for name, value in found.items() if name not in ("prompt", "second_part", "answer_size", "tiny")
    )
    fits *= (1 - found["second_part"]) * (0.5 + 0.5 * found["answer_size"]) * (0.5 + 0.5 * (1 - found["tiny"]))
    both = fits * memoryless
    return found | {
        "memoryless": memoryless,
        "clockwork": (1 - memoryless) * min(1.0, lattice.share_count / 10),
        "fits": fits,
        "fits_memoryless": both,
        "fits_shares": both * min(1.0, lattice.share_count / 12),
        "fits_jobs": both * min(1.0, lattice.push_count / 5),
        "busy": between(math.log10(max(1.0, lattice.bytes_per_s)), 2.6, 3.6),
    }


def between(value: float, low: float, high: float) -> float:
    """0 at `low`, 1 at `high`, straight between."""
    return min(1.0, max(0.0, (value - low) / (high - low)))


def score(lattice: Lattice) -> float:
    """The log-likelihood ratio before it is clipped."""
    given = inputs(lattice)
    weights = FINE_WEIGHTS if lattice.step_s <= FINE_STEP_S else COARSE_WEIGHTS
    return weights[""] + sum(weight * given[name] for name, weight in weights.items() if name)
