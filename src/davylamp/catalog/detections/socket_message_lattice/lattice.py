"""The lattice of a connection: whether all that its counters gained is sums of a share, its answer and a job.

Knowledge base, detection methods 2.5. The kernel tells how many bytes and segments a connection has carried, and how
long ago the last went each way, not its messages; but a tiny alphabet leaves few sums, and the number of segments says
of how many. Sizes are learned from each connection, none is known beforehand.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from davylamp.kit.rhythm import excess_ratio, exponential_distance, second_part_ratio

# Message numbers, nonces and difficulties make a message of one kind some bytes longer or shorter.
TOLERANCE_BYTES = 4
BURSTS_MOST_COUNT = 600
# Of a look with more messages nothing can be said, and no file's counters may make us count to them.
MESSAGES_MOST_COUNT = 30
JOBS_SIZES_COUNT = 2
# Notices of a new difficulty are rarer than jobs, or as many; one stray message is neither.
JOB_LEAST_RATIO = 0.2
# Looks this short hold single messages; in longer ones instants inside a look are unknown.
FINE_STEP_S = 2.0


@dataclass(frozen=True, slots=True)
class Reading:
    """The counters at one instant; segments and ages are None where the kernel does not tell them."""

    at_s: float
    out_bytes: int
    in_bytes: int
    out_count: int | None = None
    in_count: int | None = None
    sent_ago_s: float | None = None
    received_ago_s: float | None = None


@dataclass(frozen=True, slots=True)
class Burst:
    """What a connection gained between two readings, and when the last of it went each way."""

    out_bytes: int
    in_bytes: int
    out_count: int
    in_count: int
    sent_s: float
    received_s: float
    began_s: float


@dataclass(frozen=True, slots=True)
class Lattice:
    """Figures of one connection.

    Args:
        share_bytes, answer_bytes, job_bytes: the sizes learned; 0 where none was.
        share_count, push_count: how many of each the bursts hold that these sizes explain.
        explained_ratio: share of bursts that are sums of the sizes with as many messages as segments.
        one_push_ratio: share of the pushes that came alone which repeat one of the job's sizes.
        prompt_ratio: share of single requests whose answer came after them, within the same look.
        gaps_distance: distance of the requests' gaps from memoryless ones (`exponential_distance`); 0 if unknown.
        dispersion: variance over mean of requests per look; 1 where they have no memory, near 0 for a timer.
        second_part_ratio: share of pushes at one delay after a request, or in the same look as one, beyond chance.
    """

    duration_s: float
    step_s: float
    burst_count: int
    share_bytes: int
    answer_bytes: int
    job_bytes: int
    share_count: int
    push_count: int
    explained_ratio: float
    one_push_ratio: float
    prompt_ratio: float
    gaps_distance: float
    gaps_count: int
    dispersion: float
    second_part_ratio: float
    bytes_per_s: float
    least_bytes: int


def lattice_of(readings: Sequence[Reading]) -> Lattice | None:
    """The lattice of readings in time order; None where nothing moved, or too much at once."""
    step_s = _step(readings)
    bursts = _bursts(readings, step_s)[:BURSTS_MOST_COUNT]
    if not bursts or max(max(each.out_count, each.in_count) for each in bursts) > MESSAGES_MOST_COUNT:
        return None
    share, answer = _share_and_answer(bursts)
    alone = _pushes_alone(bursts, step_s)
    jobs = _jobs(bursts, alone, answer)
    explained = [found for each in bursts if (found := _explained(each, share, answer, jobs)) is not None]
    duration_s = max(1.0, readings[-1].at_s - readings[0].at_s)
    requests, pushes = _instants(bursts, alone, step_s)
    gaps = [later - earlier for earlier, later in itertools.pairwise(requests)]
    return Lattice(
        duration_s=duration_s,
        step_s=step_s,
        burst_count=len(bursts),
        share_bytes=share,
        answer_bytes=answer,
        job_bytes=max(jobs, default=0),
        share_count=sum(shares for shares, _ in explained),
        push_count=sum(count for _, count in explained),
        explained_ratio=len(explained) / len(bursts),
        one_push_ratio=_repeated_ratio([each.in_bytes / each.in_count for each in alone], jobs),
        prompt_ratio=_prompt_ratio(bursts),
        gaps_distance=exponential_distance(gaps) if step_s <= FINE_STEP_S else 0.0,
        gaps_count=len(gaps) if step_s <= FINE_STEP_S else 0,
        dispersion=_dispersion(bursts, duration_s, step_s),
        second_part_ratio=max(
            second_part_ratio(requests, pushes) if requests and pushes else 0.0,
            _together_ratio(bursts, share, answer, jobs, duration_s / step_s),
        ),
        bytes_per_s=sum(each.out_bytes + each.in_bytes for each in bursts) / duration_s,
        least_bytes=min(_singles(bursts), default=0),
    )


def _step(readings: Sequence[Reading]) -> float:
    """How often was looked: rows are written where something moved, so the smaller gaps tell."""
    gaps = sorted(later.at_s - earlier.at_s for earlier, later in itertools.pairwise(readings))
    gaps = [gap_s for gap_s in gaps if gap_s > 0.2]
    return max(0.5, gaps[len(gaps) // 10]) if gaps else 1.0


def _bursts(readings: Sequence[Reading], step_s: float) -> list[Burst]:
    """Gains from reading to reading; what was sent and not yet acknowledged belongs to the next."""
    bursts: list[Burst] = []
    waiting_count = 0
    for before, now in itertools.pairwise(readings):
        out_bytes, in_bytes = max(0, now.out_bytes - before.out_bytes), max(0, now.in_bytes - before.in_bytes)
        out_count = _gained(before.out_count, now.out_count, out_bytes) + waiting_count
        in_count = _gained(before.in_count, now.in_count, in_bytes)
        waiting_count = out_count if out_count and not out_bytes else 0
        if not out_bytes and not in_bytes:
            continue
        sent_s = now.at_s - (now.sent_ago_s if now.sent_ago_s is not None else step_s / 2)
        received_s = now.at_s - (now.received_ago_s if now.received_ago_s is not None else step_s / 2)
        bursts.append(
            Burst(
                out_bytes,
                in_bytes,
                max(1, out_count) if out_bytes else 0,
                max(1, in_count) if in_bytes else 0,
                sent_s,
                received_s,
                max(before.at_s, now.at_s - step_s),
            )
        )
    return bursts


def _gained(before: int | None, now: int | None, gained_bytes: int) -> int:
    if before is None or now is None:
        return 1 if gained_bytes else 0
    return max(0, now - before)


def _share_and_answer(bursts: Sequence[Burst]) -> tuple[int, int]:
    """The commonest size sent, and the commonest size received in looks with as many messages each way."""
    sent = [round(each.out_bytes / each.out_count) for each in bursts for _ in range(each.out_count)]
    share = _commonest(sent)
    pairs = [each for each in bursts if each.out_count and each.out_count == each.in_count]
    fair = [each for each in pairs if abs(each.out_bytes - share * each.out_count) <= TOLERANCE_BYTES * each.out_count]
    return share, _commonest([round(each.in_bytes / each.in_count) for each in fair])


def _pushes_alone(bursts: Sequence[Burst], step_s: float) -> list[Burst]:
    """Bursts from the other end that are no late answers: no request of the last looks stood open."""
    alone = []
    open_count, sent_s = 0, float("-inf")
    for each in bursts:
        if each.began_s - sent_s > step_s:
            open_count = 0
        if not each.out_count and not open_count:
            alone.append(each)
        open_count = max(0, open_count + each.out_count - each.in_count)
        sent_s = each.sent_s if each.out_count else sent_s
    return alone


def _jobs(bursts: Sequence[Burst], alone: Sequence[Burst], answer: int) -> list[int]:
    """The sizes of what nobody asked for, the commonest first."""
    sizes = [round(each.in_bytes / each.in_count) for each in alone]
    if len(sizes) < 2:
        # In long looks jobs come together with shares; what is left after the answers is the job.
        sizes += [
            each.in_bytes - each.out_count * answer
            for each in bursts
            if each.out_count and each.in_count == each.out_count + 1
        ]
    counted = Counter(_classed([size for size in sizes if size > 0]))
    common = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:JOBS_SIZES_COUNT]
    return [size for size, count in common if count >= JOB_LEAST_RATIO * common[0][1]]


def _explained(each: Burst, share: int, answer: int, jobs: Sequence[int]) -> tuple[int, int] | None:
    """How many shares and pushes the burst holds; None where the sizes do not add up to it.

    An answer may come one look after its share, so that one more or one fewer is no contradiction.
    """
    if abs(each.out_bytes - share * each.out_count) > TOLERANCE_BYTES * each.out_count:
        return None
    for answers in (each.out_count, each.out_count - 1, each.out_count + 1):
        pushes = each.in_count - answers
        if answers < 0 or pushes < 0:
            continue
        rest = each.in_bytes - answers * answer
        room = TOLERANCE_BYTES * max(1, each.in_count)
        if pushes == 0 and abs(rest) <= room:
            return each.out_count, 0
        if pushes and jobs:
            most, least = jobs[0], jobs[-1]
            if any(abs(rest - number * most - (pushes - number) * least) <= room for number in range(pushes + 1)):
                return each.out_count, pushes
    return None


def _together_ratio(bursts: Sequence[Burst], share: int, answer: int, jobs: Sequence[int], looks_count: float) -> float:
    """How far pushes come in looks in which something was sent, beyond chance: jobs do not wait for shares."""
    together = everywhere = 0
    for each in bursts:
        found = _explained(each, share, answer, jobs)
        if found is not None and found[1]:
            everywhere += 1
            together += each.out_count > 0
    chance = sum(each.out_count > 0 for each in bursts) / max(1.0, looks_count)
    return excess_ratio(together, everywhere, min(chance, 0.99)) if everywhere else 0.0


def _instants(bursts: Sequence[Burst], alone: Sequence[Burst], step_s: float) -> tuple[list[float], list[float]]:
    """When was sent, and when came what nobody asked for; several in a look stand evenly in it."""
    requests: list[float] = []
    for each in bursts:
        room_s = max(0.0, min(each.sent_s - each.began_s, step_s))
        requests += [each.sent_s - room_s * number / max(1, each.out_count) for number in range(each.out_count)]
    return sorted(requests), sorted(each.received_s for each in alone)


def _prompt_ratio(bursts: Sequence[Burst]) -> float:
    single = [each for each in bursts if each.out_count == 1 and each.in_count == 1]
    return sum(0.0 <= each.received_s - each.sent_s <= 1.0 for each in single) / len(single) if single else 0.0


def _dispersion(bursts: Sequence[Burst], duration_s: float, step_s: float) -> float:
    looks_count = max(len(bursts), round(duration_s / step_s))
    mean = sum(each.out_count for each in bursts) / looks_count
    square = sum(each.out_count**2 for each in bursts) / looks_count
    return (square - mean**2) / mean if mean > 0 else 0.0


def _repeated_ratio(sizes: Sequence[float], jobs: Sequence[int]) -> float:
    """Share of pushes that repeat one of the sizes; the first of each is no repeat."""
    near = [job for size in sizes for job in jobs if abs(size - job) <= TOLERANCE_BYTES]
    kinds_count = len(set(near))
    left_count = len(sizes) - kinds_count
    return max(0, len(near) - kinds_count) / left_count if left_count > 0 else 0.0


def _singles(bursts: Sequence[Burst]) -> list[int]:
    sent = [each.out_bytes for each in bursts if each.out_count == 1]
    return sent + [each.in_bytes for each in bursts if each.in_count == 1]


def _commonest(sizes: Sequence[int]) -> int:
    """The commonest size, the smaller of two that are as common; 0 where there is none."""
    return min(Counter(_classed(sizes)).items(), key=lambda item: (-item[1], item[0]))[0] if sizes else 0


def _classed(sizes: Sequence[int]) -> list[int]:
    """Each size as the smallest one that lies within the tolerance of it."""
    first: dict[int, int] = {}
    begun: int | None = None
    for size in sorted(set(sizes)):
        begun = size if begun is None or size - begun > TOLERANCE_BYTES else begun
        first[size] = begun
    return [first[size] for size in sizes]
