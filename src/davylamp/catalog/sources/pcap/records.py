"""Follows TLS record headers through a stream, so that messages weigh what the records carry."""

from __future__ import annotations

import numpy as np

from davylamp.catalog.sources.pcap.arrays import Bool, Int, Window
from davylamp.catalog.sources.pcap.flow import Flow, RecordTrack
from davylamp.catalog.sources.pcap.keys import Grouped
from davylamp.catalog.sources.pcap.sequence import Segments

HEADER_BYTES = 5
# RFC 8446 5.2: 2^14 + 256; TLS 1.2 allows 2^14 + 2048 (RFC 5246 6.2.3).
_RECORD_LIMIT_BYTES = (1 << 14) + 2048
_WRAP = 1 << 32


def _opens_record(window: Window, grouped: Grouped, segments: Segments) -> Bool:
    """Whether a segment's new payload starts like a TLS record."""
    at = grouped.packets.payload_at[segments.at] + segments.known_bytes
    held = grouped.packets.payload_held[segments.at] - segments.known_bytes
    at = np.where(held >= HEADER_BYTES, at, 0)
    kind, version, length = window.u8(at), window.u16(at + 1), window.u16(at + 3)
    sound = (held >= HEADER_BYTES) & (segments.new_bytes > 0) & (kind >= 20) & (kind <= 24)
    return sound & (version >= 0x0300) & (version <= 0x0304) & (length > 0) & (length <= _RECORD_LIMIT_BYTES)


def header_bytes(data: bytes, grouped: Grouped, segments: Segments, window: Window, flows: list[Flow]) -> Int:
    """How many of each segment's new bytes are TLS record headers; 0 where no record can be followed."""
    out = np.zeros(segments.at.size, np.int64)
    if not segments.at.size:
        return out
    opens = _opens_record(window, grouped, segments)
    any_opens = np.logical_or.reduceat(opens, segments.starts).tolist()
    stops = np.append(segments.starts[1:], segments.at.size).tolist()
    names = segments.stream[segments.starts].tolist()
    for name, start, stop, possible in zip(names, segments.starts.tolist(), stops, any_opens, strict=True):
        state = flows[name >> 1].stream(name & 1)
        track = state.track
        if track is None:
            if not possible:
                continue
            track = state.track = RecordTrack()
        rows = slice(start, stop)
        out[rows] = _follow(data, grouped, segments, opens, rows, track)
    return out


def _follow(
    data: bytes, grouped: Grouped, segments: Segments, opens: Bool, rows: slice, track: RecordTrack
) -> list[int]:
    packets = grouped.packets
    at = segments.at[rows]
    known = segments.known_bytes[rows]
    begins = ((packets.sequence[at] + known) % _WRAP).tolist()
    starts = (packets.payload_at[at] + known).tolist()
    held = (packets.payload_held[at] - known).tolist()
    out = []
    for new, begin, start, here, opening in zip(
        segments.new_bytes[rows].tolist(), begins, starts, held, opens[rows].tolist(), strict=True
    ):
        if new <= 0:
            out.append(0)
            continue
        if track.expected != begin:
            # Joined in the middle, or a gap: wait for a segment that starts like a record.
            if not opening:
                track.expected = -1
                out.append(0)
                continue
            track.left_bytes, track.partial = 0, b""
        track.expected = (begin + new) % _WRAP
        if track.left_bytes >= new:
            track.left_bytes -= new
            out.append(0)
            continue
        out.append(_headers(data, start, (new, here), track))
    return out


def _headers(data: bytes, start: int, size: tuple[int, int], track: RecordTrack) -> int:
    """Walks the record headers in one segment; loses the track where a header makes no sense or is cut."""
    new, held = size
    position, counted = track.left_bytes, 0
    while position < new:
        if position >= held:
            track.expected = -1
            return counted
        wanted = HEADER_BYTES - len(track.partial)
        piece = data[start + position : start + min(position + wanted, new, held)]
        header = track.partial + piece
        counted += len(piece)
        position += len(piece)
        if len(header) < HEADER_BYTES:
            track.partial, track.left_bytes = header, 0
            if position < new:
                track.expected = -1
            return counted
        track.partial = b""
        length = header[3] << 8 | header[4]
        if not 20 <= header[0] <= 24 or header[1] != 3 or length > _RECORD_LIMIT_BYTES:
            track.expected = -1
            return counted - len(piece)
        position += length
    track.left_bytes = position - new
    return counted
