"""DNS questions and answers seen on the host's interfaces: a packet socket whose filter passes port 53 alone."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from davylamp.agent.record import Recorder
from davylamp.agent.socket_filter import (
    ACCEPT,
    DROP,
    Instruction,
    attach,
    header_length_to_x,
    jump_if,
    jump_if_any,
    load_byte,
    load_half,
    load_half_at_x,
    load_word,
)
from davylamp.dns_message import BadDnsError, DnsMessage, forget_names, read_dns

PORT = 53
ETH_P_ALL = 0x0003
SOL_PACKET, PACKET_STATISTICS = 263, 6
PACKET_OUTGOING = 4
# SKF_AD_OFF and its fields (include/uapi/linux/filter.h).
_PROTOCOL, _PACKET_TYPE, _INTERFACE = 0xFFFFF000, 0xFFFFF004, 0xFFFFF008
_IPV4, _IPV6, _TCP, _UDP = 0x0800, 0x86DD, 6, 17
PACKET_BYTES = 4096
# dig and glibc wait 5 s and ask three times; Zeek's own limit is also 10 s.
ANSWER_WITHIN_S = 10.0
# One packet is seen on a container's interface, on the bridge and on the way out: within moments, with one identity.
SAME_PACKET_S = 1.0
# What was answered a minute ago is not written again; a minute is the shortest time to live that clients keep names.
REPEATED_S = 60.0
WAITING_COUNT = 2048
KNOWN_COUNT = 4096


@dataclass(slots=True)
class Asked:
    """A question that waits for its answer."""

    at: float
    message: DnsMessage
    source: str
    source_port: int
    resolver: str
    protocol: str


@dataclass
class DnsPackets:
    """Turns packets into `dns_activity` records.

    A question is written with its answer, or alone when none came within ten seconds. The same question with the same
    answer is written once a minute for each asker.

    Args:
        may_read: whether the budget allows to read one more packet.

    Raises:
        OSError: the kernel gives no packet socket (CAP_NET_RAW).
    """

    recorder: Recorder
    may_read: Callable[[], bool] = lambda: True
    wall: Callable[[], float] = time.time
    skipped_count: int = 0
    unreadable_count: int = 0
    _waiting: dict[tuple[object, ...], Asked] = field(default_factory=dict)
    _seen: dict[tuple[object, ...], float] = field(default_factory=dict)
    _written: dict[tuple[object, ...], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Other packets that came before the filter was in place are told by their ports, as all are.
        self.channel = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, socket.htons(ETH_P_ALL))
        try:
            attach(self.channel, program())
            self.channel.setblocking(False)
        except OSError:
            self.channel.close()
            raise

    def fileno(self) -> int:
        """For selectors."""
        return self.channel.fileno()

    def close(self) -> None:
        """Stops listening."""
        self.channel.close()

    def read(self, limit: int) -> int:
        """Takes at most so many waiting packets; gives how many there were."""
        for count in range(limit):
            try:
                data = self.channel.recv(PACKET_BYTES)
            except BlockingIOError:
                return count
            except OSError:
                return count  # an interface went down; the socket stays good
            if self.may_read():
                self.take(data)
            else:
                self.skipped_count += 1
        return limit

    def take(self, packet: bytes) -> None:
        """Takes one packet, from its network header on."""
        found = segment(packet)
        if found is None:
            return
        source, source_port, target, target_port, protocol, payload = found
        try:
            message = read_dns(payload)
        except BadDnsError:
            self.unreadable_count += 1
            return
        if message is None or message.opcode:
            return
        at = self.wall()
        asker = (target, target_port) if message.response else (source, source_port)
        resolver = source if message.response else target
        key = (*asker, resolver, message.identity, message.name, message.type)
        if not message.response:
            self._waiting.setdefault(key, Asked(at, message, *asker, resolver, protocol))
            if len(self._waiting) > WAITING_COUNT:
                self._write(self._waiting.pop(next(iter(self._waiting))), None)
            return
        asked = self._waiting.pop(key, None) or Asked(at, message, *asker, resolver, protocol)
        self._write(asked, message)

    def tick(self) -> None:
        """Writes questions whose answer is overdue, and forgets what is old."""
        now = self.wall()
        for key, asked in list(self._waiting.items()):
            if 0 <= now - asked.at < ANSWER_WITHIN_S:
                break
            del self._waiting[key]
            self._write(asked, None)
        for kept in (self._seen, self._written):
            for known in [known for known, at in kept.items() if not 0 <= now - at < REPEATED_S]:
                del kept[known]
        forget_names()

    def take_lost_count(self) -> int:
        """Packets dropped by the kernel or passed over for want of budget, since the last call."""
        _, dropped_count = struct.unpack("=II", self.channel.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        lost_count = int(dropped_count) + self.skipped_count
        self.skipped_count = 0
        return lost_count

    def _write(self, asked: Asked, answer: DnsMessage | None) -> None:
        message = answer or asked.message
        now = self.wall()
        same = (message.identity, message.name, message.type, message.response)
        said = (asked.source, message.name, message.type, answer and answer.rcode, frozenset(message.answers))
        if (
            0 <= now - self._seen.get(same, -1e9) < SAME_PACKET_S
            or 0 <= now - self._written.get(said, -1e9) < REPEATED_S
        ):
            return
        _remember(self._seen, same, now)
        _remember(self._written, said, now)
        self.recorder.record(
            "dns_activity",
            asked.at,
            query_name=message.name,
            query_type=message.type,
            answers=list(answer.answers) if answer and answer.answers else None,
            rcode=answer.rcode if answer else None,
            resolver_ip=asked.resolver,
            resolver_port=PORT,
            protocol=asked.protocol,
            src_ip=asked.source,
            src_port=asked.source_port,
        )


def _remember(kept: dict[tuple[object, ...], float], key: tuple[object, ...], at: float) -> None:
    kept.pop(key, None)
    kept[key] = at
    if len(kept) > KNOWN_COUNT:
        del kept[next(iter(kept))]


def segment(packet: bytes) -> tuple[str, int, str, int, str, bytes] | None:
    """Source, its port, target, its port, protocol and payload of an IP packet to or from port 53; None for others.

    A message over TCP is read when it is whole in one segment, as questions and short answers are.
    """
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 20:
        family, number, begin = socket.AF_INET, packet[9], (packet[0] & 15) * 4
        addresses = packet[12:16], packet[16:20]
    elif version == 6 and len(packet) >= 40:
        family, number, begin = socket.AF_INET6, packet[6], 40
        addresses = packet[8:24], packet[24:40]
    else:
        return None
    if len(packet) < begin + 8:
        return None
    source_port, target_port = struct.unpack_from("!HH", packet, begin)
    if PORT not in (source_port, target_port):
        return None
    if number == _UDP:
        payload, protocol = packet[begin + 8 :], "udp"
    elif number == _TCP and len(packet) >= begin + 20:
        begin += (packet[begin + 12] >> 4) * 4
        length = int.from_bytes(packet[begin : begin + 2], "big")
        payload, protocol = packet[begin + 2 : begin + 2 + length], "tcp"
    else:
        return None
    if not payload:
        return None
    source, target = (socket.inet_ntop(family, each) for each in addresses)
    return source, source_port, target, target_port, protocol, payload


def program() -> list[Instruction]:
    """Passes UDP and TCP to or from port 53; what leaves through the loopback interface arrives there again."""
    # Jumps count the instructions passed over.
    return [
        load_word(_INTERFACE),
        jump_if(_loopback(), 0, 2),
        load_word(_PACKET_TYPE),
        jump_if(PACKET_OUTGOING, 21, 0),
        load_half(_PROTOCOL),
        jump_if(_IPV4, 0, 10),
        load_byte(9),
        jump_if(_UDP, 1, 0),
        jump_if(_TCP, 0, 16),
        load_half(6),
        jump_if_any(0x1FFF, 14, 0),
        header_length_to_x(0),
        load_half_at_x(0),
        jump_if(PORT, 10, 0),
        load_half_at_x(2),
        jump_if(PORT, 8, 9),
        jump_if(_IPV6, 0, 8),
        load_byte(6),
        jump_if(_UDP, 1, 0),
        jump_if(_TCP, 0, 5),
        load_half(40),
        jump_if(PORT, 2, 0),
        load_half(42),
        jump_if(PORT, 0, 1),
        ACCEPT,
        DROP,
    ]


def _loopback() -> int:
    try:
        return socket.if_nametoindex("lo")
    except OSError:
        return 0
