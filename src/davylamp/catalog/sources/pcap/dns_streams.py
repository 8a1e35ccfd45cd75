"""DNS over TCP, from the heads of finished flows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from davylamp.catalog.sources.pcap.datagrams import DNS_PORT
from davylamp.catalog.sources.pcap.dns_pairs import Address, DnsPairs, Exchange
from davylamp.catalog.sources.pcap.flow import Flow, Segment
from davylamp.catalog.sources.pcap.heads import assembled
from davylamp.catalog.sources.pcap.packets import TCP
from davylamp.dns_message import BadDnsError, DnsMessage, read_dns


def read_dns_stream(flow: Flow, pairs: DnsPairs) -> str:
    """Feeds the messages of a flow to port 53 to `pairs`; the reason when it is no DNS, else empty."""
    way = flow.client_way
    if flow.protocol != TCP or flow.ports[1 - way] != DNS_PORT:
        return ""
    near_high, near_low, far_high, far_low, _ = flow.key
    ends: tuple[Address, Address] = (flow.six, near_high, near_low), (flow.six, far_high, far_low)
    exchange = Exchange(ends[way], flow.ports[way], ends[1 - way], DNS_PORT, "tcp")
    found: list[tuple[int, int, DnsMessage]] = []
    reason = ""
    for pieces in (flow.head(way), flow.head(1 - way)):
        try:
            found.extend(_messages(pieces))
        except BadDnsError as error:
            reason = f"DNS over TCP: {error}"
    for frame, time_ns, message in sorted(found, key=lambda each: (each[2].response, each[0])):
        pairs.add(exchange, message, time_ns, frame)
    return reason


def _messages(pieces: Sequence[Segment]) -> list[tuple[int, int, DnsMessage]]:
    if not pieces:
        return []
    data, whole_bytes = assembled(pieces)
    ordered = sorted(pieces, key=lambda each: each.position)
    places = [piece.position - ordered[0].position for piece in ordered]
    found = []
    at = 0
    while at + 2 <= whole_bytes:
        length = data[at] << 8 | data[at + 1]
        # The head may end inside a long answer (a zone transfer): no fault of the message.
        if at + 2 + length > whole_bytes:
            break
        message = read_dns(data[at + 2 : at + 2 + length])
        piece = ordered[max(bisect_right(places, at) - 1, 0)]
        if message is not None:
            found.append((piece.frame, piece.time_ns, message))
        at += 2 + length
    return found
