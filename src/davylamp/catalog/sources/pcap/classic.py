"""The classic capture format: a file header, then record headers and frames."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from davylamp.catalog.sources.pcap.frames import Buffered, Frames
from davylamp.kit.source import EvidenceFile
from davylamp.model.coverage import Reject

# Magic -> byte order, nanoseconds per unit of the fraction, record header bytes.
# a1b2cd34 is Kuznetzov's variant, whose records carry eight more bytes.
MAGICS: dict[bytes, tuple[str, int, int]] = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000, 16),
    b"\xa1\xb2\xc3\xd4": (">", 1000, 16),
    b"\x4d\x3c\xb2\xa1": ("<", 1, 16),
    b"\xa1\xb2\x3c\x4d": (">", 1, 16),
    b"\x34\xcd\xb2\xa1": ("<", 1000, 24),
    b"\xa1\xb2\xcd\x34": (">", 1000, 24),
}
FILE_HEADER_BYTES = 24
# libpcap refuses records above 128 MiB for any link type and 256 KiB for most; ours have no larger use.
RECORD_LIMIT_BYTES = 1 << 20


def _walk(data: bytes, size: int, order: str, header_bytes: int) -> tuple[list[int], int, int]:
    """Offsets of whole records, where the walk stopped, and the impossible length it met there (or 0)."""
    length_at = struct.Struct(order + "I").unpack_from
    found: list[int] = []
    append = found.append
    position = 0
    last = size - header_bytes
    while position <= last:
        length = length_at(data, position + 8)[0]
        if length > RECORD_LIMIT_BYTES:
            return found, position, length
        after = position + header_bytes + length
        if after > size:
            break
        append(position)
        position = after
    return found, position, 0


def read_classic(file: EvidenceFile, source: Buffered) -> Iterator[Frames | Reject]:
    """Frames of a classic capture, chunk by chunk."""
    order, unit_ns, header_bytes = MAGICS[source.data[:4]]
    if source.size < FILE_HEADER_BYTES:
        file.partial_reason = "the capture ends inside its file header"
        yield Reject(0, None, file.partial_reason)
        return
    link = struct.unpack_from(order + "I", source.data, 20)[0] & 0xFFFF
    source.advance(FILE_HEADER_BYTES)
    number = 1
    while True:
        found, used, impossible = _walk(source.data, source.size, order, header_bytes)
        if found:
            yield _frames(source, found, number, (order, unit_ns, header_bytes), link)
            number += len(found)
        if impossible:
            file.partial_reason = f"frame {number} claims {impossible} bytes; nothing behind it was read"
            yield Reject(source.offset + used, None, file.partial_reason)
            return
        if source.ended:
            break
        source.advance(used)
    if used < source.size or source.failure:
        file.partial_reason = source.failure or f"the capture ends inside frame {number}"
        yield Reject(source.offset + used, None, file.partial_reason)


def _frames(source: Buffered, found: list[int], number: int, shape: tuple[str, int, int], link: int) -> Frames:
    order, unit_ns, header_bytes = shape
    record = np.array(found, np.int64)
    words = np.ndarray((len(source.data) - 4,), order + "u4", source.data, strides=(1,))
    seconds, fraction, captured, wire = (words[record + step].astype(np.int64) for step in (0, 4, 8, 12))
    return Frames(
        data=source.data,
        data_offset=source.offset,
        record=record,
        start=record + header_bytes,
        captured=captured,
        wire=np.maximum(wire, captured),
        time_ns=seconds * 1_000_000_000 + fraction * unit_ns,
        link=np.full(record.size, link, np.int64),
        number=np.arange(number, number + record.size, dtype=np.int64),
    )
