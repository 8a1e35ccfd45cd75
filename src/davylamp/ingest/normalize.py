"""From one recognised file to ordered Parquet parts, one per event class, in one pass over the raw bytes."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import pyarrow as pa

from davylamp.errors import SourceError, UnitError
from davylamp.ingest.json_records import json_batches
from davylamp.ingest.lines import SCHEMA, RejectBox, line_batches
from davylamp.ingest.parts import ARROW_TYPES, Normalized, collect_rejects, finish_part
from davylamp.ingest.projection import EARLIEST, LATEST, OUTSIDE, projection
from davylamp.ingest.walk import shown_path
from davylamp.kit.engine import Engine, literal
from davylamp.kit.source import Batch, EvidenceFile, RowSource, SqlPlan
from davylamp.model.coverage import Reject
from davylamp.model.event_class import EventClass
from davylamp.model.events import EVENT_CLASSES

# Snappy and version 2 pages: 84 MB instead of 124 MB for 5 million flow rows at the same speed. Dictionaries of
# more than a few thousand values cost more than they save: the limit makes it a third less work, and a fifth larger.
_PARQUET = "(FORMAT parquet, PARQUET_VERSION v2, COMPRESSION snappy, DICTIONARY_SIZE_LIMIT 4000)"
_LINK_NAME = "evidence.parquet"
# What these say is wrong with a query of ours, not with a file.
_DEFECTS = (duckdb.BinderException, duckdb.ParserException, duckdb.CatalogException)


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


def normalize_sql(
    engine: Engine, plan: SqlPlan, path: str, head: bytes, stream: BinaryIO, scratch: Path, shown: str | None = None
) -> Normalized:
    """Runs a SQL plan over a stream (or, for Parquet, over the file itself).

    Args:
        shown: the path that the rows are given; the path itself where it is the one that the user named.
    """
    named = shown_path(path) if shown is None else shown
    result = Normalized(notes=plan.notes)
    stopped = _Stopped()
    try:
        if not _at_once(plan, path, named, stream, scratch, result):
            plan = replace(plan, at_once=None)
            _open_records(engine, plan, path, head, stream, scratch, result, stopped)
        _run(engine, plan, named, scratch, result)
    except Exception as error:
        if stopped.error is not None:
            raise stopped.error from None
        if plan.relation == "parquet" and _speaks_of_the_file(error):
            raise SourceError("the Parquet file is damaged", why=str(error).splitlines()[0]) from error
        raise
    finally:
        if plan.relation == "parquet":
            engine.execute("DROP VIEW IF EXISTS records")
        else:
            engine.unregister("records")
        engine.execute("DROP VIEW IF EXISTS staged")
        (scratch / "staged.parquet").unlink(missing_ok=True)
        (scratch / _LINK_NAME).unlink(missing_ok=True)
    return result


def _at_once(plan: SqlPlan, path: str, named: str, stream: BinaryIO, scratch: Path, result: Normalized) -> bool:
    """Whether the plan's shortcut took the file."""
    if plan.at_once is None:
        return False
    # Imported here: most sources have no shortcut, and Arrow's functions take a tenth of a second to load.
    from davylamp.ingest.at_once import normalize_at_once
    from davylamp.ingest.parquet_fields import is_plain

    if plan.relation == "parquet" and not is_plain(path, plan.at_once):
        return False
    normalize_at_once(plan, path, named, stream, scratch, result)
    return True


def _speaks_of_the_file(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno is None  # Arrow's own; the system's say that a disk is full
    return isinstance(error, pa.ArrowException) or (isinstance(error, duckdb.Error) and not isinstance(error, _DEFECTS))


def _open_records(
    engine: Engine,
    plan: SqlPlan,
    path: str,
    head: bytes,
    stream: BinaryIO,
    scratch: Path,
    result: Normalized,
    stopped: _Stopped,
) -> None:
    if plan.relation == "parquet":
        engine.execute(
            "CREATE OR REPLACE TEMP VIEW records AS SELECT *, file_row_number + 1 AS file_line "
            f"FROM read_parquet({literal(_linked(path, scratch))}, file_row_number = true, hive_partitioning = false)"
        )
        return
    if plan.relation == "lines":
        batches = line_batches(stream, result.rejects)
    else:
        batches = json_batches(head, stream, result.rejects)
    engine.execute("DROP VIEW IF EXISTS records")
    engine.register("records", pa.RecordBatchReader.from_batches(SCHEMA, stopped.guard(batches)))


def _run(engine: Engine, plan: SqlPlan, path: str, scratch: Path, result: Normalized) -> None:
    if plan.staged_class is not None:
        if plan.at_once is None:
            assert plan.staged is not None
            _write_class(engine, EVENT_CLASSES[plan.staged_class], plan.staged, path, scratch, result, further=True)
        if not result.parts:
            return
        _view_staged(engine, result.parts[0].written, EVENT_CLASSES[plan.staged_class])
    elif plan.staged is not None:
        _stage(engine, plan.staged, result, scratch)
    for name, select in _asked(engine, plan).items():
        _write_class(engine, EVENT_CLASSES[name], select, path, scratch, result)
    if plan.notes_select is not None:
        result.notes += tuple(str(value) for row in engine.rows(plan.notes_select) for value in row.values())


def _asked(engine: Engine, plan: SqlPlan) -> Mapping[str, str]:
    """The SELECTs that can give a row: each costs its planning, and a judging of the watch has fifteen of them."""
    if plan.class_column is None or plan.staged is None:
        return plan.selects
    named = {row["name"] for row in engine.rows(f"SELECT DISTINCT {plan.class_column} AS name FROM staged")}
    return {name: select for name, select in plan.selects.items() if name in named}


def _linked(path: str, scratch: Path) -> str:
    """A plain name for a file: in others the engine sees patterns (`*`, `[`) or bytes that are not UTF-8."""
    link = scratch / _LINK_NAME
    link.unlink(missing_ok=True)
    link.symlink_to(Path(path).resolve())
    return str(link)


def _stage(engine: Engine, select: str, result: Normalized, scratch: Path) -> None:
    staged = scratch / "staged.parquet"
    engine.execute(f"COPY ({select}) TO {literal(str(staged))} {_PARQUET}")
    _view_staged(engine, staged)
    names = engine.columns("SELECT * FROM staged")
    if "reject" in names:
        collect_rejects(engine, "staged", names, result.rejects)


def _view_staged(engine: Engine, written: Path, event_class: EventClass | None = None) -> None:
    """The staged rows; columns of their class that the file's format does not have are null."""
    relation = f"read_parquet({literal(str(written))})"
    held = engine.columns(f"SELECT * FROM {relation}")
    absent = "".join(
        f', CAST(NULL AS {column.type}) AS "{column.name}"'
        for column in (event_class.stored if event_class else ())
        if column.name not in held
    )
    engine.execute(f"CREATE OR REPLACE TEMP VIEW staged AS SELECT *{absent} FROM {relation}")


def _write_class(
    engine: Engine,
    event_class: EventClass,
    select: str,
    path: str,
    scratch: Path,
    result: Normalized,
    *,
    further: bool = False,
) -> None:
    given = engine.columns(select)
    written = scratch / f"{event_class.name}.parquet"
    kept = tuple(column.name for column in event_class.stored if column.name in given or column.name == "path")
    engine.execute(
        f"COPY (SELECT {projection(event_class, given, path, further=further)} FROM ({select}) AS given) "
        f"TO {literal(str(written))} {_PARQUET}"
    )
    finish_part(engine, event_class, written, kept, True, result)


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
        finish_part(engine, event_class, scratch / f"{name}.parquet", columns, False, result)
    result.partial_reason = file.partial_reason
    result.notes = tuple(file.notes)
    return result


def _dated(batch: Batch, box: RejectBox) -> Batch:
    """The batch without rows of an instant that no evidence can have; those are rejects."""
    import pyarrow.compute as pc

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


def arrow_schema(event_class: EventClass) -> pa.Schema:
    """The Arrow schema of a class as it is stored."""
    return pa.schema([(column.name, ARROW_TYPES[column.type]) for column in event_class.stored])


def as_binary(stream: io.RawIOBase) -> BinaryIO:
    """A buffered reader over a raw stream."""
    return io.BufferedReader(stream, buffer_size=1 << 20)
