"""The state of one open connection."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from davylamp.catalog.sources.pcap.keys import OTHER_IDLE_NS, TCP_IDLE_NS, Key
from davylamp.catalog.sources.pcap.packets import ACK, FIN, RST, SYN, TCP

HEAD_BYTES = 8192
MESSAGES_KEPT_COUNT = 4096
# What an open flow weighs before it keeps anything: measured as resident memory over 100,000 flows of a SYN.
FLOW_WEIGHT_BYTES = 1200
SEGMENT_WEIGHT_BYTES = 150
# After a close the last acknowledgements still come; the classic segment lifetime is 2 minutes (RFC 9293
# 3.4.2), but captures show them within seconds.
LINGER_NS = 10_000_000_000


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


class Stream:
    """One direction of a connection that carries payload.

    Args:
        expected: the next sequence number; -1 before it is known.
        first: sequence number of the stream's first byte; -1 before it is known.
        holes: ranges missed so far, relative to `expected`.
        head: segments near the first byte, of `head_bytes` together.
        track: where its TLS records stand, when it has some.
    """

    __slots__ = ("expected", "first", "head", "head_bytes", "holes", "track")

    def __init__(self, expected: int = -1) -> None:
        self.expected = expected
        self.first = expected
        self.holes: list[tuple[int, int]] | tuple[()] = ()
        self.head: list[Segment] | tuple[()] = ()
        self.head_bytes = 0
        self.track: RecordTrack | None = None


class Dialogue:
    """The messages of a connection: times, and sizes with the way as sign."""

    __slots__ = ("last_ns", "last_unfinished", "last_way", "overfull", "sizes", "times")

    def __init__(self) -> None:
        self.times: array[int] = array("q")
        self.sizes: array[int] = array("q")
        self.last_way = -1
        self.last_ns = 0
        self.last_unfinished = False
        self.overfull = False


class Flow:
    """One connection; way 0 is from the key's first end to its second, way 1 back.

    Most flows of a large capture are look-ups and scans of a packet or two: what only a longer one
    needs is made when it is needed.
    """

    __slots__ = (
        "bytes_back",
        "bytes_out",
        "dialogue",
        "first_ns",
        "first_way",
        "flags_back",
        "flags_out",
        "frame",
        "initial",
        "kept_bytes",
        "key",
        "last_ns",
        "packets_back",
        "packets_out",
        "streams",
        "syn_way",
    )

    def __init__(self, key: Key, first_ns: int, frame: int, first_way: int) -> None:
        self.key = key
        self.first_ns = first_ns
        self.last_ns = first_ns
        self.frame = frame
        self.first_way = first_way
        self.packets_out = self.packets_back = 0
        self.bytes_out = self.bytes_back = 0
        self.flags_out = self.flags_back = 0
        self.syn_way = -1
        self.initial = -1
        self.streams: list[Stream | None] | None = None
        self.dialogue: Dialogue | None = None
        self.kept_bytes = 0

    def stream(self, way: int) -> Stream:
        """The stream of a direction, made when there is none yet."""
        if self.streams is None:
            self.streams = [None, None]
        found = self.streams[way]
        if found is None:
            found = self.streams[way] = Stream()
        return found

    def head(self, way: int) -> Sequence[Segment]:
        """The first segments of a direction."""
        found = None if self.streams is None else self.streams[way]
        return () if found is None else found.head

    @property
    def weight_bytes(self) -> int:
        """About what the flow weighs in memory."""
        return FLOW_WEIGHT_BYTES + self.kept_bytes

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
        both = self.flags_out | self.flags_back
        return bool(both & RST) or bool(self.flags_out & self.flags_back & FIN)

    @property
    def idle_limit_ns(self) -> int:
        """How long the flow may be silent before it is over."""
        if self.closed:
            return LINGER_NS
        # A SYN nobody answered is given up by its sender: Linux repeats it for 127 s at most by default.
        unanswered = self.syn_way >= 0 and not (self.packets_out and self.packets_back)
        return TCP_IDLE_NS if self.key[4] & 0xFF == TCP and not unanswered else OTHER_IDLE_NS

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
        out, back = self.flags_out, self.flags_back
        if self.client_way == 1:
            out, back = back, out
        if not out & SYN:
            return "SHR" if back & (SYN | ACK) == SYN | ACK and back & FIN else "OTH"
        if not back & SYN:
            return "REJ" if back & RST else "RSTOS0" if out & RST else "SH" if out & FIN else "S0"
        if (out | back) & RST:
            return "RSTO" if out & RST else "RSTR"
        return {(True, True): "SF", (True, False): "S2", (False, True): "S3"}.get(
            (bool(out & FIN), bool(back & FIN)), "S1"
        )
