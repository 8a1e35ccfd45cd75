"""Datagrams that are events of their own: DNS over UDP, and leases that a DHCP server grants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from davylamp.catalog.sources.pcap.arrays import Int
from davylamp.catalog.sources.pcap.dns_pairs import DnsPairs, Exchange
from davylamp.catalog.sources.pcap.frames import Frames
from davylamp.catalog.sources.pcap.packets import UDP, Packets
from davylamp.dns_message import BadDnsError, read_dns
from davylamp.model.coverage import Reject

DNS_PORT = 53
_DHCP_PORTS = (67, 68)
_DHCP_COOKIE = b"\x63\x82\x53\x63"
_HOST_NAME, _LEASE_TIME, _MESSAGE_TYPE = 12, 51, 53
_ACKNOWLEDGED = 5
_ENDLESS = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease as the server acknowledged it."""

    time_ns: int
    frame: int
    address: int
    mac: str
    host_name: str
    lease_s: int | None


def read_dns_datagrams(frames: Frames, packets: Packets, pairs: DnsPairs) -> Iterator[Reject]:
    """Feeds DNS datagrams to `pairs`; what stands on port 53 and is no DNS is a reject."""
    port = (packets.source_port == DNS_PORT) | (packets.target_port == DNS_PORT)
    chosen = np.flatnonzero(port & (packets.protocol == UDP) & (packets.payload_bytes > 0))
    if not chosen.size:
        return
    rows = packets.take(chosen)
    columns: list[list[int]] = [
        each.tolist()
        for each in (
            rows.source_high,
            rows.source_low,
            rows.target_high,
            rows.target_low,
            rows.source_port,
            rows.target_port,
            rows.payload_at,
            rows.payload_held,
            rows.index,
            frames.time_ns[rows.index],
            frames.number[rows.index],
        )
    ]
    cut = (rows.payload_held < rows.payload_bytes).tolist()
    for six, short, row in zip(rows.six.tolist(), cut, zip(*columns, strict=True), strict=True):
        sh, sl, th, tl, source_port, target_port, start, held, index, time_ns, frame = row
        source, target = (six, sh, sl), (six, th, tl)
        try:
            message = read_dns(frames.data[start : start + held])
        except BadDnsError as error:
            reason = "cut by the snap length" if short else str(error)
            yield Reject(frames.data_offset + int(frames.record[index]), None, f"frame {frame}: DNS: {reason}")
            continue
        if message is None:
            continue
        if message.response:
            exchange = Exchange(target, target_port, source, source_port, "udp")
        else:
            exchange = Exchange(source, source_port, target, target_port, "udp")
        pairs.add(exchange, message, time_ns, frame)


def read_leases(frames: Frames, packets: Packets) -> Iterator[Lease]:
    """Leases granted (DHCPACK, RFC 2131)."""
    port = np.isin(packets.source_port, _DHCP_PORTS) & np.isin(packets.target_port, _DHCP_PORTS)
    chosen: Int = np.flatnonzero(port & (packets.protocol == UDP) & (packets.payload_held >= 244))
    for each in chosen.tolist():
        start = int(packets.payload_at[each])
        index = int(packets.index[each])
        lease = _lease(
            frames.data[start : start + int(packets.payload_held[each])],
            int(frames.time_ns[index]),
            int(frames.number[index]),
        )
        if lease is not None:
            yield lease


def _lease(data: bytes, time_ns: int, frame: int) -> Lease | None:
    if data[0] != 2 or data[236:240] != _DHCP_COOKIE:
        return None
    options = _options(data[240:])
    # An answer to INFORM is an ACK too, but grants nothing: its yiaddr is 0 (RFC 2131 4.3.5).
    address = int.from_bytes(data[16:20], "big")
    if options.get(_MESSAGE_TYPE, b"")[:1] != bytes([_ACKNOWLEDGED]) or not address:
        return None
    lease_s = int.from_bytes(options[_LEASE_TIME], "big") if len(options.get(_LEASE_TIME, b"")) == 4 else None
    host_name = options.get(_HOST_NAME, b"").rstrip(b"\0").decode("utf-8", "backslashreplace")
    mac = data[28 : 28 + 6].hex(":") if data[1] == 1 else ""
    return Lease(time_ns, frame, address, mac, host_name, None if lease_s == _ENDLESS else lease_s)


def _options(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at + 1 < len(data) and data[at] != 255:
        if data[at] == 0:
            at += 1
            continue
        length = data[at + 1]
        found.setdefault(data[at], data[at + 2 : at + 2 + length])
        at += 2 + length
    return found
