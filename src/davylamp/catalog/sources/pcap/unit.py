"""Packet captures in pcap and pcapng."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from davylamp.kit.metadata import SourceMeta
from davylamp.kit.sample import Sample
from davylamp.kit.source import Batch, EvidenceFile, RowSource
from davylamp.model.coverage import Reject

_PCAP_MAGICS = frozenset(
    bytes.fromhex(each) for each in ("a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1", "a1b2cd34", "34cdb2a1")
)
_SECTION_MAGIC = bytes.fromhex("0a0d0d0a")
_BYTE_ORDER_MAGICS = frozenset(bytes.fromhex(each) for each in ("1a2b3c4d", "4d3c2b1a"))


class Pcap(RowSource):
    """Turns packet captures into flows, DNS questions and DHCP leases.

    What it reads.
        pcap (both byte orders, micro- and nanoseconds, the variant with 24-byte record headers) and pcapng
        (several sections and interfaces, enhanced, simple and obsolete packet blocks). Link types: Ethernet
        (II, 802.3 with SNAP), raw IP, BSD loopback, Linux cooked 1 and 2, PPP, PPPoE, Cisco HDLC and Frame
        Relay. Above them VLAN tags (nested too), MPLS, PPPoE, IPv4 with options, IPv6 with extension headers,
        and the inner packets of IP in IP, 6in4, GRE, ERSPAN, VXLAN, Geneve and GTP-U: a tunnelled packet
        counts for its inner flow, not for the tunnel. Later fragments count for the flow of their first
        fragment; their payload is not read.

    What it gives.
        `network_activity`, one row a flow, when it is over: after FIN from both ends or RST, after silence
        (TCP 600 s, the longest time pools let a miner be idle; unanswered SYNs and other protocols 120 s,
        RFC 4787 REQ-5), when a new SYN
        opens another one on the same ports, or at the end of the capture. `src` is the sender of the SYN;
        when the capture joined in the middle, the end with the higher port for TCP, and the first sender for
        the rest unless it spoke from a port below 1024 to one above (an answer). `bytes_out` and `bytes_in`
        are IP packet lengths by the IP header, as flow logs count them, so a short snap length does not
        change them. `state` uses Zeek's words. `frame` is the number of the first packet.
        `message_times_s` and `message_sizes_bytes` are the first 4,096 application messages: new TCP payload
        in one direction whose segments follow each other within 10 ms, or within 1 s of a segment of 536
        bytes and more without PSH (its sender had more to send). Acknowledgements, keep-alives and
        retransmissions fall away by sequence number. In TLS a message weighs what its records carry, without
        their headers, as long as the headers can be followed. In UDP each datagram is a message.
        `payload_out` and `payload_in` hold the first 8,192 bytes of each direction in sequence order, 1,024
        when TLS or QUIC was recognised. A gap becomes one newline, so that a dialogue of JSON lines can be
        read on behind it. `server_name` is TLS SNI (also across segments) or HTTP host; `application` is
        told by content only.
        `dns_activity`, one row a question on port 53 over UDP or TCP, paired with its answer by ports,
        identification, name and type; without an answer within 10 s `rcode` is null. An answer whose
        question was not captured makes a row too, at its own time and frame.
        `device_inventory`, one row a lease a DHCP server acknowledges (ground `dhcp_lease`).

    What it leaves out.
        IEEE 802.11, USB, netfilter log and other link types: each frame is a reject that says so. Frames of
        other protocols than IP (ARP, LLDP, spanning tree) are not evidence here and no rejects; a capture of
        nothing else says so in a note. DNS on other ports than 53 (multicast DNS too), names in QUIC,
        messages after the 4,096th of a flow, VLAN numbers (one flow seen in two VLANs is one flow). When
        open flows outgrow a quarter of the memory, the longest silent ones are ended early and the file
        is partial. A record header that cannot be true ends the reading, and the file is partial.

    References.
        draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng, tcpdump.org/linktypes.html; RFC 791, 8200, 9293,
        768, 1035, 2131, 2784, 7348, 8926, 8446.
    """

    meta: ClassVar[SourceMeta] = SourceMeta(
        uid="pcap",
        title="Packet captures",
        formats=("pcap", "pcapng"),
        event_classes=("network_activity", "dns_activity", "device_inventory"),
        references=(
            "https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/",
            "https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/",
            "https://www.tcpdump.org/linktypes.html",
        ),
    )

    def recognize(self, sample: Sample) -> float:
        """By the file's magic number and nothing else."""
        if sample.head[:4] in _PCAP_MAGICS:
            return 1.0
        return 1.0 if sample.head[:4] == _SECTION_MAGIC and sample.head[8:12] in _BYTE_ORDER_MAGICS else 0.0

    def read(self, file: EvidenceFile) -> Iterator[Batch | Reject]:
        """Flows when they are over, DNS questions when they are answered, leases when they are granted."""
        # Imported here: the columns are numpy's, which the command line must not load to print its help.
        from davylamp.catalog.sources.pcap.reader import Reader

        return Reader(file).read()
