"""The first payload of each direction, put together in sequence order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from davylamp.catalog.sources.pcap.arrays import Int
from davylamp.catalog.sources.pcap.flow import HEAD_BYTES, SEGMENT_WEIGHT_BYTES, Flow, Segment
from davylamp.catalog.sources.pcap.frames import Frames
from davylamp.catalog.sources.pcap.keys import Grouped
from davylamp.catalog.sources.pcap.packets import UDP
from davylamp.catalog.sources.pcap.sequence import Segments

_WRAP = 1 << 32
# Overlapping or tiny segments may not make a head heavier than this many pieces.
_PIECES_KEPT_COUNT = 256
# Of TLS only the hello can be read; one with post-quantum key shares takes less than 2 kB.
_HELLO_BYTES = 4096


def keep_tcp_heads(frames: Frames, grouped: Grouped, segments: Segments, flows: list[Flow]) -> None:
    """Keeps the segments that lie in the first `HEAD_BYTES` of their stream."""
    if not segments.at.size:
        return
    streams = [flows[name >> 1].stream(name & 1) for name in segments.stream[segments.starts].tolist()]
    heads = np.array([stream.first for stream in streams], np.int64)
    limits = np.array([HEAD_BYTES if stream.track is None else _HELLO_BYTES for stream in streams], np.int64)
    counts = np.diff(np.append(segments.starts, segments.at.size))
    position = grouped.packets.sequence[segments.at] - np.repeat(heads, counts)
    position = (position + _WRAP // 2) % _WRAP - _WRAP // 2
    near = (position < np.repeat(limits, counts)) & (position > -HEAD_BYTES) & (segments.new_bytes > 0)
    _keep(frames, grouped, segments.at[near], position[near], flows, segments.stream[near])


def keep_udp_heads(frames: Frames, grouped: Grouped, part: Int, flows: list[Flow]) -> None:
    """Keeps datagrams until a direction has `HEAD_BYTES`."""
    packets = grouped.packets
    chosen = np.flatnonzero((packets.protocol == UDP) & (packets.payload_held > 0))
    if not chosen.size:
        return
    stream = part[chosen] * 2 + grouped.reverse[chosen]
    order = np.argsort(stream, kind="stable")
    at, stream = chosen[order], stream[order]
    running = np.cumsum(packets.payload_held[at]) - packets.payload_held[at]
    first = np.append(True, stream[1:] != stream[:-1])
    position = running - np.maximum.accumulate(np.where(first, running, 0))
    near = position < HEAD_BYTES
    at, stream, position = at[near], stream[near], position[near]
    held = np.array([flows[name >> 1].stream(name & 1).head_bytes for name in stream.tolist()], np.int64)
    _keep(frames, grouped, at, position + held, flows, stream)


def _keep(frames: Frames, grouped: Grouped, at: Int, position: Int, flows: list[Flow], stream: Int) -> None:
    packets, data = grouped.packets, frames.data
    rows = zip(
        stream.tolist(),
        position.tolist(),
        packets.payload_at[at].tolist(),
        packets.payload_held[at].tolist(),
        grouped.time_ns[at].tolist(),
        frames.number[packets.index[at]].tolist(),
        strict=True,
    )
    for name, place, start, held, time_ns, frame in rows:
        flow = flows[name >> 1]
        state = flow.stream(name & 1)
        if state.head_bytes >= 2 * HEAD_BYTES or len(state.head) >= _PIECES_KEPT_COUNT or not held:
            continue
        kept = min(held, HEAD_BYTES)
        piece = Segment(place, data[start : start + kept], time_ns, frame)
        if isinstance(state.head, tuple):
            state.head = [piece]
        else:
            state.head.append(piece)
        state.head_bytes += kept
        flow.kept_bytes += kept + SEGMENT_WEIGHT_BYTES


def assembled(pieces: Sequence[Segment]) -> tuple[bytes, int]:
    """The pieces in sequence order, and how many bytes come before the first gap.

    A gap becomes one newline: a dialogue of JSON lines can be read on behind it, and a parser of
    anything else is told to look at the bytes before the gap only.
    """
    if not pieces:
        return b"", 0
    if len(pieces) == 1:
        return pieces[0].data[:HEAD_BYTES], len(pieces[0].data)
    out = bytearray()
    whole_bytes = -1
    reached: int | None = None
    for piece in sorted(pieces, key=lambda each: each.position):
        if reached is not None and piece.position > reached:
            whole_bytes = len(out) if whole_bytes < 0 else whole_bytes
            out += b"\n"
            reached = piece.position
        known = 0 if reached is None else reached - piece.position
        if known >= len(piece.data):
            continue
        out += piece.data[known:]
        reached = piece.position + len(piece.data)
        if len(out) >= HEAD_BYTES:
            break
    del out[HEAD_BYTES:]
    return bytes(out), len(out) if whole_bytes < 0 else whole_bytes
