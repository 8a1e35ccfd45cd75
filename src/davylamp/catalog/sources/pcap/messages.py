"""Application messages: bursts of payload in one direction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from davylamp.catalog.sources.pcap.arrays import Int
from davylamp.catalog.sources.pcap.flow import MESSAGES_KEPT_COUNT, Dialogue, Flow
from davylamp.catalog.sources.pcap.keys import Grouped
from davylamp.catalog.sources.pcap.packets import PUSH, TCP, UDP

# Segments of one write follow each other within far less than this on any link faster than 2 Mbit/s;
# two writes of one answer (a header, then its body) mostly do too.
BURST_NS = 10_000_000
# A segment without PSH says that its sender holds more of the same write (RFC 9293 3.9.1.2): the rest
# may wait for an acknowledgement, at most for one retransmission time-out (RFC 6298: 1 s).
UNFINISHED_NS = 1_000_000_000
# Below the smallest segment every path carries (RFC 9293 3.7.1) a missing PSH says nothing.
UNFINISHED_FROM_BYTES = 536
_DIALOGUE_WEIGHT_BYTES = 350


@dataclass(frozen=True, slots=True)
class _Bursts:
    starts: Int
    part: Int
    way: Int
    time_ns: Int
    signed: Int


def keep_messages(grouped: Grouped, part: Int, sizes: Int, flows: list[Flow]) -> None:
    """Adds the messages of a buffer to their flows.

    Args:
        sizes: new payload of each packet, without TLS record headers; -1 where it has none.
    """
    packets = grouped.packets
    bearing = (packets.protocol == TCP) | (packets.protocol == UDP)
    chosen = np.flatnonzero(bearing & (sizes >= 0) & (packets.payload_bytes > 0))
    if not chosen.size:
        return
    part, way, time_ns = part[chosen], grouped.reverse[chosen], grouped.time_ns[chosen]
    tcp = packets.protocol[chosen] == TCP
    unfinished = tcp & (packets.flags[chosen] & PUSH == 0) & (packets.payload_bytes[chosen] >= UNFINISHED_FROM_BYTES)
    begins = np.ones(chosen.size, np.bool_)
    gap = time_ns[1:] - time_ns[:-1]
    soon = (gap <= BURST_NS) | (unfinished[:-1] & (gap <= UNFINISHED_NS))
    begins[1:] = (part[1:] != part[:-1]) | (way[1:] != way[:-1]) | ~soon | ~tcp[1:]
    starts = np.flatnonzero(begins).astype(np.int64)
    size = np.add.reduceat(sizes[chosen], starts)
    bursts = _Bursts(
        starts, part[starts], way[starts], time_ns[starts], np.where(way[starts] == 0, size, -size).astype(np.int64)
    )
    ends = np.flatnonzero(np.append(part[1:] != part[:-1], True))
    firsts = np.flatnonzero(np.append(True, bursts.part[1:] != bursts.part[:-1])).tolist()
    lasts = [*firsts[1:], bursts.starts.size]
    tails = zip(way[ends].tolist(), time_ns[ends].tolist(), unfinished[ends].tolist(), strict=True)
    for first, last, tail in zip(firsts, lasts, tails, strict=True):
        _hand_out(bursts, (first, last), tail, flows[int(bursts.part[first])])


def _hand_out(bursts: _Bursts, rows: tuple[int, int], tail: tuple[int, int, bool], flow: Flow) -> None:
    """Adds one part's messages to its flow; the first may go on with the flow's last one."""
    first, last = rows
    way = int(bursts.way[first])
    dialogue = flow.dialogue
    if dialogue is None:
        dialogue = flow.dialogue = Dialogue()
        flow.kept_bytes += _DIALOGUE_WEIGHT_BYTES
    elif dialogue.last_way == way and flow.protocol == TCP:
        gap = int(bursts.time_ns[first]) - dialogue.last_ns
        if gap <= BURST_NS or (dialogue.last_unfinished and gap <= UNFINISHED_NS):
            if not dialogue.overfull:
                dialogue.sizes[-1] += int(bursts.signed[first])
            first += 1
    dialogue.last_way, dialogue.last_ns, dialogue.last_unfinished = tail
    room = MESSAGES_KEPT_COUNT - len(dialogue.sizes)
    dialogue.overfull = dialogue.overfull or last - first > room
    last = min(last, first + room)
    if first < last:
        dialogue.times.frombytes(bursts.time_ns[first:last].tobytes())
        dialogue.sizes.frombytes(bursts.signed[first:last].tobytes())
        flow.kept_bytes += 16 * (last - first)
