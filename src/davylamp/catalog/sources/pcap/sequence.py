"""Which payload bytes are new: retransmissions and keep-alives fall away by sequence number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from davylamp.catalog.sources.pcap.arrays import Bool, Int, starts_of_runs
from davylamp.catalog.sources.pcap.flow import Flow
from davylamp.catalog.sources.pcap.keys import Grouped
from davylamp.catalog.sources.pcap.packets import TCP

_WRAP = 1 << 32
# Farther than this from what was expected, a segment is out of any window in use: it does not move the
# expected number, or one forged segment would hide all that follow.
WINDOW_BYTES = 1 << 24
_HOLES_KEPT_COUNT = 64


@dataclass(frozen=True, slots=True)
class Segments:
    """TCP packets with payload, sorted by part, way and file order.

    Args:
        at: index into the grouped packets.
        stream: part * 2 + way.
        starts: first segment of each stream.
        new_bytes: payload bytes not seen before.
        known_bytes: bytes at the segment's start that were seen before.
    """

    at: Int
    stream: Int
    starts: Int
    new_bytes: Int
    known_bytes: Int


def new_payload(grouped: Grouped, part: Int, flows: list[Flow]) -> Segments:
    """Finds new payload in every TCP stream and moves the streams' expected numbers on."""
    packets = grouped.packets
    chosen = np.flatnonzero((packets.protocol == TCP) & (packets.payload_bytes > 0))
    stream = part[chosen] * 2 + grouped.reverse[chosen]
    order = np.argsort(stream, kind="stable")
    at, stream = chosen[order], stream[order]
    starts = starts_of_runs(stream)
    sequence, length = packets.sequence[at], packets.payload_bytes[at]
    base, joined = _bases(stream[starts], sequence[starts], flows)
    counts = np.diff(np.append(starts, at.size))
    relative = (sequence - np.repeat(base, counts) + _WRAP // 2) % _WRAP - _WRAP // 2
    stop = relative + length
    top, before = _highest(stop, starts, counts)
    new_bytes = np.clip(stop - np.maximum(relative, before), 0, None)
    known = np.clip(before - relative, 0, None)
    odd = (relative > before) | (before - stop > WINDOW_BYTES)
    odd_streams = np.logical_or.reduceat(odd, starts) if starts.size else np.zeros(0, np.bool_)
    tops = top[starts + counts - 1].tolist() if starts.size else []
    for number, (name, begin, count) in enumerate(
        zip(stream[starts].tolist(), starts.tolist(), counts.tolist(), strict=True)
    ):
        state = flows[name >> 1].stream(name & 1)
        if odd_streams[number] or state.holes:
            rows = slice(begin, begin + count)
            reached = _follow(relative[rows].tolist(), length[rows].tolist(), state.holes)
            new_bytes[rows], known[rows] = reached.new_bytes, reached.known_bytes
            tops[number] = reached.top
            state.holes = [(low - reached.top, high - reached.top) for low, high in reached.holes]
        state.expected = (int(base[number]) + tops[number]) % _WRAP
    # The first byte of a stream joined in the middle, alone in its segment, is a keep-alive more often than not.
    new_bytes[starts[joined & (length[starts] == 1)]] = 0
    return Segments(at, stream, starts, new_bytes, known)


def _bases(names: Int, first: Int, flows: list[Flow]) -> tuple[Int, Bool]:
    """The number each stream expects; a stream joined in the middle expects what comes first (and is marked)."""
    base = first.copy()
    joined = np.zeros(first.size, np.bool_)
    for number, name in enumerate(names.tolist()):
        state = flows[name >> 1].stream(name & 1)
        if state.expected >= 0:
            base[number] = state.expected
        else:
            joined[number] = True
        if state.first < 0:
            state.first = int(base[number])
    return base, joined


def _highest(stop: Int, starts: Int, counts: Int) -> tuple[Int, Int]:
    """Running maximum of `stop` within each stream, at least 0, and the same before each segment."""
    # Each stream is lifted above all earlier ones, so one running maximum serves them all.
    lift = np.repeat(np.arange(starts.size, dtype=np.int64), counts) * (1 << 34)
    top = np.maximum(np.maximum.accumulate(stop + lift) - lift, 0) if stop.size else stop
    before = np.zeros_like(top)
    before[1:] = top[:-1]
    before[starts] = 0
    return top, before


@dataclass(slots=True)
class _Followed:
    top: int
    holes: list[tuple[int, int]]
    new_bytes: list[int]
    known_bytes: list[int]


def _follow(relative: list[int], length: list[int], holes: Iterable[tuple[int, int]]) -> _Followed:
    """Segment by segment, for the few streams with loss, reordering or numbers out of window."""
    out = _Followed(0, list(holes), [], [])
    for start, size in zip(relative, length, strict=True):
        stop = start + size
        new = size
        if abs(start - out.top) > WINDOW_BYTES:
            known = 0
        elif start >= out.top:
            known = 0
            if start > out.top:
                out.holes = [*out.holes[-_HOLES_KEPT_COUNT + 1 :], (out.top, start)]
            out.top = stop
        else:
            known = max(min(out.top, stop) - start, 0)
            filled = _fill(out, start, min(stop, out.top))
            new = filled + max(stop - out.top, 0)
            known = 0 if filled else known
            out.top = max(out.top, stop)
        out.new_bytes.append(new)
        out.known_bytes.append(known)
    return out


def _fill(out: _Followed, start: int, stop: int) -> int:
    """Takes a range out of the holes; how many bytes of it had been missing."""
    filled = 0
    left: list[tuple[int, int]] = []
    for low, high in out.holes:
        taken = min(high, stop) - max(low, start)
        if taken <= 0:
            left.append((low, high))
            continue
        filled += taken
        left.extend(each for each in ((low, start), (stop, high)) if each[0] < each[1])
    out.holes = left
    return filled
