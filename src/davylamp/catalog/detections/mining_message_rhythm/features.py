"""What the model weighs: bounded numbers of one exchange, each with a meaning a person can check."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from davylamp.catalog.detections.mining_message_rhythm.exchange import (
    CLASS_STEPS_BYTES,
    Exchange,
    covered_ratio,
    size_classes,
)

GAPS_CHUNK_COUNT = 24
"""Gaps are judged in stretches of this many: a pool that changes the difficulty changes the rate between."""
GAPS_FEWEST_COUNT = 4
CLASSED_RATIO = 0.7
TIMER_CV = 0.3
ANSWER_SHARE_RATIO = 0.1
PUSH_SHARE_RATIO = 0.2
TINY_BYTES = 20
"""The shortest answer of any mining dialect, `{"id":4,"result":true}`, has 22 bytes."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Raw numbers of an exchange, for the sentence and for the weights' inputs.

    Args:
        gap_cv: coefficient of variation of the gaps between the requests that look most memoryless.
        gap_count: how many gaps stand behind it; 0 when too few.
        echo_ratio: share of pushes the client answers at once, beyond chance.
        push_fixed_ratio: share of pushes that repeat one of three sizes.
        prompted_ratio: how far pushes crowd behind requests, beyond chance: 0 where they ignore them.
        exact_ratio: 1 where sizes repeat to the byte, less where classes had to be made wider.
        tiny_ratio: share of messages too short for any object of a mining dialect: heartbeats, receipts.
        turns_ratio: how far requests and pushes take turns, beyond chance: opponents in a game, not shares and jobs.
    """

    request_count: int
    answer_count: int
    push_count: int
    two_sizes_out_ratio: float
    three_sizes_in_ratio: float
    answered_ratio: float
    answer_fixed_ratio: float
    push_fixed_ratio: float
    push_ratio: float
    gap_cv: float
    gap_count: int
    request_bytes: float
    answer_bytes: float
    push_bytes: float
    push_gap_s: float
    push_gap_cv: float
    echo_ratio: float
    prompted_ratio: float
    bytes_per_s: float
    duration_s: float
    exact_ratio: float
    tiny_ratio: float
    turns_ratio: float


def shape_of(exchange: Exchange, overhead_bytes: int) -> Shape | None:
    """The numbers of an exchange; None without requests, answers and two pushes.

    Args:
        overhead_bytes: what the transport adds to each message (TLS records), taken off the sizes.
    """
    if not exchange.requests or not exchange.answers or len(exchange.pushes) < 2:
        return None
    step_out, step_in = exchange.step_out_bytes, exchange.step_in_bytes
    sent = [size for _, size in exchange.requests]
    answered = [size for _, size in exchange.answers]
    pushed = [size for _, size in exchange.pushes]
    gap_cv, gap_count, request_bytes = _most_memoryless(exchange.requests, exchange.step_out_bytes)
    push_gaps = _gaps([moment_s for moment_s, _ in exchange.pushes])
    duration_s = max(exchange.duration_s, 1.0)
    return Shape(
        request_count=len(sent),
        answer_count=len(answered),
        push_count=len(pushed),
        two_sizes_out_ratio=covered_ratio(sent, 2, step_out),
        three_sizes_in_ratio=covered_ratio(answered + pushed, 3, step_in),
        answered_ratio=exchange.answered_count / len(sent),
        answer_fixed_ratio=covered_ratio(answered, 1, step_in),
        push_fixed_ratio=_repeated_ratio(pushed, step_in),
        push_ratio=len(pushed) / (len(pushed) + len(answered)),
        gap_cv=gap_cv,
        gap_count=gap_count,
        request_bytes=request_bytes - overhead_bytes,
        answer_bytes=_short_answer(answered, step_in) - overhead_bytes,
        push_bytes=_long_push(pushed, step_in) - overhead_bytes,
        push_gap_s=median(push_gaps),
        push_gap_cv=_variation(push_gaps),
        echo_ratio=_echo_ratio(exchange, duration_s),
        prompted_ratio=_prompted_ratio(exchange),
        bytes_per_s=(sum(sent) + sum(answered) + sum(pushed)) / duration_s,
        duration_s=exchange.duration_s,
        exact_ratio=2 / max(step_out, step_in),
        tiny_ratio=_tiny_ratio([*sent, *answered, *pushed], overhead_bytes),
        turns_ratio=_turns_ratio(exchange),
    )


def _tiny_ratio(sizes_bytes: Sequence[int], overhead_bytes: int) -> float:
    return sum(size - overhead_bytes < TINY_BYTES for size in sizes_bytes) / len(sizes_bytes)


def _turns_ratio(exchange: Exchange) -> float:
    """How many of the pauses between requests hold exactly one push, beyond what independent ones reach.

    Pushes at a rate of their own leave at most 37 % of pauses with just one (Poisson); a timer beside a
    timer may do more by its phase, so half is expected.
    """
    moments = [moment_s for moment_s, _ in exchange.requests]
    counts = Counter(bisect_right(moments, moment_s) for moment_s, _ in exchange.pushes)
    pauses_count = len(moments) - 1
    if pauses_count < 2:
        return 0.0
    alone = sum(counts[position] == 1 for position in range(1, len(moments)))
    chance = min(0.5 + 0.82 / math.sqrt(pauses_count), 0.95)
    return max(0.0, (alone / pauses_count - chance) / (1 - chance))


def _long_push(sizes_bytes: Sequence[int], step_bytes: int) -> float:
    """The largest size that one push in five has: notices of a new difficulty may outnumber the jobs."""
    classes = size_classes(sizes_bytes, step_bytes)
    counts = Counter(classes[size] for size in sizes_bytes)
    usual = [kind for kind, count in counts.items() if count >= PUSH_SHARE_RATIO * len(sizes_bytes)]
    return float(max(usual)) if usual else float(median(sizes_bytes))


def _repeated_ratio(sizes_bytes: Sequence[int], step_bytes: int) -> float:
    """Share of messages that repeat one of the three most frequent sizes; the first of each is no repeat.

    Three, since a Bitcoin job is longer by 67 bytes for each further branch.
    """
    classes = size_classes(sizes_bytes, step_bytes)
    usual = Counter(classes[size] for size in sizes_bytes).most_common(3)
    left = len(sizes_bytes) - len(usual)
    return (sum(count for _, count in usual) - len(usual)) / left if left > 0 else 0.0


def _short_answer(sizes_bytes: Sequence[int], step_bytes: int) -> float:
    """The smallest size that one answer in ten has: polls for work are answered with work, shares shortly."""
    classes = size_classes(sizes_bytes, step_bytes)
    counts = Counter(classes[size] for size in sizes_bytes)
    usual = [kind for kind, count in counts.items() if count >= ANSWER_SHARE_RATIO * len(sizes_bytes)]
    return float(min(usual)) if usual else float(median(sizes_bytes))


def _gaps(moments_s: Sequence[float]) -> list[float]:
    return [max(later - earlier, 0.0) for earlier, later in itertools.pairwise(moments_s)]


def _variation(gaps_s: Sequence[float]) -> float:
    """Coefficient of variation, the median over stretches; 0 where there is none."""
    chunks_count = max(1, len(gaps_s) // GAPS_CHUNK_COUNT)
    size = math.ceil(len(gaps_s) / chunks_count) if gaps_s else 1
    found = []
    for begin in range(0, len(gaps_s), size):
        chunk = gaps_s[begin : begin + size]
        mean_s = sum(chunk) / len(chunk)
        if len(chunk) < 2 or mean_s <= 0:
            continue
        variance = sum((gap - mean_s) ** 2 for gap in chunk) / (len(chunk) - 1)
        found.append(math.sqrt(variance) / mean_s)
    return median(found) if found else 0.0


def _most_memoryless(requests: Sequence[tuple[float, int]], step_bytes: int) -> tuple[float, int, float]:
    """CV, gap count and size of the requests whose gaps are nearest to a memoryless process.

    Polls and keep-alives on a timer may outnumber the shares, so every size class with enough
    messages is looked at, and what is left without the most frequent class; where only a timer's
    class has enough, the others' gaps are unknown, not periodic. Where sizes vary, all requests are
    taken together: a part drawn at random from a timer's messages looks memoryless.
    """
    sizes = [size for _, size in requests]
    classes = size_classes(sizes, step_bytes)
    common = [kind for kind, _ in Counter(classes[size] for size in sizes).most_common(4)]
    groups = [list(requests)]
    if step_bytes == CLASS_STEPS_BYTES[0] and covered_ratio(sizes, 2, step_bytes) >= CLASSED_RATIO:
        groups = [[message for message in requests if classes[message[1]] == kind] for kind in common]
        groups.append([message for message in requests if classes[message[1]] != common[0]])
    best = (0.0, 0, float(median(size for _, size in requests)))
    best_distance = math.inf
    for group in groups:
        gaps = _gaps([moment_s for moment_s, _ in group])
        found = _variation(gaps)
        distance = abs(math.log(max(found, 1e-3))) + 1 / math.sqrt(max(len(gaps), 1))
        if len(gaps) >= GAPS_FEWEST_COUNT and distance < best_distance:
            best, best_distance = (found, len(gaps), float(median(size for _, size in group))), distance
    rest = groups[-1]
    if best[0] < TIMER_CV and len(groups) > 1 and 2 <= len(rest) <= GAPS_FEWEST_COUNT:
        return 0.0, 0, float(median(size for _, size in rest))
    return best


def _echo_ratio(exchange: Exchange, duration_s: float) -> float:
    moments = [moment_s for moment_s, _ in exchange.requests]
    window_s = exchange.answer_window_s
    followed = 0
    for moment_s, _ in exchange.pushes:
        position = bisect_right(moments, moment_s)
        followed += position < len(moments) and moments[position] - moment_s <= window_s
    chance = 1 - math.exp(-len(moments) / duration_s * window_s)
    # What as many independent pushes reach once in twenty times: three pushes among quick shares say nothing.
    chance += 1.64 * math.sqrt(chance * (1 - chance) / len(exchange.pushes))
    observed = followed / len(exchange.pushes)
    return max(0.0, (observed - chance) / (1 - chance)) if chance < 0.95 else 0.0


def _prompted_ratio(exchange: Exchange) -> float:
    """Largest excess of pushes within any time after a request over the share of time that lies there.

    A job ignores shares; the second part of an answer does not. One-sided Kolmogorov-Smirnov
    distance, less what as many independent pushes reach once in twenty times.
    """
    moments = [moment_s for moment_s, _ in exchange.requests]
    end_s = max(moments[-1], exchange.pushes[-1][0])
    gaps = sorted([*_gaps(moments), end_s - moments[-1]])
    before = [0.0]
    for gap_s in gaps:
        before.append(before[-1] + gap_s)
    lags = sorted(
        moment_s - moments[position - 1]
        for moment_s, _ in exchange.pushes
        if (position := bisect_right(moments, moment_s)) > 0
    )
    if len(lags) < 2 or before[-1] <= 0:
        return 0.0
    excess = 0.0
    for rank, lag_s in enumerate(lags, start=1):
        position = bisect_right(gaps, lag_s)
        covered = (before[position] + (len(gaps) - position) * lag_s) / before[-1]
        excess = max(excess, rank / len(lags) - covered)
    chance = min(1.22 / math.sqrt(len(lags)), 0.9)
    return max(0.0, (excess - chance) / (1 - chance))
