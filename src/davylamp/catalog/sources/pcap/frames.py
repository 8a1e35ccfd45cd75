"""Frames of a capture, many at once, and the buffered stream they are cut from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from davylamp.catalog.sources.pcap.arrays import PADDING, Int


@dataclass(frozen=True, slots=True)
class Frames:
    """Captured frames as columns over one buffer.

    Args:
        data: the buffer, with `PADDING` behind the last frame.
        data_offset: where the buffer stands in the file.
        record: offset of each frame's record header in `data`.
        start: offset of each frame's first byte in `data`.
        captured: bytes of the frame that the file holds.
        wire: bytes the frame had on the wire.
        time_ns: nanoseconds since 1970; 0 when the capture does not say.
        link: link type (the tcpdump registry's numbers).
        number: 1-based number of the frame in the file.
    """

    data: bytes
    data_offset: int
    record: Int
    start: Int
    captured: Int
    wire: Int
    time_ns: Int
    link: Int
    number: Int


class Buffered:
    """A sequential stream as a sliding buffer of about `chunk_bytes`, padded at its end.

    Args:
        failure: why the stream broke off, empty when it ended properly.
    """

    def __init__(self, stream: BinaryIO, chunk_bytes: int) -> None:
        self._stream = stream
        self._chunk_bytes = chunk_bytes
        self.data = PADDING
        self.size = 0
        self.offset = 0
        self.ended = False
        self.failure = ""
        self.advance(0)

    def advance(self, used: int) -> None:
        """Drops `used` bytes and reads on."""
        parts = [self.data[used : self.size]]
        rest = len(parts[0])
        # Nothing used means one record is longer than the buffer: it has to grow.
        wanted = max(self._chunk_bytes - rest, 0) if used else self._chunk_bytes
        while wanted > 0 and not self.ended:
            piece = self._read(wanted)
            self.ended = not piece
            wanted -= len(piece)
            parts.append(piece)
        self.offset += used
        self.size = sum(map(len, parts))
        self.data = b"".join((*parts, PADDING))

    def _read(self, wanted: int) -> bytes:
        # A cut gzip or a failing disk shows only while reading; what came before is still evidence.
        try:
            return self._stream.read(wanted)
        except (OSError, EOFError, ValueError) as error:
            self.failure = f"the file could not be read to its end: {error}"
            return b""
