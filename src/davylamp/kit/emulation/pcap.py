"""Writes dialogues as classic pcap: Ethernet, IPv4, TCP with handshake, acknowledgements and close."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address

from davylamp.kit.emulation.message import Dialogue, Message

_FIN, _SYN, _PSH, _ACK = 0x01, 0x02, 0x08, 0x10
Frame = tuple[float, bytes]


@dataclass(frozen=True, slots=True)
class Connection:
    """One TCP connection that carries a dialogue.

    Args:
        start_s: epoch seconds of its first packet.
        segment_bytes: most payload bytes in a packet.
        lost_ratio: share of data packets sent a second time, as after a loss.
        whole: False leaves out handshake and close, as a capture that began and ended within.
    """

    dialogue: Dialogue
    start_s: float
    client: str = "10.0.0.5"
    client_port: int = 40000
    server: str = "198.51.100.7"
    server_port: int = 3333
    segment_bytes: int = 1448
    lost_ratio: float = 0.0
    whole: bool = True
    delay_s: float = 0.02
    seed: int = 0


class _Endpoints:
    """Sequence numbers and headers of both ends."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        rng = random.Random(f"pcap:{connection.seed}")
        self.next_number = {True: rng.randrange(2**32), False: rng.randrange(2**32)}
        self.identification = rng.randrange(2**16)

    def frame(self, outbound: bool, flags: int, payload: bytes = b"", number: int | None = None) -> bytes:
        """One Ethernet frame from the client (`outbound`) or the server."""
        link = self.connection
        ends = [(link.client, link.client_port), (link.server, link.server_port)]
        (source, source_port), (target, target_port) = ends if outbound else reversed(ends)
        if number is None:
            number = self.next_number[outbound]
            self.next_number[outbound] = (number + len(payload) + bool(flags & (_SYN | _FIN))) % 2**32
        answered = self.next_number[not outbound] if flags & _ACK else 0
        tcp = struct.pack("!HHIIBBHHH", source_port, target_port, number, answered, 5 << 4, flags, 64240, 0, 0)
        addresses = IPv4Address(source).packed + IPv4Address(target).packed
        pseudo = addresses + struct.pack("!BBH", 0, 6, len(tcp) + len(payload))
        tcp = tcp[:16] + _checksum(pseudo + tcp + payload) + tcp[18:]
        self.identification = (self.identification + 1) % 2**16
        size_bytes = 20 + len(tcp) + len(payload)
        head = struct.pack("!BBHHHBBH", 0x45, 0, size_bytes, self.identification, 0x4000, 64, 6, 0)
        ip = head[:10] + _checksum(head + addresses) + addresses
        macs = (b"\x02\x00\x00\x00\x00\x01", b"\x02\x00\x00\x00\x00\x02")
        ethernet = b"".join(macs if outbound else reversed(macs)) + b"\x08\x00"
        return ethernet + ip + tcp + payload


def _checksum(data: bytes) -> bytes:
    if len(data) % 2:
        data += b"\x00"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)


def frames(connection: Connection) -> list[Frame]:
    """The connection's frames with their epoch seconds, in order."""
    ends = _Endpoints(connection)
    rng = random.Random(f"loss:{connection.seed}")
    start_s, delay_s = connection.start_s, connection.delay_s
    written: list[Frame] = []
    opening = [(True, _SYN), (False, _SYN | _ACK), (True, _ACK)]
    for step, (outbound, flags) in enumerate(opening):
        frame = ends.frame(outbound, flags)
        if connection.whole:
            written.append((start_s + step * delay_s / 2, frame))
    offset_s = start_s + delay_s if connection.whole else start_s
    last_s = offset_s
    for message in connection.dialogue:
        last_s = max(last_s + 1e-6, offset_s + message.time_s)
        written += _message_frames(ends, rng, message, last_s)
        last_s = written[-1][0]
    if connection.whole:
        for step, (outbound, flags) in enumerate([(True, _FIN | _ACK), (False, _FIN | _ACK), (True, _ACK)]):
            written.append((last_s + (step + 1) * delay_s / 2, ends.frame(outbound, flags)))
    return written


def _message_frames(ends: _Endpoints, rng: random.Random, message: Message, moment_s: float) -> list[Frame]:
    """Data segments 20 microseconds apart, a copy of lost ones, and the other side's acknowledgement."""
    link = ends.connection
    written: list[Frame] = []
    for begin in range(0, len(message.payload), link.segment_bytes):
        part = message.payload[begin : begin + link.segment_bytes]
        number = ends.next_number[message.outbound]
        written.append((moment_s, ends.frame(message.outbound, _PSH | _ACK, part)))
        if rng.random() < link.lost_ratio:
            written.append((moment_s + 0.0001, ends.frame(message.outbound, _PSH | _ACK, part, number)))
            moment_s += 0.0001
        moment_s += 0.00002
    written.append((moment_s, ends.frame(not message.outbound, _ACK)))
    return written


def pcap_bytes(connections: Iterable[Connection]) -> bytes:
    """A little-endian pcap file of all connections, packets in the order of their time."""
    packets = sorted((frame for link in connections for frame in frames(link)), key=lambda frame: frame[0])
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)]
    for moment_s, frame in packets:
        seconds, micros = divmod(round(moment_s * 1_000_000), 1_000_000)
        parts += [struct.pack("<IIII", seconds, micros, len(frame), len(frame)), frame]
    return b"".join(parts)
