"""Our own packet capture: a packet socket on the gateway's uplink, and the file it becomes."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterable
from dataclasses import dataclass

_ALL_PROTOCOLS = 0x0003
_TIMESTAMP_NS = 35  # SO_TIMESTAMPNS, which the socket module does not name
_BUFFER_FORCE = 33  # SO_RCVBUFFORCE
_IPV4, _TCP, _SSH_PORT = b"\x08\x00", 6, 22


@dataclass(frozen=True, slots=True)
class Packet:
    """One frame of a TCP connection over IPv4."""

    recorded_s: float
    frame: bytes

    @property
    def ports(self) -> tuple[int, int]:
        """Source and destination port."""
        begin = 14 + 4 * (self.frame[14] & 0x0F)
        return struct.unpack_from("!HH", self.frame, begin)

    def between(self, one_port: int, other_port: int) -> bool:
        """Whether it belongs to the connection of these two ports."""
        return set(self.ports) == {one_port, other_port}


class Capture:
    """Keeps every TCP packet on a link, but for SSH, until stopped."""

    def __init__(self, link: str) -> None:
        self.packets: list[Packet] = []
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS))
        self._socket.bind((link, 0))
        self._socket.setsockopt(socket.SOL_SOCKET, _BUFFER_FORCE, 1 << 24)
        self._socket.setsockopt(socket.SOL_SOCKET, _TIMESTAMP_NS, 1)
        self._socket.settimeout(0.2)
        self._open = True
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while self._open:
            try:
                frame, notes, _, _ = self._socket.recvmsg(1 << 16, 64)
            except TimeoutError:
                continue
            if frame[12:14] != _IPV4 or frame[23] != _TCP:
                continue
            stamp = next((data for level, kind, data in notes if (level, kind) == (socket.SOL_SOCKET, _TIMESTAMP_NS)))
            seconds, nanos = struct.unpack("qq", stamp[:16])
            packet = Packet(seconds + nanos / 1e9, frame)
            if _SSH_PORT not in packet.ports:
                self.packets.append(packet)

    def stop(self) -> None:
        """Ends the capture; `packets` holds it."""
        self._open = False
        self._thread.join()
        self._socket.close()


def pcap_bytes(packets: Iterable[tuple[float, bytes]]) -> bytes:
    """A classic pcap file of frames at epoch seconds, in the order of their time."""
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)]
    for moment_s, frame in sorted(packets, key=lambda packet: packet[0]):
        seconds, micros = divmod(round(moment_s * 1_000_000), 1_000_000)
        parts += [struct.pack("<IIII", seconds, micros, len(frame), len(frame)), frame]
    return b"".join(parts)
