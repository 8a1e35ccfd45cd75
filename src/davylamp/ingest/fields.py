"""Lines of a delimited format as Arrow batches of typed fields: blocks without surprises are cut at once.

Arrow's CSV reader does the cutting, and only where it cannot differ from what the source's SQL says
of each line: no quoting, as many rows as newlines, no lone carriage return, every number a plain one.
Any other block goes through that SQL, line by line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from davylamp.ingest.lines import MAX_LINE_BYTES, RejectBox, line_batch, line_blocks
from davylamp.kit.source import Fields

_TYPES: dict[str, pa.DataType] = {
    "VARCHAR": pa.string(),
    "REPEATED": pa.dictionary(pa.int32(), pa.string()),
    "USMALLINT": pa.uint16(),
    "UINTEGER": pa.uint32(),
    "BIGINT": pa.int64(),
}
_ORIGIN = [("line", pa.int64()), ("byte_offset", pa.int64())]


def field_schema(layout: Fields) -> pa.Schema:
    """The columns of the relation `fields`."""
    wanted = [(name, _TYPES[kind]) for name, kind in layout.types.items()]
    return pa.schema(wanted + [(name, _TYPES[kind]) for name, kind in layout.extras.items()] + _ORIGIN)


def field_batches(stream: BinaryIO, layout: Fields, rejects: RejectBox) -> Iterator[pa.RecordBatch]:
    """Batches of the relation `fields`, in file order."""
    cut, slow = _AtOnce(layout), _LineByLine(layout)
    for data, line, offset in line_blocks(stream, rejects, MAX_LINE_BYTES):
        begin, end, lines_before = _records_of(data, layout)
        if begin < end:
            batch = cut.batch(data[begin:end], line + lines_before, offset + begin)
            yield slow.batch(line_batch(data, line, offset, MAX_LINE_BYTES, rejects)) if batch is None else batch
    slow.close()


def _records_of(data: bytes, layout: Fields) -> tuple[int, int, int]:
    """Where the records of a block begin and end without its header and outer notes, and the lines before them."""
    begin, end, lines_before = 0, len(data), 0
    header, note = layout.header.encode(), layout.note.encode()
    if header and data.startswith((header + b"\n", header + b"\r\n")):
        begin, lines_before = data.index(b"\n") + 1, 1
    while note and data.startswith(note, begin) and begin < end:
        begin, lines_before = data.index(b"\n", begin) + 1, lines_before + 1
    while note and begin < end and data.startswith(note, last := data.rfind(b"\n", begin, end - 1) + 1 or begin):
        end = last
    return begin, end, lines_before


class _AtOnce:
    def __init__(self, layout: Fields) -> None:
        self._schema = field_schema(layout)
        self._extras = [_TYPES[kind] for kind in layout.extras.values()]
        # A field may be named twice; the first one counts, and names must differ.
        names = [
            name if name in layout.types and name not in layout.names[:place] else f"\x00{place}"
            for place, name in enumerate(layout.names)
        ]
        self._names = names
        self._parse = pyarrow.csv.ParseOptions(delimiter=layout.delimiter, quote_char=False)
        self._convert = pyarrow.csv.ConvertOptions(
            column_types={name: _TYPES[kind] for name, kind in layout.types.items()},
            include_columns=list(layout.types),
            null_values=[layout.null_text] if layout.null_text else [],
            strings_can_be_null=bool(layout.null_text),
        )

    def batch(self, data: bytes, line: int, offset: int) -> pa.RecordBatch | None:
        """The block's rows, or None where line by line something else may come out."""
        # A lone carriage return ends a line for the reader and not for us; it reads numbers with 0x.
        if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
            return None
        # One byte is looked for forty times as fast as two.
        if (b"x" in data and b"0x" in data) or (b"X" in data and b"0X" in data):
            return None
        raw = np.frombuffer(data, dtype=np.uint8)
        ends = np.flatnonzero(raw == ord("\n"))
        starts = np.concatenate(([0], ends[:-1] + 1))
        if int((ends - starts).max()) > MAX_LINE_BYTES:
            return None
        read = pyarrow.csv.ReadOptions(column_names=self._names, use_threads=False, block_size=len(data) + 1)
        try:
            table = pyarrow.csv.read_csv(pa.BufferReader(data), read, self._parse, self._convert)
        except (pa.ArrowInvalid, pa.ArrowKeyError):
            return None
        if table.num_rows != len(ends):
            return None
        columns = [column.combine_chunks() for column in table.columns]
        if any(column.type == pa.int64() and (pc.min(column).as_py() or 0) < 0 for column in columns):
            return None
        columns = [column.chunk(0) if isinstance(column, pa.ChunkedArray) else column for column in columns]
        columns += [pa.nulls(len(ends), kind) for kind in self._extras]
        lines = np.arange(line + 1, line + 1 + len(ends), dtype=np.int64)
        return pa.record_batch([*columns, pa.array(lines), pa.array(starts + offset)], schema=self._schema)


class _LineByLine:
    """Runs the source's own SQL over one block; in an engine of its own, since the case's engine waits for us."""

    def __init__(self, layout: Fields) -> None:
        self._layout = layout
        self._schema = field_schema(layout)
        self._engine: duckdb.DuckDBPyConnection | None = None

    def batch(self, records: pa.RecordBatch) -> pa.RecordBatch:
        if self._engine is None:
            self._engine = duckdb.connect(config={"threads": 1, "autoload_known_extensions": "false"})
        self._engine.register("records", pa.Table.from_batches([records]))
        names = ", ".join(f'"{name}"' for name in self._schema.names)
        ordered = f"SELECT {names} FROM ({self._layout.slow}) AS rows ORDER BY byte_offset"
        table: pa.Table = self._engine.sql(ordered).to_arrow_table()
        columns = [_as(table.column(each.name).combine_chunks(), each.type) for each in self._schema]
        return pa.record_batch(columns, schema=self._schema)

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()


def _as(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return column.cast(pa.string()).dictionary_encode()
    return column.cast(kind)
