"""Grouping packets into connections: the same two ends and protocol, whichever way they flow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from davylamp.catalog.sources.pcap.arrays import Bool, Int, Unsigned
from davylamp.catalog.sources.pcap.packets import ACK, FIN, RST, SYN, TCP, Packets

# A connection silent this long is over. TCP: pools close idle miners after 600 s (knowledge of public pool
# settings), the longest silence a live one shows. Others: RFC 4787 REQ-5, a mapping lives two minutes at least.
TCP_IDLE_NS = 600_000_000_000
OTHER_IDLE_NS = 120_000_000_000

Key = tuple[int, int, int, int, int]
_MIX = [np.uint64(odd) for odd in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)]


@dataclass(frozen=True, slots=True)
class Grouped:
    """Packets sorted by connection, and where each part of a connection starts.

    Args:
        packets: sorted, file order within a connection.
        time_ns: of each packet.
        reverse: whether a packet flows from the key's second end to its first.
        starts: first packet of each part; a part ends where the next starts.
        fresh: whether a part cannot belong to what was seen before it (silence).
        keys: key of each part's connection.
    """

    packets: Packets
    time_ns: Int
    reverse: Int
    starts: Int
    fresh: Bool
    keys: list[Key]

    @property
    def part(self) -> Int:
        """Number of the part each packet belongs to."""
        marks = np.zeros(self.time_ns.size, np.int64)
        marks[self.starts] = 1
        return np.cumsum(marks) - 1


def _ends(packets: Packets) -> tuple[list[Unsigned], Int]:
    high, low = packets.source_high, packets.source_low
    other_high, other_low = packets.target_high, packets.target_low
    same = (high == other_high) & (low == other_low)
    swap = (high > other_high) | ((high == other_high) & (low > other_low))
    swap |= same & (packets.source_port > packets.target_port)
    near = np.where(swap, packets.target_port, packets.source_port)
    far = np.where(swap, packets.source_port, packets.target_port)
    rest = near << 24 | far << 8 | packets.protocol | packets.six.astype(np.int64) << 40
    columns = [
        np.where(swap, other_high, high),
        np.where(swap, other_low, low),
        np.where(swap, high, other_high),
        np.where(swap, low, other_low),
        rest.astype(np.uint64),
    ]
    return columns, swap.astype(np.int64)


def _order(columns: list[Unsigned]) -> tuple[Int, Bool]:
    """A sort by connection, and where in it a connection begins."""
    mixed = columns[4].copy()
    for column, odd in zip(columns[:4], _MIX, strict=True):
        mixed = (mixed ^ column) * odd
        mixed ^= mixed >> np.uint64(29)
    order = np.argsort(mixed, kind="stable")
    begins = _changes([mixed[order]])
    # Two connections with one hash would interleave: seen by comparing the keys themselves.
    if bool((_changes([column[order] for column in columns]) != begins).any()):
        order = np.lexsort(columns)
        begins = _changes([column[order] for column in columns])
    return order, begins


def _changes(columns: list[Unsigned]) -> Bool:
    out = np.zeros(columns[0].size, np.bool_)
    out[:1] = True
    for column in columns:
        out[1:] |= column[1:] != column[:-1]
    return out


def group(packets: Packets, time_ns: Int) -> Grouped:
    """Sorts packets by connection and cuts connections at silences and at new SYNs."""
    columns, reverse = _ends(packets)
    order, begins = _order(columns)
    packets, time_ns, reverse = packets.take(order), time_ns[order], reverse[order]
    limit = np.where(packets.protocol == TCP, TCP_IDLE_NS, OTHER_IDLE_NS)
    silent = np.zeros(time_ns.size, np.bool_)
    silent[1:] = (time_ns[1:] - time_ns[:-1] > limit[1:]) & ~begins[1:]
    starts = np.flatnonzero(begins | silent | _new_syns(packets, reverse, begins | silent)).astype(np.int64)
    chosen = order[starts]
    return Grouped(
        packets=packets,
        time_ns=time_ns,
        reverse=reverse,
        starts=starts,
        fresh=silent[starts],
        keys=list(zip(*(column[chosen].tolist() for column in columns), strict=True)),
    )


def _new_syns(packets: Packets, reverse: Int, begins: Bool) -> Bool:
    """Where a SYN opens a new connection on the same ports; a repeated SYN has the sequence number of the first."""
    out = np.zeros(begins.size, np.bool_)
    opening = np.flatnonzero((packets.flags & (SYN | ACK | FIN | RST)) == SYN)
    if not opening.size:
        return out
    connection = np.cumsum(begins)[opening]
    sequence, way = packets.sequence[opening], reverse[opening]
    repeated = np.zeros(opening.size, np.bool_)
    repeated[1:] = (connection[1:] == connection[:-1]) & (sequence[1:] == sequence[:-1]) & (way[1:] == way[:-1])
    # Both ends opening at once (RFC 9293 3.5) is one connection: the second SYN comes right behind the first.
    crossing = np.zeros(opening.size, np.bool_)
    crossing[1:] = (connection[1:] == connection[:-1]) & (way[1:] != way[:-1]) & (opening[1:] == opening[:-1] + 1)
    out[opening[~repeated & ~crossing]] = True
    return out
