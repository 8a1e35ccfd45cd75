"""Parts: what is written of one event class of one file, and the records of it that could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from davylamp.ingest.lines import RejectBox
from davylamp.kit.engine import Engine, literal
from davylamp.model.coverage import REJECTS_SHOWN_COUNT, Reject
from davylamp.model.event_class import EventClass

ARROW_TYPES: dict[str, pa.DataType] = {
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


def finish_part(
    engine: Engine,
    event_class: EventClass,
    written: Path,
    columns: tuple[str, ...],
    may_reject: bool,
    result: Normalized,
) -> None:
    """Counts what was written, and takes a part without a good row away again."""
    relation = f"read_parquet({literal(str(written))})"
    reject = "reject" if may_reject else "CAST(NULL AS VARCHAR)"
    row = engine.rows(
        f"""SELECT count(*) FILTER (WHERE {reject} IS NULL) AS kept, count({reject}) AS rejected,
        min(time) FILTER (WHERE {reject} IS NULL) AS first_at FROM {relation}"""
    )[0]
    if row["rejected"]:
        collect_rejects(engine, relation, dict.fromkeys(columns, ""), result.rejects)
    if not row["kept"]:
        written.unlink()
        return
    first_at = row["first_at"]
    day = str(first_at)[:10] if first_at is not None else "unknown"
    # Where nothing was rejected, readers of the part need not ask.
    stored = (*columns, "reject") if row["rejected"] else columns
    result.parts.append(Part(event_class.name, written, int(str(row["kept"])), day, stored))


def collect_rejects(engine: Engine, relation: str, names: Mapping[str, str], box: RejectBox) -> None:
    """Counts the rejects of a relation and shows the first few."""
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
