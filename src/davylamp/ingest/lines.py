"""Text lines as Arrow batches: exact line numbers and offsets, any bytes, bounded memory.

DuckDB's own CSV reader splits at lone carriage returns and drops rows that are not UTF-8, which
would let a crafted log line forge a record or shift every line number after it; so lines are cut
here, a block at a time with numpy, and everything after that is SQL.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from davylamp.model.coverage import REJECTS_SHOWN_COUNT, Reject

BLOCK_BYTES = 4 << 20
MAX_LINE_BYTES = 1 << 20
SCHEMA = pa.schema([("text", pa.string()), ("line", pa.int64()), ("byte_offset", pa.int64())])
_BOM = b"\xef\xbb\xbf"


class RejectBox:
    """Counts every reject and keeps the first few."""

    def __init__(self) -> None:
        self.count = 0
        self.kept: list[Reject] = []

    def add(self, reject: Reject) -> None:
        """Counts one reject."""
        self.count += 1
        if len(self.kept) < REJECTS_SHOWN_COUNT:
            self.kept.append(reject)


def line_batches(
    stream: BinaryIO, rejects: RejectBox, *, max_line_bytes: int = MAX_LINE_BYTES
) -> Iterator[pa.RecordBatch]:
    """Batches of (text, line, byte_offset), one row a line, blank lines included."""
    for data, line, offset in line_blocks(stream, rejects, max_line_bytes):
        yield line_batch(data, line, offset, max_line_bytes, rejects)


def line_blocks(stream: BinaryIO, rejects: RejectBox, max_line_bytes: int) -> Iterator[tuple[bytes, int, int]]:
    """Blocks of whole lines, each with the number of lines before it and its byte offset."""
    tail, line, offset = b"", 0, 0
    skipping = False
    first = True
    while block := stream.read(BLOCK_BYTES):
        if first:
            first = False
            if block.startswith(_BOM):
                block, offset = block[len(_BOM) :], len(_BOM)
        if skipping:
            cut = block.find(b"\n")
            if cut < 0:
                offset += len(block)
                continue
            offset += cut + 1
            line += 1
            block, skipping = block[cut + 1 :], False
        end = block.rfind(b"\n") + 1
        if end:
            data = b"".join((tail, memoryview(block)[:end]))
            tail = block[end:]
            yield data, line, offset
            line += data.count(b"\n")
            offset += len(data)
        else:
            tail += block
        if len(tail) > max_line_bytes:
            rejects.add(Reject(offset, line + 1, f"line longer than {max_line_bytes} bytes"))
            offset += len(tail)
            tail, skipping = b"", True
    if tail:
        yield tail + b"\n", line, offset


def line_batch(data: bytes, line: int, offset: int, max_line_bytes: int, rejects: RejectBox) -> pa.RecordBatch:
    """The lines of one block as (text, line, byte_offset); lines that are too long become rejects."""
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == 10)
    starts = np.concatenate(([0], ends[:-1] + 1))
    lines = np.arange(line + 1, line + 1 + len(ends), dtype=np.int64)
    offsets = starts.astype(np.int64) + offset
    texts = _texts(data, ends)
    too_long = np.flatnonzero(ends - starts > max_line_bytes)
    if len(too_long):
        for index in too_long:
            rejects.add(Reject(int(offsets[index]), int(lines[index]), f"line longer than {max_line_bytes} bytes"))
        keep = np.ones(len(ends), dtype=bool)
        keep[too_long] = False
        texts, lines, offsets = texts.filter(pa.array(keep)), lines[keep], offsets[keep]
    return pa.record_batch([texts, pa.array(lines), pa.array(offsets)], schema=SCHEMA)


def _texts(data: bytes, ends: np.ndarray[tuple[int], np.dtype[np.intp]]) -> pa.Array:
    if b"\r\n" in data:
        data = data.replace(b"\r\n", b"\n")
        ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == 10)
    try:
        return _cut(data, ends).cast(pa.string())
    except pa.ArrowInvalid:
        # Bytes that are not UTF-8 stay visible, as \xNN, and stay in their own line.
        shown = data.decode("utf-8", "backslashreplace").encode("utf-8")
        return _cut(shown, np.flatnonzero(np.frombuffer(shown, dtype=np.uint8) == 10)).cast(pa.string())


def _cut(data: bytes, ends: np.ndarray[tuple[int], np.dtype[np.intp]]) -> pa.Array:
    raw = np.frombuffer(data, dtype=np.uint8)
    body = raw[raw != 10]
    bounds = np.empty(len(ends) + 1, dtype=np.int32)
    bounds[0] = 0
    bounds[1:] = ends - np.arange(len(ends))
    return pa.Array.from_buffers(pa.binary(), len(ends), [None, pa.py_buffer(bounds), pa.py_buffer(body)])
