"""Short looks: what speaks for mining in seconds to minutes, where each sign is judged together with the others.

An hour shows a dozen independent signs; a minute holds fifteen shares and four jobs. What tells a miner then is that
all of it fits at once: one size asked, each answered by one short size, a larger size that nobody asked for, and gaps
without memory. `bench/fit_message_brief.py` computes the weights.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from davylamp.catalog.detections.mining_message_rhythm.exchange import Exchange, size_classes
from davylamp.catalog.detections.mining_message_rhythm.features import Shape
from davylamp.catalog.detections.mining_message_rhythm.model import between, inputs
from davylamp.kit.rhythm import exponential_distance, second_part_ratio

GAPS_FEWEST_COUNT = 4
# From here on the model of long looks is the better one: ten times as much was seen.
BRIEF_MOST_S = 240.0
# What the counts support, ln(recall / upper 95 % bound of false alarms): 3.3 in looks under 45 s at a score of 2 and
# more; 6.6 in longer ones at 6 and more, of which half is held back for kinds of software that nobody thought of.
SHORTEST_MOST_S = 45.0
SHORTEST_LLR_MOST, BRIEF_LLR_MOST = 3.3, 6.0
# From 45 s on, scores of 2 to 4 are those of 1,101 of 6,933 judgeable mining looks and of 25 of 12,938 benign ones
# (14 of these are the counter with notices), which supports 4.0: such a score says more than its own number.
BRIEF_LLR_LEAST = 3.5


@dataclass(frozen=True, slots=True)
class Brief:
    """Figures of a short look.

    Args:
        one_size_out_ratio: share of requests of the commonest size.
        one_answer_ratio: share of those that one size answers within the answer window.
        one_push_ratio: share of pushes of the commonest size that is not the answer's.
        request_bytes, answer_bytes, push_bytes: those sizes without the transport's own.
        gaps_distance: Lilliefors' distance of the requests' gaps from an exponential times the root of their number:
            0.7 on average and 1.06 once in twenty times where they have no memory (Lilliefors 1969).
        gaps_count: how many gaps stand behind it.
        second_part_ratio: share of pushes at one delay after a request, beyond chance, where most requests have one.
    """

    request_count: int
    push_count: int
    one_size_out_ratio: float
    one_answer_ratio: float
    one_push_ratio: float
    request_bytes: float
    answer_bytes: float
    push_bytes: float
    gaps_distance: float
    gaps_count: int
    second_part_ratio: float


def brief_of(exchange: Exchange, overhead_bytes: int) -> Brief:
    """The figures of an exchange that has requests, answers and pushes."""
    sent = size_classes([size for _, size in exchange.requests], exchange.step_out_bytes)
    asked = Counter(sent[size] for _, size in exchange.requests).most_common(1)[0][0]
    moments = [moment_s for moment_s, size in exchange.requests if sent[size] == asked]
    served = sorted([*exchange.answers, *exchange.pushes])
    heard = size_classes([size for _, size in served], exchange.step_in_bytes)
    answer, answered_count = _answer(moments, [(at, heard[size]) for at, size in served], exchange.answer_window_s)
    others = Counter(heard[size] for _, size in exchange.pushes if heard[size] != answer)
    push, push_count = others.most_common(1)[0] if others else (0, 0)
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    return Brief(
        request_count=len(moments),
        push_count=len(exchange.pushes),
        one_size_out_ratio=len(moments) / len(exchange.requests),
        one_answer_ratio=answered_count / len(moments),
        one_push_ratio=push_count / len(exchange.pushes),
        request_bytes=asked - overhead_bytes,
        answer_bytes=answer - overhead_bytes,
        push_bytes=push - overhead_bytes,
        gaps_distance=exponential_distance(gaps),
        gaps_count=len(gaps),
        second_part_ratio=_second_part(exchange),
    )


def _second_part(exchange: Exchange) -> float:
    """How far pushes are second parts of answers; fewer than one for two requests are so in part at most."""
    requests = [moment_s for moment_s, _ in exchange.requests]
    pushes = [moment_s for moment_s, _ in exchange.pushes]
    return second_part_ratio(requests, pushes) * min(1.0, 2 * len(pushes) / len(requests))


def _answer(moments: Sequence[float], served: Sequence[tuple[float, int]], window_s: float) -> tuple[int, int]:
    """The size that most often is one of the next two messages within the window, and how often it is."""
    times = [at_s for at_s, _ in served]
    found: Counter[int] = Counter()
    for moment_s in moments:
        place = bisect_right(times, moment_s)
        found.update({size for at_s, size in served[place : place + 2] if at_s - moment_s <= window_s})
    return min(found.items(), key=lambda item: (-item[1], item[0])) if found else (0, 0)


def brief_inputs(shape: Shape, brief: Brief) -> dict[str, float]:
    """The model's inputs, each 0..1: those of a long look, and the signs of a short one taken together."""
    found = inputs(shape)
    memoryless = 1 - between(brief.gaps_distance, 0.95, 1.5) if brief.gaps_count >= GAPS_FEWEST_COUNT else 0.6
    fits = math.prod(
        (
            between(brief.one_size_out_ratio, 0.5, 0.95),
            between(brief.one_answer_ratio, 0.6, 0.95),
            between(brief.one_push_ratio, 0.4, 0.9),
            # Sizes as in `inputs`: the shortest share, answer and job of any dialect, with room below.
            between(brief.request_bytes, 50.0, 75.0),
            between(brief.answer_bytes, 14.0, 22.0),
            between(brief.push_bytes, 60.0, 110.0),
            between(brief.push_bytes / max(brief.answer_bytes, 1.0), 1.1, 1.8),
            1 - found["push_echoed"],
            1 - found["push_prompted"],
            1 - found["turns"],
            1 - found["tiny_talk"],
            1 - brief.second_part_ratio,
        )
    )
    both = fits * memoryless
    return found | {
        "second_part": brief.second_part_ratio,
        "fits": fits,
        "fits_memoryless": both,
        "fits_shares": both * min(1.0, brief.request_count / 12),
        "fits_jobs": both * min(1.0, brief.push_count / 5),
        "fits_both": both * min(1.0, brief.request_count / 20) * min(1.0, brief.push_count / 8),
        "fits_exactly": both * float(shape.exact_ratio >= 1),
    }


def looked_for_s(shape: Shape) -> float:
    """How long was looked, from what was seen: the first of n instants and the last one span (n - 1) / (n + 1) of it.

    A minute's look at a share in ten seconds saw its first message after 8 s and its last one 9 s before the end.
    """
    count = shape.request_count + shape.push_count
    return shape.duration_s * (count + 1) / max(1, count - 1)


def brief_judgeable(shape: Shape, brief: Brief) -> bool:
    """Whether there is enough to judge a short look: 12 s, three requests of one size and two pushes."""
    return brief.request_count >= 3 and brief.push_count >= 2 and shape.duration_s >= 12


def brief_llr_most(shape: Shape) -> float:
    """The most that a look so short may say."""
    return SHORTEST_LLR_MOST if looked_for_s(shape) < SHORTEST_MOST_S else BRIEF_LLR_MOST


def brief_llr_least(shape: Shape) -> float:
    """What any score that is told says in a look so long."""
    return 0.0 if looked_for_s(shape) < SHORTEST_MOST_S else BRIEF_LLR_LEAST


BRIEF_SIGNS = {
    "client_alphabet": 1,
    "server_alphabet": 1,
    "answer_fixed": 1,
    "push_fixed": 1,
    "answered": 1,
    "push_count": 1,
    "request_count": 1,
    "push_larger": 1,
    "memoryless": 1,
    "request_size": 1,
    "push_size": 1,
    "exact": 1,
    "weakest": 1,
    "fits": 1,
    "fits_memoryless": 1,
    "fits_shares": 1,
    "fits_jobs": 1,
    "fits_both": 1,
    "fits_exactly": 1,
    "push_echoed": -1,
    "push_prompted": -1,
    "second_part": -1,
    "answer_tiny": -1,
    "push_hasty": -1,
    "heavy": -1,
    "tiny_talk": -1,
    "turns": -1,
}
BRIEF_WEIGHTS = {
    "client_alphabet": 0.65,
    "server_alphabet": 1.44,
    "answer_fixed": 2.04,
    "answered": 4.31,
    "push_larger": 6.86,
    "memoryless": 1.47,
    "request_size": 9.75,
    "exact": 0.88,
    "fits_memoryless": 1.59,
    "fits_shares": 1.64,
    "fits_both": 1.18,
    "fits_exactly": 0.87,
    "push_echoed": -2.17,
    "push_prompted": -1.36,
    "second_part": -5.20,
    "answer_tiny": -1.09,
    "tiny_talk": -7.26,
    "turns": -1.77,
    "": -24.34,
}
"""Log odds at even classes, so an LLR; the empty name is the constant. From `bench/fit_message_brief.py`."""


def brief_score(shape: Shape, brief: Brief) -> float:
    """The LLR of a short look before it is clipped."""
    given = brief_inputs(shape, brief)
    return BRIEF_WEIGHTS[""] + sum(weight * given[name] for name, weight in BRIEF_WEIGHTS.items() if name)
