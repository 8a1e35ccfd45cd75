"""Events: the normalised rows of one class, with where each one came from."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any, TextIO

from davylamp.app.saved_case import opened_events
from davylamp.errors import UsageError
from davylamp.model.events import EVENT_CLASSES


def write_events(event_class: str, case_folder: Path | None, file_format: str, out: TextIO, target: Path | None) -> int:
    """Writes every row of a class, in the order of path and place; returns how many.

    Raises:
        UsageError: no such class, or Parquet to a terminal.
    """
    if event_class not in EVENT_CLASSES:
        raise UsageError(
            "there is no such event class",
            where=event_class,
            why=f"known are {', '.join(EVENT_CLASSES)}",
            hint="davylamp events authentication",
        )
    if file_format == "parquet" and target is None:
        raise UsageError(
            "Parquet is written to a file, not to standard output",
            where="--format parquet",
            hint=f"davylamp events {event_class} --format parquet --output {event_class}.parquet",
        )
    with opened_events(case_folder) as engine:
        query = f"SELECT {_columns(event_class)} FROM {event_class} ORDER BY path, line, frame, byte_offset, time"
        if file_format == "parquet":
            import pyarrow.parquet as pq

            reader = engine.stream(query)
            with pq.ParquetWriter(target, reader.schema) as writer:
                return sum(_written(writer, batch) for batch in reader)
        return _write_text(_rows(engine.stream(query)), file_format, out)


def _columns(event_class: str) -> str:
    names = [column.name for column in EVENT_CLASSES[event_class].columns]
    origin = ["path", "line", "frame", 'byte_offset AS "offset"']
    return ", ".join([*names[:1], "asset", *names[1:], *origin])


def _written(writer: Any, batch: Any) -> int:
    writer.write_batch(batch)
    return int(batch.num_rows)


def _rows(reader: Any) -> Iterator[dict[str, Any]]:
    for batch in reader:
        yield from batch.to_pylist()


def _write_text(rows: Iterator[dict[str, Any]], file_format: str, out: TextIO) -> int:
    count = 0
    writer: Any = None
    for row in rows:
        count += 1
        plain = {name: _plain(value) for name, value in row.items()}
        if file_format == "jsonl":
            out.write(json.dumps({name: value for name, value in plain.items() if value is not None}) + "\n")
            continue
        if writer is None:
            writer = csv.DictWriter(out, fieldnames=list(plain))
            writer.writeheader()
        writer.writerow(
            {name: json.dumps(value) if isinstance(value, list) else value for name, value in plain.items()}
        )
    return count


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat() + "Z"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value
