"""The calibrated score: weights over bounded inputs. `bench/fit_message_rhythm.py` computes them again."""

from __future__ import annotations

import math

from davylamp.catalog.detections.mining_message_rhythm.features import Shape


def between(value: float, low: float, high: float) -> float:
    """0 at `low`, 1 at `high`, straight between, whichever is larger."""
    return min(1.0, max(0.0, (value - low) / (high - low)))


def inputs(shape: Shape) -> dict[str, float]:
    """The model's inputs, each 0..1 (sizes' ratio -1..1)."""
    # Wider above 1: throttling and a difficulty that is still sought cluster the shares.
    spread = math.sqrt((0.45 if shape.gap_cv > 1 else 0.25) ** 2 + 1.2 / max(shape.gap_count, 1))
    off = abs(math.log(max(shape.gap_cv, 1e-3))) / spread
    larger = math.log(max(shape.push_bytes, 1.0) / max(shape.answer_bytes, 1.0)) / math.log(4)
    found = {
        "client_alphabet": between(shape.two_sizes_out_ratio, 0.5, 0.97),
        "server_alphabet": between(shape.three_sizes_in_ratio, 0.5, 0.97),
        "answer_fixed": between(shape.answer_fixed_ratio, 0.4, 0.95),
        "push_fixed": between(shape.push_fixed_ratio, 0.4, 0.95),
        "answered": between(shape.answered_ratio, 0.45, 0.95),
        "push_count": min(1.0, math.log1p(shape.push_count) / math.log1p(30)),
        "request_count": min(1.0, math.log1p(shape.request_count) / math.log1p(30)),
        "push_larger": min(1.0, max(-1.0, larger)),
        "push_echoed": shape.echo_ratio,
        "push_prompted": shape.prompted_ratio,
        "memoryless": math.exp(-0.5 * off**2) if shape.gap_count else 0.0,
        "gaps_known": 1.0 if shape.gap_count else 0.0,
        "answer_tiny": 1.0 - between(shape.answer_bytes, 8.0, 20.0),
        "request_size": between(shape.request_bytes, 30.0, 70.0),
        # The shortest job is a digest of 64 digits under its method's name: 110 bytes.
        "push_size": between(shape.push_bytes, 60.0, 110.0),
        "push_hasty": 1.0 - between(shape.push_gap_s, 0.3, 3.0),
        "heavy": between(math.log10(max(shape.bytes_per_s, 1.0)), 2.6, 3.6),
        "exact": shape.exact_ratio,
        "tiny_talk": between(shape.tiny_ratio, 0.01, 0.08),
        "turns": shape.turns_ratio,
    }
    found["weakest"] = min(
        found["client_alphabet"],
        found["push_fixed"],
        found["answered"],
        found["request_size"],
        found["push_size"],
        1 - found["push_echoed"],
        1 - found["push_prompted"],
        1 - found["answer_tiny"],
        1 - found["push_hasty"],
        1 - found["turns"],
        found["memoryless"] if shape.gap_count else 0.5,
    )
    return found


def overhead_of(application: str | None, tls_version: str | None) -> int:
    """Bytes a TLS record adds beside its header, which message sizes leave out: 17 in TLS 1.3, 24 in
    TLS 1.2 with AES-GCM; 0 without TLS.

    An unknown version counts as 1.3: seven bytes too few do not move any input by much.
    """
    if application != "tls" and not tls_version:
        return 0
    return 24 if tls_version and "1.3" not in tls_version and "13" not in tls_version else 17


def judgeable(shape: Shape) -> bool:
    """Whether there is enough to judge: 40 s, two requests and three pushes after the opening."""
    return shape.push_count >= 3 and shape.request_count >= 2 and shape.duration_s >= 40


JOBS_FEWEST_COUNT = 4
JOBS_REPEATED_RATIO_FEWEST = 0.5


def sends_jobs(shape: Shape) -> bool:
    """Whether the pushes can be jobs at all: from four on, half of them repeat one of three sizes.

    The weights let other signs make up for it: a language server's three requests of one size and 26 notices of any
    size scored 2.8. Of 457 emulated miners that are caught none has under 0.6.
    """
    return shape.push_count < JOBS_FEWEST_COUNT or shape.push_fixed_ratio >= JOBS_REPEATED_RATIO_FEWEST


LLR_FEWEST = 2.0
LLR_MOST = 5.3
SIGNS = {
    "client_alphabet": 1,
    "server_alphabet": 1,
    "answer_fixed": 1,
    "push_fixed": 1,
    "answered": 1,
    "push_count": 1,
    "request_count": 1,
    "push_larger": 1,
    "push_echoed": -1,
    "push_prompted": -1,
    "memoryless": 1,
    "gaps_known": -1,
    "answer_tiny": -1,
    "request_size": 1,
    "push_size": 1,
    "push_hasty": -1,
    "heavy": -1,
    "exact": 1,
    "tiny_talk": -1,
    "turns": -1,
    "weakest": 1,
}

WEIGHTS = {
    "push_fixed": 1.16,
    "answered": 2.54,
    "push_count": 2.99,
    "push_larger": 2.82,
    "push_echoed": -7.39,
    "push_prompted": -4.89,
    "gaps_known": -3.57,
    "answer_tiny": -0.24,
    "request_size": 7.96,
    "push_size": 3.97,
    "push_hasty": -2.62,
    "tiny_talk": -7.88,
    "turns": -4.38,
    "weakest": 5.00,
    "": -17.00,
}
"""Log odds at even classes, so an LLR; the empty name is the constant. From `bench/fit_message_rhythm.py`."""


def score(shape: Shape) -> float:
    """The LLR of a shape before it is clipped."""
    given = inputs(shape)
    return WEIGHTS[""] + sum(weight * given[name] for name, weight in WEIGHTS.items() if name)
