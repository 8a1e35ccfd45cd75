"""Packets of a few suspect connections, written as a capture file that any tool reads.

The sensor judges nothing: it keeps what the connections of processes that burn CPU say, and the detections of wire
evidence judge the capture as they judge every other.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from davylamp.agent.network_namespace import opened_inside
from davylamp.agent.socket_filter import (
    ACCEPT,
    DROP,
    Instruction,
    attach,
    header_length_to_x,
    jump_if,
    load_byte,
    load_half,
    load_half_at_x,
)
from davylamp.agent.sockets import Socket

# Connections followed at once; a process that burns CPU and holds more of them is no miner but a server or a peer.
FOLLOWED_COUNT = 32
# One packet is kept up to this many bytes: a job and a share fit, a download is not what is looked for.
KEPT_BYTES = 2048
CAPTURE_BYTES = 16 << 20
_ETH_P_ALL, _SO_TIMESTAMPNS, _PACKET_OUTGOING = 3, 35, 4
# Ancillary load of skb->protocol (SKF_AD_OFF + SKF_AD_PROTOCOL, include/uapi/linux/filter.h).
_PROTOCOL_OFFSET = 0xFFFFF000
_IPV4, _IPV6, _TCP = 0x0800, 0x86DD, 6
_LINK_RAW_IP = 101
_FILE_HEADER = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, KEPT_BYTES, _LINK_RAW_IP)
_PACKET_HEADER = struct.Struct("<IIII")
_STAMP = struct.Struct("=qq")

Ends = tuple[str, int, str, int]


@dataclass
class Capture:
    """Follows connections from network namespace to network namespace.

    Args:
        out: takes the capture's bytes.
        clock: seconds since 1970 that packets are dated by; the kernel dates them by a clock that can be set back.
    """

    out: BinaryIO
    clock: Callable[[], float] = time.time
    channels: dict[str | None, socket.socket] = field(default_factory=dict)
    followed: dict[Ends, str | None] = field(default_factory=dict)
    packets_count: int = 0
    written_bytes: int = 0
    refused: str = ""

    def follow(self, wanted: Sequence[tuple[Socket, int]], only: bool = False) -> None:
        """Takes up connections, each with a process that lives in its network namespace.

        Args:
            only: let go of every other one, so that those which ended or grew loud make room.
        """
        before = dict(self.followed)
        if only:
            named = {_ends(each) for each, _ in wanted}
            self.followed = {ends: inside for ends, inside in before.items() if ends in named}
        for each, pid in wanted:
            ends = _ends(each)
            if ends not in self.followed and len(self.followed) < FOLLOWED_COUNT and self._open(each.namespace, pid):
                self.followed[ends] = each.namespace
        if self.followed != before:
            for namespace, channel in self.channels.items():
                ports = {ends[1] for ends, inside in self.followed.items() if inside == namespace}
                attach(channel, tcp_ports_program(sorted(ports)))

    def _open(self, namespace: str | None, pid: int) -> bool:
        if namespace in self.channels:
            return True
        try:
            self.channels[namespace] = _channel() if namespace is None else opened_inside(pid, _channel)
        except OSError as error:
            self._refuse(error)
            return False
        if not self.written_bytes:
            self._write(_FILE_HEADER)
        return True

    def probe(self) -> None:
        """Finds out whether packets could have been listened to, where there was nobody to listen to."""
        if not self.channels:
            try:
                _channel().close()
            except OSError as error:
                self._refuse(error)

    def _refuse(self, error: OSError) -> None:
        self.refused = f"packets of suspect connections need CAP_NET_RAW ({error.strerror or error})"

    def drain(self) -> None:
        """Writes what has come since the last time; never waits."""
        for channel in self.channels.values():
            while self.written_bytes < CAPTURE_BYTES:
                try:
                    data, ancillary, _, address = channel.recvmsg(KEPT_BYTES, 64, socket.MSG_TRUNC)
                except (BlockingIOError, OSError):
                    break
                # Loopback shows every packet twice, on its way out and on its way in.
                if address[0] == "lo" and address[2] == _PACKET_OUTGOING:
                    continue
                if _ends_of(data) & self.followed.keys():
                    self._packet(data, ancillary)

    def _packet(self, data: bytes, ancillary: list[tuple[int, int, bytes]]) -> None:
        stamps = [value for level, kind, value in ancillary if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS]
        if not stamps:
            return
        second, nanosecond = self._dated(*_STAMP.unpack(stamps[0][: _STAMP.size]))
        self._write(_PACKET_HEADER.pack(second, nanosecond, len(data), max(len(data), _length_of(data))) + data)
        self.packets_count += 1

    def _dated(self, second: int, nanosecond: int) -> tuple[int, int]:
        """A packet that came before the clock was set back has its right time already: it would lie ahead of now."""
        now = self.clock()
        ahead_s = round(now - time.time())
        return (second + ahead_s if second + ahead_s <= now else second), nanosecond

    def _write(self, data: bytes) -> None:
        self.out.write(data)
        self.written_bytes += len(data)

    def close(self) -> None:
        """Lets go of the channels."""
        for channel in self.channels.values():
            channel.close()
        self.channels.clear()


def _ends(each: Socket) -> Ends:
    return each.local_ip, each.local_port, each.remote_ip, each.remote_port


def _channel() -> socket.socket:
    channel = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, socket.htons(_ETH_P_ALL))
    attach(channel, [DROP])  # nothing between here and the filter that names the ports
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    channel.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    channel.setblocking(False)
    return channel


def tcp_ports_program(ports: list[int]) -> list[Instruction]:
    """Accepts TCP segments from or to one of the ports, of IPv4 and of IPv6 without extension headers."""
    v6 = [load_byte(6), jump_if(_TCP, 1, 0), DROP, load_half(40), *_any_of(ports), load_half(42), *_any_of(ports), DROP]
    v4 = [load_byte(9), jump_if(_TCP, 1, 0), DROP, header_length_to_x(0)]
    v4 += [load_half_at_x(0), *_any_of(ports), load_half_at_x(2), *_any_of(ports), DROP]
    # A jump passes over 255 instructions at most, so what is neither is dropped here and not at the end.
    begin = [load_half(_PROTOCOL_OFFSET), jump_if(_IPV6, 2, 0), jump_if(_IPV4, 1 + len(v6), 0), DROP]
    return [*begin, *v6, *v4]


def _any_of(ports: list[int]) -> list[Instruction]:
    """Falls through unless the half word is one of the ports."""
    tests: list[Instruction] = []
    for port in ports:
        tests += [jump_if(port, 0, 1), ACCEPT]
    return tests


def _ends_of(data: bytes) -> set[Ends]:
    """Both readings of a segment's ends: as ours to theirs, and theirs to ours."""
    if len(data) < 24:
        return set()
    if data[0] >> 4 == 4:
        place = (data[0] & 15) * 4
        ends = [socket.inet_ntop(socket.AF_INET, data[begin : begin + 4]) for begin in (12, 16)]
    elif len(data) >= 44:
        place = 40
        ends = [socket.inet_ntop(socket.AF_INET6, data[begin : begin + 16]) for begin in (8, 24)]
    else:
        return set()
    if len(data) < place + 4:
        return set()
    source, target = struct.unpack_from("!HH", data, place)
    return {(ends[0], source, ends[1], target), (ends[1], target, ends[0], source)}


def _length_of(data: bytes) -> int:
    """The packet's whole length, as its header states it."""
    length: int = struct.unpack_from("!H", data, 2 if data[0] >> 4 == 4 else 4)[0]
    return length if data[0] >> 4 == 4 else length + 40


def remove_if_empty(path: str) -> None:
    """Takes back a capture that holds no packet."""
    if os.path.getsize(path) <= len(_FILE_HEADER):
        os.unlink(path)
