"""Blocks of delimited lines cut into typed fields, where that cannot differ from cutting line by line.

Arrow's CSV reader does the cutting, and only of blocks without surprises: no quoting, as many rows as
newlines, no lone carriage return, every number a plain one.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from davylamp.ingest.lines import MAX_LINE_BYTES, Block, whole_numbers
from davylamp.kit.source import AtOnce

TYPES: dict[str, pa.DataType] = {
    "VARCHAR": pa.string(),
    "REPEATED": pa.dictionary(pa.int32(), pa.string()),
    "USMALLINT": pa.uint16(),
    "UINTEGER": pa.uint32(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
}
_SIGNED = (pa.int64(), pa.float64())


def records_of(block: Block, layout: AtOnce) -> Block:
    """The block without its header and the notes at its ends."""
    data, begin, end, lines_before = block.data, 0, len(block.data), 0
    header, note = layout.header.encode(), layout.note.encode()
    if header and data.startswith((header + b"\n", header + b"\r\n")):
        begin, lines_before = data.index(b"\n") + 1, 1
    while note and data.startswith(note, begin) and begin < end:
        begin, lines_before = data.index(b"\n", begin) + 1, lines_before + 1
    while note and begin < end and data.startswith(note, last := data.rfind(b"\n", begin, end - 1) + 1 or begin):
        end = last
    if (begin, end) == (0, len(data)):
        return block
    kept = slice(lines_before, int(np.searchsorted(block.ends, end)))
    starts, ends = block.starts[kept] - begin, block.ends[kept] - begin
    return Block(data[begin:end], starts, ends, block.line + lines_before, block.offset + begin)


class FieldCutter:
    """Cuts blocks of one layout."""

    def __init__(self, layout: AtOnce) -> None:
        self._wanted = list(layout.types)
        # A field may be named twice; the first one counts, and names must differ.
        self._names = [
            name if name in layout.types and name not in layout.names[:place] else f"\x00{place}"
            for place, name in enumerate(layout.names)
        ]
        self._parse = pyarrow.csv.ParseOptions(delimiter=layout.delimiter, quote_char=False)
        self._convert = pyarrow.csv.ConvertOptions(
            column_types={name: TYPES[kind] for name, kind in layout.types.items()},
            include_columns=self._wanted,
            null_values=[layout.null_text] if layout.null_text else [],
            strings_can_be_null=bool(layout.null_text),
        )

    def batch(self, block: Block) -> pa.RecordBatch | None:
        """The block's fields, `line` and `byte_offset`, or None where line by line something else may come out."""
        data = block.data
        # A lone carriage return ends a line for the reader and not for us; it reads numbers with 0x.
        if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
            return None
        # One byte is looked for forty times as fast as two.
        if (b"x" in data and b"0x" in data) or (b"X" in data and b"0X" in data):
            return None
        if int((block.ends - block.starts).max()) > MAX_LINE_BYTES:
            return None
        read = pyarrow.csv.ReadOptions(column_names=self._names, use_threads=False, block_size=len(data) + 1)
        try:
            table = pyarrow.csv.read_csv(pa.BufferReader(data), read, self._parse, self._convert)
        except (pa.ArrowInvalid, pa.ArrowKeyError):
            return None
        if table.num_rows != len(block.ends):
            return None
        columns = [column.combine_chunks() for column in table.columns]
        if any(column.type in _SIGNED and (pc.min(column).as_py() or 0) < 0 for column in columns):
            return None
        columns = [column.chunk(0) if isinstance(column, pa.ChunkedArray) else column for column in columns]
        lines = np.arange(block.line + 1, block.line + 1 + len(block.ends), dtype=np.int64)
        names = [*self._wanted, "line", "byte_offset"]
        return pa.record_batch(
            [*columns, whole_numbers(lines), whole_numbers(block.starts + block.offset)], names=names
        )
