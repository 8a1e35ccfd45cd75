"""pcapng: sections, interfaces and packet blocks (enhanced, simple and the obsolete one)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from davylamp.catalog.sources.pcap.arrays import Int, Unsigned
from davylamp.catalog.sources.pcap.frames import Buffered, Frames
from davylamp.kit.source import EvidenceFile
from davylamp.model.coverage import Reject

SECTION_MAGIC = b"\x0a\x0d\x0d\x0a"
BYTE_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_SECTION, _INTERFACE, _OBSOLETE, _SIMPLE, _ENHANCED = 0x0A0D0D0A, 1, 2, 3, 6
_RESOLUTION_OPTION, _OFFSET_OPTION = 9, 14
# Wireshark refuses blocks above 16 MiB.
BLOCK_LIMIT_BYTES = 16 << 20
_LAST_NS = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class _Interface:
    link: int
    snap_bytes: int
    ticks_per_s: int
    offset_s: int


@dataclass
class _Found:
    """Packet blocks of one walk: offset of the block, of its frame, and the numbers it states."""

    rows: list[tuple[int, int, int, int, int, int]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


def _options(body: bytes, order: str) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    position = 0
    while position + 4 <= len(body):
        code, length = struct.unpack_from(order + "HH", body, position)
        if code == 0:
            break
        found.setdefault(code, body[position + 4 : position + 4 + length])
        position += 4 + (length + 3) // 4 * 4
    return found


def _interface(block: bytes, order: str) -> _Interface:
    link, _, snap_bytes = struct.unpack_from(order + "HHI", block, 8)
    options = _options(block[16:-4], order)
    resolution = (options.get(_RESOLUTION_OPTION) or b"\x06")[0]
    # The top bit chooses between powers of two and of ten; beyond these bounds no clock exists.
    ticks = 1 << min(resolution & 0x7F, 63) if resolution & 0x80 else 10 ** min(resolution, 18)
    offset = options.get(_OFFSET_OPTION, b"")
    offset_s = struct.unpack(order + "q", offset)[0] if len(offset) == 8 else 0
    return _Interface(link, snap_bytes, ticks, offset_s if abs(offset_s) < 1 << 33 else 0)


class _Walker:
    """Walks blocks of a buffer and keeps what later blocks need: byte order, interfaces, frame number."""

    def __init__(self) -> None:
        self.order = "<"
        self.interfaces: list[_Interface] = []
        self.section_start = 0
        self.stop_reason = ""

    def walk(self, data: bytes, size: int, base: int) -> tuple[_Found, int]:
        """Packets up to the last whole block of the buffer, and where it stopped."""
        found = _Found()
        position = 0
        # Interfaces are numbered by section; those of earlier sections are no longer named by anybody.
        self.interfaces = self.interfaces[self.section_start :]
        self.section_start = 0
        unpack = struct.Struct(self.order + "II").unpack_from
        while position + 12 <= size:
            kind, length = unpack(data, position)
            if data[position : position + 4] == SECTION_MAGIC:
                order = BYTE_ORDERS.get(data[position + 8 : position + 12])
                if order is None:
                    self.stop_reason = "a section header has no byte order; nothing behind it was read"
                    break
                self.order = order
                self.section_start = len(self.interfaces)
                unpack = struct.Struct(order + "II").unpack_from
                kind, length = unpack(data, position)
            if length < 12 or length % 4 or length > BLOCK_LIMIT_BYTES:
                self.stop_reason = f"a block claims {length} bytes; nothing behind it was read"
                break
            if position + length > size:
                break
            if kind == _ENHANCED or kind in (_OBSOLETE, _SIMPLE):
                self._packet(found, data, position, (kind, length), base)
            elif kind == _INTERFACE and length >= 20:
                self.interfaces.append(_interface(data[position : position + length], self.order))
            position += length
        return found, position

    def _packet(self, found: _Found, data: bytes, position: int, block: tuple[int, int], base: int) -> None:
        kind, length = block
        order = self.order
        described = len(self.interfaces) - self.section_start
        if kind == _SIMPLE:
            wire = struct.unpack_from(order + "I", data, position + 8)[0]
            snap = self.interfaces[self.section_start].snap_bytes if described else 0
            interface, ticks, start = 0, -1, position + 12
            captured = min(wire, snap or wire, max(length - 16, 0))
        elif length < 32:
            found.rejects.append(Reject(base + position, None, "a packet block is too short for its own header"))
            return
        else:
            interface, high, low, captured, wire = struct.unpack_from(order + "IIIII", data, position + 8)
            if kind == _OBSOLETE:
                interface = struct.unpack_from(order + "H", data, position + 8)[0]
            ticks, start = high << 32 | low, position + 28
        if interface >= described:
            found.rejects.append(Reject(base + position, None, "a packet block names an interface nobody described"))
            return
        if start + captured > position + length - 4:
            found.rejects.append(Reject(base + position, None, "a packet block claims more bytes than it holds"))
            return
        found.rows.append((position, start, captured, wire, ticks, self.section_start + interface))


def _times(ticks: Unsigned, interface: Int, interfaces: list[_Interface]) -> Int:
    """Nanoseconds since 1970 by each interface's clock; impossible instants are cut to what 64 bits hold."""
    out = np.zeros(ticks.size, np.int64)
    for number in np.unique(interface).tolist():
        clock = interfaces[number]
        chosen = interface == number
        per_s = np.uint64(clock.ticks_per_s)
        seconds = (ticks[chosen] // per_s).astype(np.float64).clip(0, _LAST_NS // 1_000_000_000 - 1).astype(np.int64)
        rest = (ticks[chosen] % per_s).astype(np.int64)
        if clock.ticks_per_s <= 1_000_000_000 and 1_000_000_000 % clock.ticks_per_s == 0:
            fraction = rest * (1_000_000_000 // clock.ticks_per_s)
        else:
            fraction = (rest.astype(np.float64) / clock.ticks_per_s * 1e9).astype(np.int64)
        seconds = (seconds + clock.offset_s).clip(0, _LAST_NS // 1_000_000_000 - 1)
        out[chosen] = seconds * 1_000_000_000 + fraction
    return out


def read_nextgen(file: EvidenceFile, source: Buffered) -> Iterator[Frames | Reject]:
    """Frames of a pcapng capture, chunk by chunk."""
    walker = _Walker()
    number = 1
    while True:
        found, used = walker.walk(source.data, source.size, source.offset)
        yield from found.rejects
        if found.rows:
            yield _frames(source, found, number, walker.interfaces)
        number += len(found.rows) + len(found.rejects)
        if walker.stop_reason:
            file.partial_reason = walker.stop_reason
            yield Reject(source.offset + used, None, walker.stop_reason)
            return
        if source.ended:
            break
        source.advance(used)
    if used < source.size or source.failure:
        file.partial_reason = source.failure or "the capture ends inside a block"
        yield Reject(source.offset + used, None, file.partial_reason)


def _frames(source: Buffered, found: _Found, number: int, interfaces: list[_Interface]) -> Frames:
    # A simple packet block has no time of its own: it gets that of the packet before it in the buffer.
    records, starts, sizes, wires, clocks, names = zip(*found.rows, strict=True)
    record, start, captured, wire, interface = (
        np.array(column, np.int64) for column in (records, starts, sizes, wires, names)
    )
    stamped = np.array([clock >= 0 for clock in clocks], np.bool_)
    ticks = np.array([max(clock, 0) for clock in clocks], np.uint64)
    time_ns = np.where(stamped, _times(ticks, interface, interfaces), 0)
    if not stamped.all():
        latest = np.maximum.accumulate(np.where(stamped, np.arange(time_ns.size), 0))
        time_ns = time_ns[latest]
    links = np.array([each.link for each in interfaces], np.int64)
    return Frames(
        data=source.data,
        data_offset=source.offset,
        record=record,
        start=start,
        captured=captured,
        wire=np.maximum(wire, captured),
        time_ns=time_ns,
        link=links[interface],
        number=np.arange(number, number + record.size, dtype=np.int64),
    )
