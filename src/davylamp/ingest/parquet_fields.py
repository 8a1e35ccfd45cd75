"""Columns of Parquet evidence as batches of typed fields, with the dictionaries that the file already has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from davylamp.ingest.fields import TYPES
from davylamp.kit.source import AtOnce

# A row group of ours holds so many rows at most; dictionaries are written once for each.
_BATCH_ROWS = 1 << 18
# A dictionary may be a mebibyte, and an index into it takes less than three bytes: a larger column has more in it.
_DICTIONARY_BYTES, _INDEX_BYTES = 1 << 20, 3


def is_plain(path: str, layout: AtOnce) -> bool:
    """Whether the wanted columns are of types that the shortcut takes, under names of their own."""
    # Opened here, because Arrow takes no path that is not UTF-8.
    with Path(path).open("rb") as file:
        schema = pq.read_schema(file)
    if len(set(schema.names)) < len(schema.names):
        return False
    return all(
        pa.types.is_integer(schema.field(column).type)
        or (layout.types[name] in ("VARCHAR", "REPEATED") and pa.types.is_string(schema.field(column).type))
        for name, column in _columns(schema, layout).items()
    )


def parquet_batches(path: str, layout: AtOnce) -> Iterator[tuple[pa.Table, pa.RecordBatch | None]]:
    """For each stretch of rows its columns, with `file_line`, and its fields, or None where SQL must look."""
    with Path(path).open("rb") as raw:
        file = pq.ParquetFile(raw, pre_buffer=False, buffer_size=1 << 20)
        columns = _columns(file.schema_arrow, layout)
        texts = [column for column in columns.values() if pa.types.is_string(file.schema_arrow.field(column).type)]
        repeated = [column for column in texts if _is_dictionary(file, column)]
        file = pq.ParquetFile(raw, read_dictionary=repeated, pre_buffer=False, buffer_size=1 << 20)
        line = 0
        for batch in file.iter_batches(_BATCH_ROWS, columns=list(columns.values()), use_threads=False):
            lines = pa.array(np.arange(line + 1, line + 1 + batch.num_rows, dtype=np.int64))
            line += batch.num_rows
            table = pa.Table.from_batches([batch]).append_column("file_line", lines)
            yield table, _fields(batch, columns, layout, lines)


def _columns(schema: pa.Schema, layout: AtOnce) -> dict[str, str]:
    """Wanted field -> the file's column; a field that is there twice is the first."""
    found: dict[str, str] = {}
    for name, column in zip(layout.names, schema.names, strict=True):
        if name in layout.types:
            found.setdefault(name, column)
    return found


def _is_dictionary(file: pq.ParquetFile, column: str) -> bool:
    """Whether the first row group holds the column as a dictionary and indices alone."""
    if not file.metadata.num_row_groups:
        return False
    group = file.metadata.row_group(0)
    for place in range(group.num_columns):
        chunk = group.column(place)
        if chunk.path_in_schema == column:
            limit_bytes = _DICTIONARY_BYTES + _INDEX_BYTES * group.num_rows
            return bool(chunk.has_dictionary_page and chunk.total_uncompressed_size <= limit_bytes)
    return False


def _fields(batch: pa.RecordBatch, columns: dict[str, str], layout: AtOnce, lines: pa.Array) -> pa.RecordBatch | None:
    made = {}
    for name, kind in layout.types.items():
        try:
            made[name] = _field(batch.column(columns[name]), kind, layout.null_text)
        except pa.ArrowInvalid:
            return None
        if made[name] is None:
            return None
    return pa.RecordBatch.from_pydict({**made, "line": lines})


def _field(column: pa.Array, kind: str, null_text: str) -> pa.Array | None:
    if kind not in ("VARCHAR", "REPEATED"):
        number = column.cast(TYPES[kind])
        return None if pa.types.is_signed_integer(number.type) and (pc.min(number).as_py() or 0) < 0 else number
    if pa.types.is_integer(column.type):
        numbers = column.dictionary_encode()
        column = pa.DictionaryArray.from_arrays(numbers.indices, numbers.dictionary.cast(pa.string()))
    if pa.types.is_dictionary(column.type):
        return _without(column, null_text)
    if null_text:
        missing = pc.equal(column, null_text)
        column = pc.if_else(missing, pa.scalar(None, pa.string()), column) if pc.any(missing).as_py() else column
    return column.dictionary_encode() if kind == "REPEATED" else column


def _without(texts: pa.DictionaryArray, null_text: str) -> pa.DictionaryArray:
    place = pc.index(texts.dictionary, null_text).as_py()
    if not null_text or place < 0:
        return texts
    is_null = pc.equal(texts.indices, pa.scalar(place, texts.indices.type))
    indices = pc.if_else(is_null, pa.scalar(None, texts.indices.type), texts.indices)
    return pa.DictionaryArray.from_arrays(indices, texts.dictionary)
