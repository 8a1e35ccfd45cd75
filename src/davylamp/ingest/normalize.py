"""From one recognised file to ordered Parquet parts, one per event class, in one pass over the raw bytes."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from davylamp.errors import SourceError, UnitError
from davylamp.ingest.fields import field_batches, field_schema
from davylamp.ingest.json_records import json_batches
from davylamp.ingest.lines import SCHEMA, RejectBox, line_batches
from davylamp.ingest.walk import shown_path
from davylamp.kit.engine import Engine, literal
from davylamp.kit.source import Batch, EvidenceFile, RowSource, SqlPlan
from davylamp.model.coverage import REJECTS_SHOWN_COUNT, Reject
from davylamp.model.event_class import EventClass
from davylamp.model.events import EVENT_CLASSES

# Snappy and version 2 pages: 84 MB instead of 124 MB for 5 million flow rows at the same speed. Dictionaries of
# more than a few thousand values cost more than they save: the limit makes it a third less work, and a fifth larger.
_PARQUET = "(FORMAT parquet, PARQUET_VERSION v2, COMPRESSION snappy, DICTIONARY_SIZE_LIMIT 4000)"
_LINK_NAME = "evidence.parquet"
# What these say is wrong with a query of ours, not with a file.
_DEFECTS = (duckdb.BinderException, duckdb.ParserException, duckdb.CatalogException)
# Damage and forgery write years up to 292277; adding a day to year 9999 ends every calendar downstream.
EARLIEST, LATEST = "1970-01-01", "2100-01-01"
OUTSIDE = "the time lies outside 1970 to 2100"


@dataclass
class Part:
    """Rows of one event class, written but not yet placed."""

    event_class: str
    written: Path
    rows_count: int
    first_day: str
    columns: tuple[str, ...]


@dataclass
class Normalized:
    """What one file gave."""

    parts: list[Part] = field(default_factory=list)
    rejects: RejectBox = field(default_factory=RejectBox)
    notes: tuple[str, ...] = ()
    partial_reason: str = ""


class _Stopped:
    """Keeps an error that rose inside a generator the engine was pulling from."""

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def guard(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        try:
            yield from batches
        except BaseException as error:
            self.error = error
            raise


def normalize_sql(engine: Engine, plan: SqlPlan, path: str, head: bytes, stream: BinaryIO, scratch: Path) -> Normalized:
    """Runs a SQL plan over a stream (or, for Parquet, over the file itself)."""
    result = Normalized(notes=plan.notes)
    stopped = _Stopped()
    relation = "records"
    if plan.relation == "parquet":
        engine.execute(
            "CREATE OR REPLACE TEMP VIEW records AS SELECT *, file_row_number + 1 AS file_line "
            f"FROM read_parquet({literal(_linked(path, scratch))}, file_row_number = true, hive_partitioning = false)"
        )
    else:
        schema, batches = _batches(plan, head, stream, result.rejects)
        engine.execute("DROP VIEW IF EXISTS records")
        engine.register(relation, pa.RecordBatchReader.from_batches(schema, stopped.guard(batches)))
    try:
        if plan.staged is not None:
            _stage(engine, plan, result, scratch)
        for name, select in plan.selects.items():
            _write_class(engine, EVENT_CLASSES[name], select, shown_path(path), scratch, result)
        if plan.notes_select is not None:
            result.notes += tuple(str(value) for row in engine.rows(plan.notes_select) for value in row.values())
    except duckdb.Error as error:
        if stopped.error is not None:
            raise stopped.error from None
        if plan.relation == "parquet" and not isinstance(error, _DEFECTS):
            raise SourceError("the Parquet file is damaged", why=str(error).splitlines()[0]) from error
        raise
    except Exception:
        if stopped.error is not None:
            raise stopped.error from None
        raise
    finally:
        if plan.relation == "parquet":
            engine.execute("DROP VIEW IF EXISTS records")
        else:
            engine.unregister(relation)
        engine.execute("DROP VIEW IF EXISTS staged")
        (scratch / "staged.parquet").unlink(missing_ok=True)
        (scratch / _LINK_NAME).unlink(missing_ok=True)
    return result


def _linked(path: str, scratch: Path) -> str:
    """A plain name for a file: in others the engine sees patterns (`*`, `[`) or bytes that are not UTF-8."""
    link = scratch / _LINK_NAME
    link.unlink(missing_ok=True)
    link.symlink_to(Path(path).resolve())
    return str(link)


def _batches(
    plan: SqlPlan, head: bytes, stream: BinaryIO, rejects: RejectBox
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    if plan.fields is not None:
        return field_schema(plan.fields), field_batches(stream, plan.fields, rejects)
    if plan.relation == "lines":
        return SCHEMA, line_batches(stream, rejects)
    return SCHEMA, json_batches(head, stream, rejects)


def _stage(engine: Engine, plan: SqlPlan, result: Normalized, scratch: Path) -> None:
    staged = scratch / "staged.parquet"
    engine.execute(f"COPY ({plan.staged}) TO {literal(str(staged))} {_PARQUET}")
    engine.execute(f"CREATE OR REPLACE TEMP VIEW staged AS SELECT * FROM read_parquet({literal(str(staged))})")
    names = engine.columns("SELECT * FROM staged")
    if "reject" in names:
        _collect_rejects(engine, "staged", names, result.rejects)


def _write_class(
    engine: Engine, event_class: EventClass, select: str, path: str, scratch: Path, result: Normalized
) -> None:
    given = engine.columns(select)
    written = scratch / f"{event_class.name}.parquet"
    kept = tuple(column.name for column in event_class.stored if column.name in given or column.name == "path")
    engine.execute(
        f"COPY (SELECT {_projection(event_class, given, path)} FROM ({select}) AS given) "
        f"TO {literal(str(written))} {_PARQUET}"
    )
    _finish(engine, event_class, written, kept, True, result)


def _projection(event_class: EventClass, given: Mapping[str, str], path: str) -> str:
    known = {column.name for column in event_class.stored} | {"reject"}
    if unknown := set(given) - known:
        raise UnitError(
            "a source gives columns that its event class does not have",
            where=event_class.name,
            why=", ".join(sorted(unknown)),
            hint="davylamp units sources",
        )
    columns = []
    for column in event_class.stored:
        if column.name == "path":
            columns.append(f"{literal(path)} AS path")
        elif column.name in given:
            columns.append(f'CAST("{column.name}" AS {column.type}) AS "{column.name}"')
    columns.append(f"{_reject(event_class, given)} AS reject")
    return ", ".join(columns)


def _reject(event_class: EventClass, given: Mapping[str, str]) -> str:
    """The source's own reason, or that an instant is one no evidence can have."""
    instants = [column.name for column in event_class.stored if column.type == "TIMESTAMP" and column.name in given]
    outside = " OR ".join(
        f"\"{name}\" < TIMESTAMP '{EARLIEST}' OR \"{name}\" >= TIMESTAMP '{LATEST}'" for name in instants
    )
    own = "CAST(reject AS VARCHAR)" if "reject" in given else "NULL"
    return f"coalesce({own}, CASE WHEN {outside or 'false'} THEN {literal(OUTSIDE)} END)"


def _finish(
    engine: Engine,
    event_class: EventClass,
    written: Path,
    columns: tuple[str, ...],
    may_reject: bool,
    result: Normalized,
) -> None:
    relation = f"read_parquet({literal(str(written))})"
    reject = "reject" if may_reject else "CAST(NULL AS VARCHAR)"
    row = engine.rows(
        f"""SELECT count(*) FILTER (WHERE {reject} IS NULL) AS kept, count({reject}) AS rejected,
        min(time) FILTER (WHERE {reject} IS NULL) AS first_at FROM {relation}"""
    )[0]
    if row["rejected"]:
        _collect_rejects(engine, relation, dict.fromkeys(columns, ""), result.rejects)
    if not row["kept"]:
        written.unlink()
        return
    first_at = row["first_at"]
    day = str(first_at)[:10] if first_at is not None else "unknown"
    # Where nothing was rejected, readers of the part need not ask.
    stored = (*columns, "reject") if row["rejected"] else columns
    result.parts.append(Part(event_class.name, written, int(str(row["kept"])), day, stored))


def _collect_rejects(engine: Engine, relation: str, names: Mapping[str, str], box: RejectBox) -> None:
    line = "line" if "line" in names else "NULL"
    offset = "byte_offset" if "byte_offset" in names else "NULL"
    shown = engine.rows(
        f"""SELECT {offset} AS byte_offset, {line} AS line, reject FROM {relation}
        WHERE reject IS NOT NULL ORDER BY 1, 2 LIMIT {REJECTS_SHOWN_COUNT}"""
    )
    total = engine.rows(f"SELECT count(reject) AS total FROM {relation}")[0]["total"]
    for row in shown:
        box.add(Reject(_number(row["byte_offset"]), _number(row["line"]), str(row["reject"])))
    box.count += int(str(total)) - len(shown)


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def normalize_rows(engine: Engine, source: RowSource, file: EvidenceFile, scratch: Path) -> Normalized:
    """Runs a source that yields Arrow batches itself."""
    result = Normalized()
    writers: dict[str, Any] = {}
    try:
        for item in source.read(file):
            if isinstance(item, Reject):
                result.rejects.add(item)
            elif item.rows.num_rows:
                _append(writers, _dated(item, result.rejects), file.path, scratch)
    finally:
        for writer in writers.values():
            writer.close()
    for name in sorted(writers):
        event_class = EVENT_CLASSES[name]
        columns = tuple(column.name for column in event_class.stored)
        _finish(engine, event_class, scratch / f"{name}.parquet", columns, False, result)
    result.partial_reason = file.partial_reason
    result.notes = tuple(file.notes)
    return result


def _dated(batch: Batch, box: RejectBox) -> Batch:
    """The batch without rows of an instant that no evidence can have; those are rejects."""
    rows = batch.rows
    times = rows.column("time")
    bounds = [pa.scalar(datetime.fromisoformat(day), pa.timestamp("us")).cast(times.type) for day in (EARLIEST, LATEST)]
    inside = pc.fill_null(pc.and_(pc.greater_equal(times, bounds[0]), pc.less(times, bounds[1])), True)
    if pc.all(inside).as_py() is not False:
        return batch
    for row in (
        rows.filter(pc.invert(inside)).select([n for n in ("byte_offset",) if n in rows.schema.names]).to_pylist()
    ):
        box.add(Reject(row.get("byte_offset"), None, OUTSIDE))
    return Batch(batch.event_class, rows.filter(inside))


def _append(writers: dict[str, Any], batch: Batch, path: str, scratch: Path) -> None:
    import pyarrow.parquet as pq

    event_class = EVENT_CLASSES[batch.event_class]
    schema = arrow_schema(event_class)
    if batch.event_class not in writers:
        target = scratch / f"{batch.event_class}.parquet"
        writers[batch.event_class] = pq.ParquetWriter(target, schema, compression="snappy")
    rows = batch.rows
    columns = []
    for each in schema:
        if each.name == "path":
            columns.append(pa.array([path] * rows.num_rows, pa.string()))
        elif each.name in rows.schema.names:
            columns.append(rows.column(each.name).cast(each.type))
        else:
            columns.append(pa.nulls(rows.num_rows, each.type))
    if unknown := set(rows.schema.names) - set(schema.names):
        raise UnitError("a source gives unknown columns", where=event_class.name, why=", ".join(sorted(unknown)))
    writers[batch.event_class].write_batch(pa.record_batch(columns, schema=schema))


_ARROW: dict[str, pa.DataType] = {
    "TIMESTAMP": pa.timestamp("us"),
    "VARCHAR": pa.string(),
    "BOOLEAN": pa.bool_(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "BLOB": pa.binary(),
    "VARCHAR[]": pa.list_(pa.string()),
    "DOUBLE[]": pa.list_(pa.float64()),
    "INTEGER[]": pa.list_(pa.int32()),
}


def arrow_schema(event_class: EventClass) -> pa.Schema:
    """The Arrow schema of a class as it is stored."""
    return pa.schema([(column.name, _ARROW[column.type]) for column in event_class.stored])


def as_binary(stream: io.RawIOBase) -> BinaryIO:
    """A buffered reader over a raw stream."""
    return io.BufferedReader(stream, buffer_size=1 << 20)
