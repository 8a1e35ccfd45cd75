"""All open connections: takes buffers of packets, gives up connections that are over."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from davylamp.catalog.sources.pcap.arrays import Int, Window
from davylamp.catalog.sources.pcap.flow import Flow
from davylamp.catalog.sources.pcap.frames import Frames
from davylamp.catalog.sources.pcap.heads import keep_tcp_heads, keep_udp_heads
from davylamp.catalog.sources.pcap.keys import OTHER_IDLE_NS, TCP_IDLE_NS, Grouped, Key, group
from davylamp.catalog.sources.pcap.messages import keep_messages
from davylamp.catalog.sources.pcap.packets import ACK, FIN, RST, SYN, TCP, UDP, Packets
from davylamp.catalog.sources.pcap.records import header_bytes
from davylamp.catalog.sources.pcap.sequence import new_payload


class FlowTable:
    """Open flows, within a budget of memory.

    Args:
        budget_bytes: what open flows may weigh; the longest silent ones are ended to stay within.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        self._open: dict[Key, Flow] = {}
        self._over: list[Flow] = []
        self.evicted_count = 0

    def add(self, frames: Frames, packets: Packets) -> None:
        """Takes the packets of one buffer."""
        grouped = group(packets, frames.time_ns[packets.index])
        part = grouped.part
        flows = self._merge(frames, grouped)
        self._opening(grouped, part, flows)
        segments = new_payload(grouped, part, flows)
        sizes = np.where(grouped.packets.protocol == UDP, grouped.packets.payload_bytes, -1)
        headers = header_bytes(frames.data, grouped, segments, Window(frames.data), flows)
        sizes[segments.at] = np.where(segments.new_bytes > 0, segments.new_bytes - headers, -1)
        keep_messages(grouped, part, sizes, flows)
        keep_tcp_heads(frames, grouped, segments, flows)
        keep_udp_heads(frames, grouped, part, flows)

    def _merge(self, frames: Frames, grouped: Grouped) -> list[Flow]:
        """The flow of each part, with counts, flags and times brought up to date."""
        starts = grouped.starts
        packets, reverse = grouped.packets, grouped.reverse
        forward = 1 - reverse
        columns: list[Int] = [
            np.minimum.reduceat(grouped.time_ns, starts),
            np.maximum.reduceat(grouped.time_ns, starts),
            np.add.reduceat(forward, starts),
            np.add.reduceat(reverse, starts),
            np.add.reduceat(packets.ip_bytes * forward, starts),
            np.add.reduceat(packets.ip_bytes * reverse, starts),
            np.bitwise_or.reduceat(packets.flags * forward, starts),
            np.bitwise_or.reduceat(packets.flags * reverse, starts),
            frames.number[packets.index[starts]],
            reverse[starts],
            np.where(packets.flags[starts] & (SYN | ACK | FIN | RST) == SYN, packets.sequence[starts], -1),
        ]
        rows = zip(*(column.tolist() for column in columns), strict=True)
        flows = []
        for key, fresh, row in zip(grouped.keys, grouped.fresh.tolist(), rows, strict=True):
            first, last, out, back, out_bytes, back_bytes, out_flags, back_flags, frame, way, syn = row
            flow = self._flow_for(key, fresh, first, syn)
            if flow is None:
                flow = self._open[key] = Flow(key, first, frame, way)
            flow.first_ns = min(flow.first_ns, first)
            flow.last_ns = max(flow.last_ns, last)
            flow.packets_out += out
            flow.packets_back += back
            flow.bytes_out += out_bytes
            flow.bytes_back += back_bytes
            flow.flags_out |= out_flags
            flow.flags_back |= back_flags
            flows.append(flow)
        return flows

    def _flow_for(self, key: Key, fresh: bool, first_ns: int, syn: int) -> Flow | None:
        flow = self._open.get(key)
        if flow is None:
            return None
        limit_ns = TCP_IDLE_NS if flow.protocol == TCP else OTHER_IDLE_NS
        # A SYN with another number than the one that opened the flow opens another flow.
        if fresh or first_ns - flow.last_ns > limit_ns or (syn >= 0 and flow.initial != syn):
            self._over.append(self._open.pop(key))
            return None
        return flow

    def _opening(self, grouped: Grouped, part: Int, flows: list[Flow]) -> None:
        """Reads SYNs: who is the client, and where each stream's numbers begin."""
        packets = grouped.packets
        opening = np.flatnonzero((packets.flags & (SYN | FIN | RST)) == SYN)
        # A SYN behind payload of its own sender opens nothing: a forged one must not move the expected numbers.
        first = np.ones(opening.size, np.bool_)
        for way in (0, 1):
            bearing = np.cumsum((packets.payload_bytes > 0) & (grouped.reverse == way) & (packets.protocol == TCP))
            before = bearing[opening] - (packets.payload_bytes[opening] > 0)
            start = grouped.starts[part[opening]]
            before -= np.where(start > 0, bearing[start - 1], 0)
            first &= (before == 0) | (grouped.reverse[opening] != way)
        opening = opening[first]
        rows = zip(
            part[opening].tolist(),
            grouped.reverse[opening].tolist(),
            packets.sequence[opening].tolist(),
            packets.flags[opening].tolist(),
            strict=True,
        )
        for number, way, sequence, flags in rows:
            flow = flows[number]
            if flow.syn_way < 0:
                flow.syn_way = 1 - way if flags & ACK else way
            if not flags & ACK and flow.initial < 0:
                flow.initial = sequence
            state = flow.stream(way)
            if state.first < 0:
                state.first = state.expected = sequence

    def finished(self, now_ns: int) -> Iterator[Flow]:
        """Flows that are over at this instant of the capture, and those evicted to stay within the budget."""
        for flow in list(self._open.values()):
            if now_ns - flow.last_ns > flow.idle_limit_ns:
                self._over.append(self._open.pop(flow.key))
        weight_bytes = sum(flow.weight_bytes for flow in self._open.values())
        if weight_bytes > self._budget_bytes:
            self._evict(weight_bytes)
        yield from self._drain()

    def _evict(self, weight_bytes: int) -> None:
        # Down to three quarters, so that the next buffer does not evict again at once.
        for flow in sorted(self._open.values(), key=lambda each: each.last_ns):
            if weight_bytes <= self._budget_bytes * 3 // 4:
                break
            weight_bytes -= flow.weight_bytes
            self._over.append(self._open.pop(flow.key))
            self.evicted_count += not flow.closed

    def remaining(self) -> Iterator[Flow]:
        """All flows still open, at the end of the capture."""
        self._over.extend(self._open.values())
        self._open.clear()
        yield from self._drain()

    def _drain(self) -> Iterator[Flow]:
        over, self._over = self._over, []
        yield from sorted(over, key=lambda each: each.frame)
