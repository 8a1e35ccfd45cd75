"""Reads a capture from end to end within a budget of memory."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator

import numpy as np

from davylamp.catalog.sources.pcap.classic import MAGICS, read_classic
from davylamp.catalog.sources.pcap.datagrams import read_dns_datagrams, read_leases
from davylamp.catalog.sources.pcap.dns_pairs import DnsPairs, DnsRow
from davylamp.catalog.sources.pcap.dns_streams import read_dns_stream
from davylamp.catalog.sources.pcap.flow import Flow
from davylamp.catalog.sources.pcap.flow_table import FlowTable
from davylamp.catalog.sources.pcap.fragments import FragmentTable
from davylamp.catalog.sources.pcap.frames import Buffered, Frames
from davylamp.catalog.sources.pcap.layers import decode
from davylamp.catalog.sources.pcap.nextgen import read_nextgen
from davylamp.catalog.sources.pcap.rows import dns_batch, lease_batch, network_batch
from davylamp.kit.source import Batch, EvidenceFile
from davylamp.model.coverage import Reject

# A buffer of scan packets needs about thirty times its size: columns of 8 bytes for frames of 80, and
# a flow for each. One 128th keeps that to a quarter of the memory.
_BUFFER_SHARE = 128
_BUFFER_LIMITS_BYTES = (1 << 20, 8 << 20)
_FLOWS_SHARE = 4
_WAITING_SHARE = 32
_ROWS_A_BATCH_COUNT = 8192


def _uncollected(items: Iterator[Batch | Reject]) -> list[Batch | Reject]:
    """All items of one buffer, made while the garbage collector rests.

    Flows and segments hold no cycles, and walking over all open ones again and again took a quarter of the time.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        return list(items)
    finally:
        if collecting:
            gc.enable()


class Reader:
    """One pass over one capture."""

    def __init__(self, file: EvidenceFile) -> None:
        low, high = _BUFFER_LIMITS_BYTES
        self._file = file
        self._source = Buffered(file.stream, min(max(file.memory_bytes // _BUFFER_SHARE, low), high))
        self._flows = FlowTable(file.memory_bytes // _FLOWS_SHARE)
        self._fragments = FragmentTable()
        self._pairs = DnsPairs()
        self._over: list[Flow] = []
        self._over_bytes = 0
        self._over_limit_bytes = file.memory_bytes // _WAITING_SHARE
        self._answered: list[DnsRow] = []
        self._kept_count = 0
        self._other_count = 0
        self._rejected_count = 0

    def read(self) -> Iterator[Batch | Reject]:
        """Batches and rejects in file order."""
        source = self._source
        frames = read_classic if source.data[:4] in MAGICS else read_nextgen
        for each in frames(self._file, source):
            if isinstance(each, Reject):
                self._rejected_count += 1
                yield each
            else:
                yield from _uncollected(self._buffer(each))
        yield from self._rows(self._flows.remaining(), None)
        self._account()

    def _buffer(self, frames: Frames) -> Iterator[Batch | Reject]:
        decoded = decode(frames, self._fragments)
        rejects = decoded.discarded.rejects()
        self._rejected_count += len(rejects)
        self._other_count += decoded.discarded.other_count
        yield from rejects
        packets = decoded.packets
        if packets is None or not packets.index.size:
            return
        self._kept_count += packets.index.size
        self._flows.add(frames, packets)
        yield from read_dns_datagrams(frames, packets, self._pairs)
        if leases := list(read_leases(frames, packets)):
            yield lease_batch(leases)
        # The median: one frame with a wrong clock must not end every flow.
        now_ns = int(np.median(frames.time_ns))
        yield from self._rows(self._flows.finished(now_ns), now_ns)

    def _rows(self, flows: Iterable[Flow], now_ns: int | None) -> Iterator[Batch | Reject]:
        """Rows of what is over; few ones wait for more, because each batch costs the store a part of its own."""
        for flow in flows:
            if reason := read_dns_stream(flow, self._pairs):
                yield Reject(None, None, f"frame {flow.frame}: {reason}")
            self._over.append(flow)
            self._over_bytes += flow.weight_bytes
            if len(self._over) >= _ROWS_A_BATCH_COUNT or self._over_bytes > self._over_limit_bytes:
                yield self._network()
        self._answered.extend(self._pairs.finished(now_ns))
        if self._over and now_ns is None:
            yield self._network()
        if self._answered and (now_ns is None or len(self._answered) >= _ROWS_A_BATCH_COUNT):
            yield dns_batch(self._answered)
            self._answered = []

    def _network(self) -> Batch:
        over, self._over, self._over_bytes = self._over, [], 0
        return network_batch(over)

    def _account(self) -> None:
        if self._flows.evicted_count:
            reason = f"{self._flows.evicted_count} open flows were ended early to stay within the memory"
            self._file.partial_reason = "; ".join(filter(None, (self._file.partial_reason, reason)))
        if not self._kept_count and self._other_count and not self._rejected_count:
            # Read to its end and understood: nothing in it is of a protocol that this source is for.
            self._file.notes.append(f"no IP packets: {self._other_count} frames of other protocols")
