"""Rows of one event class straight from blocks of plain records; what is not plain goes through the source's SQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from davylamp.ingest.fields import FieldCutter, records_of
from davylamp.ingest.in_order import in_order
from davylamp.ingest.lines import MAX_LINE_BYTES, SCHEMA, Block, RejectBox, line_batch, line_blocks
from davylamp.ingest.parquet_fields import parquet_batches
from davylamp.ingest.part_writer import PartWriter, part_schema
from davylamp.ingest.parts import Normalized
from davylamp.ingest.projection import EARLIEST, LATEST, projection
from davylamp.kit.source import AtOnce, SqlPlan
from davylamp.model.event_class import EventClass
from davylamp.model.events import EVENT_CLASSES


def normalize_at_once(plan: SqlPlan, file: str, path: str, stream: BinaryIO, scratch: Path, result: Normalized) -> None:
    """Writes the part of the plan's `staged_class`; it is the result's first part when any row was good.

    Args:
        file: where Parquet is read from.
        path: as rows name it.
    """
    assert plan.at_once is not None and plan.staged_class is not None
    event_class = EVENT_CLASSES[plan.staged_class]
    schema = part_schema(event_class, plan.at_once.columns, plan.at_once.repeated)
    with PartWriter(scratch / f"{event_class.name}.parquet", event_class, schema, path) as writer:
        if plan.relation == "parquet":
            batches = parquet_row_batches(plan, event_class, schema, file)
        else:
            batches = row_batches(plan, event_class, schema, stream, result.rejects)
        for rows in batches:
            writer.write(rows, result.rejects)
    writer.finish(result)


def row_batches(
    plan: SqlPlan, event_class: EventClass, schema: pa.Schema, stream: BinaryIO, rejects: RejectBox
) -> Iterator[pa.RecordBatch]:
    """Batches of the part's columns (all but `path`), in file order."""
    assert plan.at_once is not None
    cutter, slow, ahead = _BlockCutter(plan.at_once), _LineByLine(plan, event_class, schema), RejectBox()
    try:
        for (block, rejected), (plain, rows) in in_order(cutter.rows, _with_rejects(stream, ahead)):
            rejects.extend(rejected)
            if not plain:
                yield slow.rows(pa.Table.from_batches([line_batch(block, MAX_LINE_BYTES, rejects)], SCHEMA))
            elif rows is not None:
                yield rows
        rejects.extend(ahead)
    finally:
        slow.close()


def _with_rejects(stream: BinaryIO, ahead: RejectBox) -> Iterator[tuple[Block, RejectBox]]:
    """Blocks, each with the rejects between it and the one before: blocks are read ahead of the rows before them."""
    for block in line_blocks(stream, ahead, MAX_LINE_BYTES):
        yield block, ahead.taken()


class _BlockCutter:
    """Makes rows of plain blocks; in any thread."""

    def __init__(self, layout: AtOnce) -> None:
        self._layout = layout
        self._cutter = FieldCutter(layout)

    def rows(self, item: tuple[Block, RejectBox]) -> tuple[bool, pa.RecordBatch | None]:
        """Whether the block is plain, and its rows, where it has any."""
        records = records_of(item[0], self._layout)
        if not len(records.ends):
            return True, None
        fields = self._cutter.batch(records)
        rows = None if fields is None else self._layout.rows(fields)
        return rows is not None and _possible(rows), rows


def parquet_row_batches(
    plan: SqlPlan, event_class: EventClass, schema: pa.Schema, file: str
) -> Iterator[pa.RecordBatch]:
    """Batches of the part's columns (all but `path`), in file order."""
    layout = plan.at_once
    assert layout is not None
    slow = _LineByLine(plan, event_class, schema)
    try:
        for records, fields in parquet_batches(file, layout):
            rows = None if fields is None else layout.rows(fields)
            yield slow.rows(records) if rows is None or not _possible(rows) else rows
    finally:
        slow.close()


def _possible(rows: pa.RecordBatch) -> bool:
    """Whether every instant is one that evidence can have; which one is not, SQL says."""
    bounds = [pa.scalar(datetime.fromisoformat(day), pa.timestamp("us")) for day in (EARLIEST, LATEST)]
    for column in rows.columns:
        if pa.types.is_timestamp(column.type):
            found = pc.min_max(column)
            if found["min"].is_valid and not (
                bounds[0].value <= found["min"].value and found["max"].value < bounds[1].value
            ):
                return False
    return True


class _LineByLine:
    """Runs the source's own SQL over one block, in an engine of its own."""

    def __init__(self, plan: SqlPlan, event_class: EventClass, schema: pa.Schema) -> None:
        self._plan = plan
        self._event_class = event_class
        self._names = ", ".join(f'"{name}"' for name in schema.names if name != "path")
        self._engine: duckdb.DuckDBPyConnection | None = None
        self._query = ""

    def rows(self, records: pa.Table) -> pa.RecordBatch:
        if self._engine is None:
            self._engine = duckdb.connect(config={"threads": 1, "autoload_known_extensions": "false"})
            self._engine.execute("SET TimeZone = 'UTC'")
        self._engine.register("records", records)
        if not self._query:
            staged = f"({self._plan.staged}) AS given"
            given = dict(self._engine.sql(f"SELECT column_name, column_type FROM (DESCRIBE FROM {staged})").fetchall())
            columns = projection(self._event_class, given, "", further=True)
            self._query = f"SELECT {self._names} FROM (SELECT {columns} FROM {staged}) AS rows ORDER BY line"
        table: pa.Table = self._engine.sql(self._query).to_arrow_table()
        [batch] = table.combine_chunks().to_batches() or [pa.RecordBatch.from_pylist([], schema=table.schema)]
        return batch

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()
