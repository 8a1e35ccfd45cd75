"""The state of one open connection."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from davylamp.catalog.sources.pcap.keys import Key
from davylamp.catalog.sources.pcap.packets import ACK, FIN, RST, SYN, TCP

HEAD_BYTES = 8192
MESSAGES_KEPT_COUNT = 4096
# What an open flow weighs before it keeps anything, measured with sys.getsizeof over its parts.
FLOW_WEIGHT_BYTES = 1600
SEGMENT_WEIGHT_BYTES = 150


@dataclass(slots=True)
class Segment:
    """Payload of one packet near the head of a stream."""

    position: int
    data: bytes
    time_ns: int
    frame: int


@dataclass(slots=True)
class RecordTrack:
    """Where a TLS stream stands: bytes until the next record header, and the sequence number expected."""

    left_bytes: int = 0
    expected: int = -1
    partial: bytes = b""


class Flow:
    """One connection; way 0 is from the key's first end to its second, way 1 back."""

    __slots__ = (
        "bytes",
        "first_ns",
        "first_way",
        "flags",
        "frame",
        "head_sequence",
        "head_size",
        "heads",
        "holes",
        "initial",
        "key",
        "last_ns",
        "last_open",
        "last_segment_ns",
        "last_way",
        "next_sequence",
        "overfull",
        "packets",
        "records",
        "sizes",
        "syn_way",
        "times",
        "weight_bytes",
    )

    def __init__(self, key: Key, first_ns: int, frame: int, first_way: int) -> None:
        self.key = key
        self.first_ns = first_ns
        self.last_ns = first_ns
        self.frame = frame
        self.first_way = first_way
        self.packets = [0, 0]
        self.bytes = [0, 0]
        self.flags = [0, 0]
        self.syn_way = -1
        self.initial = -1
        self.next_sequence: list[int] = [-1, -1]
        self.head_sequence: list[int] = [-1, -1]
        self.head_size = [0, 0]
        self.heads: list[list[Segment]] = [[], []]
        self.holes: list[list[tuple[int, int]]] = [[], []]
        self.records: list[RecordTrack | None] = [None, None]
        self.times: array[int] = array("q")
        self.sizes: array[int] = array("q")
        self.last_way = -1
        self.last_segment_ns = 0
        self.last_open = False
        self.overfull = False
        self.weight_bytes = FLOW_WEIGHT_BYTES

    @property
    def protocol(self) -> int:
        """IP protocol number."""
        return self.key[4] & 0xFF

    @property
    def six(self) -> bool:
        """Whether the addresses are of IPv6."""
        return bool(self.key[4] >> 40)

    @property
    def ports(self) -> tuple[int, int]:
        """Ports of the key's ends."""
        return self.key[4] >> 24 & 0xFFFF, self.key[4] >> 8 & 0xFFFF

    @property
    def closed(self) -> bool:
        """Whether both ends closed it or one reset it."""
        both = self.flags[0] | self.flags[1]
        return bool(both & RST) or bool(self.flags[0] & self.flags[1] & FIN)

    @property
    def client_way(self) -> int:
        """The way that leads away from the client.

        The sender of the SYN is the client. Joined in the middle, TCP's server is the end with the lower
        port; otherwise the first sender is the client, unless it spoke from a reserved port (an answer).
        """
        if self.syn_way >= 0:
            return self.syn_way
        near, far = self.ports
        if self.protocol == TCP and near != far:
            return 0 if far < near else 1
        source, target = (near, far) if self.first_way == 0 else (far, near)
        return 1 - self.first_way if 0 < source < 1024 <= target else self.first_way

    @property
    def state(self) -> str:
        """Connection state in Zeek's words, as far as the flags tell; empty for what has no connection."""
        if self.protocol != TCP:
            return ""
        out, back = self.flags[self.client_way], self.flags[1 - self.client_way]
        if not out & SYN:
            return "SHR" if back & (SYN | ACK) == SYN | ACK and back & FIN else "OTH"
        if not back & SYN:
            return "REJ" if back & RST else "RSTOS0" if out & RST else "SH" if out & FIN else "S0"
        if (out | back) & RST:
            return "RSTO" if out & RST else "RSTR"
        return {(True, True): "SF", (True, False): "S2", (False, True): "S3"}.get(
            (bool(out & FIN), bool(back & FIN)), "S1"
        )
