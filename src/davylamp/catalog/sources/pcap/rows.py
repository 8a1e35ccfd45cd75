"""From finished flows, DNS exchanges and leases to Arrow batches."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from davylamp.catalog.sources.pcap import content
from davylamp.catalog.sources.pcap.datagrams import DNS_PORT, Lease
from davylamp.catalog.sources.pcap.dns_pairs import Address, DnsRow
from davylamp.catalog.sources.pcap.flow import HEAD_BYTES, Flow
from davylamp.catalog.sources.pcap.heads import assembled
from davylamp.catalog.sources.pcap.packets import ICMP, ICMP6, SCTP, TCP, UDP
from davylamp.dns_message import looks_like_dns
from davylamp.kit.source import Batch

_PROTOCOLS = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMP6: "icmp"}
_LARGEST = (1 << 31) - 1
# What is encrypted says nothing behind its hello, and would make up most of a case on disk.
_SEALED = ("tls", "quic")
_SEALED_BYTES = 1024

_NETWORK: tuple[tuple[str, pa.DataType], ...] = (
    ("time", pa.timestamp("us")),
    ("end_time", pa.timestamp("us")),
    ("src_ip", pa.string()),
    ("src_port", pa.int32()),
    ("dst_ip", pa.string()),
    ("dst_port", pa.int32()),
    ("protocol", pa.string()),
    ("bytes_out", pa.int64()),
    ("bytes_in", pa.int64()),
    ("packets_out", pa.int64()),
    ("packets_in", pa.int64()),
    ("one_way", pa.bool_()),
    ("server_name", pa.string()),
    ("application", pa.string()),
    ("tls_version", pa.string()),
    ("url_path", pa.string()),
    ("user_agent", pa.string()),
    ("state", pa.string()),
    ("payload_out", pa.binary()),
    ("payload_in", pa.binary()),
    ("frame", pa.int64()),
)
_DNS: tuple[tuple[str, pa.DataType], ...] = (
    ("time", pa.timestamp("us")),
    ("query_name", pa.string()),
    ("query_type", pa.string()),
    ("answers", pa.list_(pa.string())),
    ("rcode", pa.string()),
    ("resolver_ip", pa.string()),
    ("resolver_port", pa.int32()),
    ("protocol", pa.string()),
    ("src_ip", pa.string()),
    ("src_port", pa.int32()),
    ("frame", pa.int64()),
)
_LEASES: tuple[tuple[str, pa.DataType], ...] = (
    ("time", pa.timestamp("us")),
    ("end_time", pa.timestamp("us")),
    ("ground", pa.string()),
    ("device_name", pa.string()),
    ("ip", pa.string()),
    ("mac", pa.string()),
    ("frame", pa.int64()),
)


@lru_cache(maxsize=65536)
def _address(six: bool, high: int, low: int) -> str:
    if six:
        return str(ipaddress.IPv6Address(high << 64 | low))
    return f"{low >> 24}.{low >> 16 & 255}.{low >> 8 & 255}.{low & 255}"


def _instant(time_ns: int) -> int | None:
    """Microseconds since 1970; None for captures that state no time."""
    return time_ns // 1000 if time_ns > 0 else None


def _batch(columns: Sequence[tuple[str, pa.DataType]], rows: Iterable[tuple[Any, ...]]) -> pa.RecordBatch:
    values = list(zip(*rows, strict=True))
    return pa.record_batch(
        [pa.array(value, kind) for value, (_, kind) in zip(values, columns, strict=True)],
        names=[name for name, _ in columns],
    )


def network_batch(flows: list[Flow]) -> Batch:
    """Rows of flows."""
    rows = _batch(_NETWORK, map(_network_row, flows))
    times, sizes = _messages(flows)
    rows = rows.append_column("message_times_s", times).append_column("message_sizes_bytes", sizes)
    return Batch("network_activity", rows)


def _messages(flows: list[Flow]) -> tuple[pa.Array, pa.Array]:
    talks = [(flow, flow.dialogue) for flow in flows if flow.dialogue is not None]
    counts = [0 if flow.dialogue is None else len(flow.dialogue.sizes) for flow in flows]
    offsets = pa.array(np.concatenate((np.zeros(1, np.int64), np.cumsum(counts))).astype(np.int32))
    nothing = [np.zeros(0, np.int64)]
    times = np.concatenate([np.frombuffer(talk.times, np.int64) - flow.first_ns for flow, talk in talks] or nothing)
    sizes = np.concatenate(
        [np.frombuffer(talk.sizes, np.int64) * (1 - 2 * flow.client_way) for flow, talk in talks] or nothing
    )
    sizes = np.clip(sizes, -_LARGEST, _LARGEST).astype(np.int32)
    return (
        pa.ListArray.from_arrays(offsets, pa.array(times / 1e9, pa.float64())),
        pa.ListArray.from_arrays(offsets, pa.array(sizes, pa.int32())),
    )


def _network_row(flow: Flow) -> tuple[Any, ...]:
    way = flow.client_way
    near_high, near_low, far_high, far_low, _ = flow.key
    ends = (_address(flow.six, near_high, near_low), _address(flow.six, far_high, far_low))
    counts = (flow.bytes_out, flow.bytes_back, flow.packets_out, flow.packets_back)
    ported = flow.protocol in (TCP, UDP, SCTP)
    ports = flow.ports
    payloads = [assembled(flow.head(each)) for each in (way, 1 - way)]
    said = _content(flow, payloads, ports[1 - way])
    kept_bytes = _SEALED_BYTES if said.application in _SEALED else HEAD_BYTES
    return (
        _instant(flow.first_ns),
        _instant(flow.last_ns),
        ends[way],
        ports[way] if ported else None,
        ends[1 - way],
        ports[1 - way] if ported else None,
        _PROTOCOLS.get(flow.protocol, str(flow.protocol)),
        *(counts if way == 0 else (counts[1], counts[0], counts[3], counts[2])),
        False,
        said.server_name or None,
        said.application or None,
        said.tls_version or None,
        said.url_path or None,
        said.user_agent or None,
        flow.state or None,
        payloads[0][0][:kept_bytes] or None,
        payloads[1][0][:kept_bytes] or None,
        flow.frame,
    )


def _content(flow: Flow, payloads: list[tuple[bytes, int]], server_port: int) -> content.Content:
    out, back = (data[:whole] for data, whole in payloads)
    if not out and not back:
        return content.NOTHING
    if server_port == DNS_PORT and _asks_dns(flow):
        return content.Content("dns")
    return content.read_tcp(out, back) if flow.protocol == TCP else content.read_udp(out, back)


def _asks_dns(flow: Flow) -> bool:
    pieces = flow.head(flow.client_way) or flow.head(1 - flow.client_way)
    if flow.protocol == UDP:
        return looks_like_dns(pieces[0].data)
    data, whole_bytes = assembled(pieces)
    return looks_like_dns(data[2 : min(whole_bytes, 2 + int.from_bytes(data[:2], "big"))])


def _of(address: Address) -> str:
    return _address(*address)


def dns_batch(rows: list[DnsRow]) -> Batch:
    """Rows of DNS questions."""
    return Batch(
        "dns_activity",
        _batch(
            _DNS,
            (
                (
                    _instant(row.time_ns),
                    row.name,
                    row.type,
                    row.answers,
                    row.rcode,
                    _of(row.resolver),
                    row.resolver_port,
                    row.protocol,
                    _of(row.asker),
                    row.asker_port,
                    row.frame,
                )
                for row in rows
            ),
        ),
    )


def lease_batch(leases: list[Lease]) -> Batch:
    """Rows of leases."""
    return Batch(
        "device_inventory",
        _batch(
            _LEASES,
            (
                (
                    _instant(lease.time_ns),
                    None if lease.lease_s is None else _instant(lease.time_ns + lease.lease_s * 1_000_000_000),
                    "dhcp_lease",
                    lease.host_name or None,
                    _address(False, 0, lease.address),
                    lease.mac or None,
                    lease.frame,
                )
                for lease in leases
            ),
        ),
    )
