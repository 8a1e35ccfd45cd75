"""JSON records as Arrow batches: JSON lines, arrays, `{"Records": [...]}` and its like, pretty or concatenated objects.

DuckDB reads a JSON document whole, so a large `Records` array would need as much memory as it is
long. Here the brackets outside strings are found with numpy, a block at a time, and each record
leaves with its exact byte offset; parsing it is SQL's part.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from davylamp.ingest.lines import SCHEMA, Positions, RejectBox, is_utf8, line_batches, text_views, whole_numbers
from davylamp.kit.sample import EXPORTED_JSON
from davylamp.model.coverage import Reject

BLOCK_BYTES = 4 << 20
MAX_RECORD_BYTES = 16 << 20
# `Records` is what CloudTrail delivers, `Events` what `aws cloudtrail lookup-events` answers and `events` what
# `aws logs filter-log-events` does: all pages in one document, which as one record could be too long to be read.
_WRAPPER = re.compile(rb'\s*\{\s*"(?:[Rr]ecords|[Ee]vents)"\s*:\s*\[')
_TAIL_BYTES_MOST = 65536
_STRUCTURAL = np.zeros(256, dtype=bool)
_STRUCTURAL[list(b'"{}[]')] = True
_Positions = np.ndarray[tuple[int], np.dtype[np.signedinteger[Any]]]
_Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]


def json_batches(head: bytes, stream: BinaryIO, rejects: RejectBox) -> Iterator[pa.RecordBatch]:
    """Batches of (text, line, byte_offset), one row a record; `head` is the file's first bytes."""
    if EXPORTED_JSON.match(head):
        return map(_without_stamp, line_batches(stream, rejects, max_line_bytes=MAX_RECORD_BYTES))
    depth = record_depth(head)
    if depth is None:
        return line_batches(stream, rejects, max_line_bytes=MAX_RECORD_BYTES)
    return _structural_batches(stream, depth, rejects)


def _without_stamp(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with the stamp that CloudWatch Logs put before each record taken off."""
    import pyarrow.compute as pc

    stamped = EXPORTED_JSON.pattern.decode().replace("(?=\\{)", "\\{")
    texts = pc.replace_substring_regex(batch.column(0).cast(pa.string()), stamped, "{")
    return pa.record_batch([texts.cast(SCHEMA.field(0).type), *batch.columns[1:]], schema=SCHEMA)


def record_depth(head: bytes) -> int | None:
    """How many brackets enclose a record, or None when each line is one."""
    body = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if _WRAPPER.match(body):
        return 2
    if body.startswith(b"["):
        return 1
    if not body.startswith(b"{"):
        return None
    lines = body.split(b"\n", 2)
    whole = lines[:-1] if len(lines) > 1 else lines
    # The second line speaks for JSON lines whose first line is damaged.
    return None if any(line.strip() and _parses(line) for line in whole) else 0


def _parses(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _structural_batches(stream: BinaryIO, base: int, rejects: RejectBox) -> Iterator[pa.RecordBatch]:
    carry, offset, line, level = b"", 0, 1, 0
    while block := stream.read(BLOCK_BYTES):
        data = carry + block
        starts, ends, level_after = _records(data, level, base)
        rest = 0
        if len(ends):
            starts = starts[: len(ends)]
            yield _batch(data, starts, ends, offset, line)
            rest, level = int(ends[-1]), level_after
        carry = data[rest:]
        line += data.count(b"\n", 0, rest)
        offset += rest
        if len(carry) > MAX_RECORD_BYTES:
            rejects.add(Reject(offset, line, f"record longer than {MAX_RECORD_BYTES} bytes; the rest was left"))
            return
    if carry.strip(b" \t\r\n,]}") and not (base == 2 and _closes_the_wrapper(carry)):
        rejects.add(Reject(offset, line, "the JSON does not end where the file ends, or is no JSON"))


def _closes_the_wrapper(tail: bytes) -> bool:
    """Whether what follows the last record ends its object: the AWS command line writes `"nextToken"` there."""
    return len(tail) <= _TAIL_BYTES_MOST and _parses(b'{"records": [0' + tail)


def _records(data: bytes, level: int, base: int) -> tuple[_Positions, _Positions, int]:
    """Starts and ends (exclusive) of the records that are whole in `data`, and the level after the last.

    Args:
        level: bracket depth at the first byte, which lies outside any string.
        base: bracket depth at which records stand.
    """
    raw = np.frombuffer(data, dtype=np.uint8)
    # A record of nothing but brackets is the worst: small numbers keep it at 13 bytes a bracket.
    positions = np.flatnonzero(_STRUCTURAL[raw]).astype(np.int32)
    marks = raw[positions]
    quotes = marks == ord('"')
    quotes[_escaped(raw, positions, quotes)] = False
    outside = ~np.logical_xor.accumulate(quotes)
    brackets = outside & (marks != ord('"'))
    positions, marks = positions[brackets], marks[brackets]
    opens = (marks == ord("{")) | (marks == ord("["))
    levels = level + np.cumsum(np.where(opens, np.int8(1), np.int8(-1)), dtype=np.int32)
    starts = positions[opens & (levels - 1 == base)]
    ends = positions[~opens & (levels == base)] + 1
    if len(ends) and (not len(starts) or ends[0] <= starts[0]):
        ends = ends[1:]
    return starts, ends, base


def _escaped(raw: np.ndarray[tuple[int], np.dtype[np.uint8]], positions: _Positions, quotes: _Flags) -> _Positions:
    """Indices into `positions` of quotes that an odd run of backslashes precedes."""
    candidates = np.flatnonzero(quotes & (positions > 0) & (raw[positions - 1] == ord("\\")))
    if not len(candidates):
        return candidates
    slashes = np.flatnonzero(raw == ord("\\"))
    run_begins = np.concatenate(([True], np.diff(slashes) != 1))
    begin_of = slashes[np.maximum.accumulate(np.where(run_begins, np.arange(len(slashes)), 0))]
    last = np.searchsorted(slashes, positions[candidates] - 1)
    run_lengths = positions[candidates] - begin_of[last]
    odd: _Positions = candidates[(run_lengths & 1) == 1]
    return odd


def _batch(data: bytes, starts: Positions, ends: Positions, offset: int, line: int) -> pa.RecordBatch:
    newlines = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == ord("\n"))
    lines = line + np.searchsorted(newlines, starts)
    return pa.record_batch(
        [_texts(data, starts, ends), whole_numbers(lines), whole_numbers(starts.astype(np.int64) + offset)],
        schema=SCHEMA,
    )


def _texts(data: bytes, starts: Positions, ends: Positions) -> pa.Array:
    if not len(starts) or is_utf8(data[starts[0] : ends[-1]]):
        return text_views(data, starts, ends)
    shown = [data[start:end].decode("utf-8", "backslashreplace") for start, end in zip(starts, ends, strict=True)]
    return pa.array(shown, pa.string_view())
