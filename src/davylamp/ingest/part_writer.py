"""Writes one part from Arrow batches: a row group a batch, dictionaries as they come, deltas for numbers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from davylamp.ingest.lines import RejectBox
from davylamp.ingest.parts import ARROW_TYPES, Normalized, Part
from davylamp.model.coverage import REJECTS_SHOWN_COUNT, Reject
from davylamp.model.event_class import EventClass

_REPEATED = pa.dictionary(pa.int32(), pa.string())


def part_schema(event_class: EventClass, columns: Collection[str], repeated: Collection[str]) -> pa.Schema:
    """The columns of a part: those of the class that are given, further ones as text, `path` and `reject`."""
    types = {column.name: ARROW_TYPES[column.type] for column in event_class.stored}
    wanted = [name for name in types if name in columns] + [name for name in columns if name not in types]
    kinds = [(name, _REPEATED if name in repeated else types.get(name, pa.string())) for name in wanted]
    return pa.schema([*kinds, ("path", _REPEATED), ("reject", pa.string())])


class PartWriter:
    """One Parquet file being written.

    Two million flow rows: 0.3 s of CPU and 42 MB, where the engine's COPY takes 0.7 s and as much room, since columns
    of few values arrive as dictionaries and are written as such. A thread of its own writes one batch while the next is
    made; what goes wrong there is raised by the next `write`, or at the end.
    """

    def __init__(self, target: Path, event_class: EventClass, schema: pa.Schema, path: str) -> None:
        self._target = target
        self._event_class = event_class
        self._schema = schema
        self._path = pa.array([path], pa.string())
        numbers = [each.name for each in schema if pa.types.is_integer(each.type) or pa.types.is_timestamp(each.type)]
        self._writer = pq.ParquetWriter(
            target,
            schema,
            compression="snappy",
            use_dictionary=[each.name for each in schema if pa.types.is_dictionary(each.type)],
            column_encoding=dict.fromkeys(numbers, "DELTA_BINARY_PACKED"),
            # What readers skip row groups by.
            write_statistics=[each.name for each in schema if pa.types.is_timestamp(each.type)],
            store_schema=False,
        )
        self._lane = ThreadPoolExecutor(1, thread_name_prefix="part-writer")
        self._under_way: Future[None] | None = None
        self._kept_count = 0
        self._rejected_count = 0
        self._first_at: datetime | None = None

    def __enter__(self) -> PartWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._lane.shutdown()
        try:
            if error is None:
                self._await()
        finally:
            self._writer.close()

    def write(self, rows: pa.RecordBatch, rejects: RejectBox) -> None:
        """Appends rows that have the columns of the schema but `path`, and perhaps not `reject`."""
        count = rows.num_rows
        if not count:
            return
        path = pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, dtype=np.int32)), self._path)
        columns = []
        for each in self._schema:
            if each.name == "path":
                columns.append(path)
            elif each.name in rows.schema.names:
                columns.append(_as(rows.column(each.name), each.type))
            else:
                columns.append(pa.nulls(count, each.type))
        self._count(rows, rejects)
        table = pa.Table.from_arrays(columns, schema=self._schema)
        self._await()
        self._under_way = self._lane.submit(self._writer.write_table, table, row_group_size=count)

    def _await(self) -> None:
        if self._under_way is not None:
            self._under_way.result()

    def _count(self, rows: pa.RecordBatch, rejects: RejectBox) -> None:
        times = rows.column("time")
        if "reject" in rows.schema.names and rows.column("reject").null_count < rows.num_rows:
            bad = pc.is_valid(rows.column("reject"))
            bad_rows = rows.filter(bad)
            for row in bad_rows.slice(0, REJECTS_SHOWN_COUNT).to_pylist():
                rejects.add(Reject(row.get("byte_offset"), row["line"], row["reject"]))
            rejects.count += max(0, bad_rows.num_rows - REJECTS_SHOWN_COUNT)
            self._rejected_count += bad_rows.num_rows
            times = times.filter(pc.invert(bad))
        self._kept_count += len(times)
        earliest = pc.min(times).as_py()
        if earliest is not None and (self._first_at is None or earliest < self._first_at):
            self._first_at = earliest

    def finish(self, result: Normalized) -> None:
        """Adds the part to the result, or takes it away when no row of it was good."""
        if not self._kept_count:
            self._target.unlink()
            return
        held = set(self._schema.names)
        columns: Sequence[str] = [column.name for column in self._event_class.stored if column.name in held]
        # Where nothing was rejected, readers of the part need not ask.
        stored = (*columns, "reject") if self._rejected_count else tuple(columns)
        day = "unknown" if self._first_at is None else self._first_at.strftime("%Y-%m-%d")
        result.parts.append(Part(self._event_class.name, self._target, self._kept_count, day, stored))


def _as(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if column.type == kind:
        return column
    if pa.types.is_dictionary(kind):
        return column.cast(pa.string()).dictionary_encode().cast(kind)
    return column.cast(kind)
