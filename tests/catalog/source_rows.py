"""Event rows of a SQL source for text in memory, through the reader the scan uses."""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from davylamp.ingest.normalize import normalize_sql
from davylamp.kit.engine import literal
from davylamp.kit.sample import SAMPLE_BYTES, Sample
from davylamp.kit.source import SqlSource
from davylamp.store.engine import DuckEngine

MODIFIED_AT = datetime(2026, 12, 31, tzinfo=UTC)


@dataclass
class Read:
    """What a source made of the text."""

    rows: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    rejects: list[tuple[int | None, str]] = field(default_factory=list)
    notes: tuple[str, ...] = ()


def read_text(source: SqlSource, data: bytes, modified_at: datetime = MODIFIED_AT) -> Read:
    """Rows by event class, in order of time and line, and the rejects."""
    sample = Sample("evidence", data[:SAMPLE_BYTES], whole=len(data) < SAMPLE_BYTES)
    with tempfile.TemporaryDirectory() as folder:
        engine = DuckEngine(256 << 20, Path(folder))
        plan = source.plan(sample, modified_at)
        normalized = normalize_sql(engine, plan, "evidence", sample.head, io.BytesIO(data), Path(folder))
        rows = {
            part.event_class: [
                row
                for row in engine.rows(f"SELECT * FROM read_parquet({literal(str(part.written))}) ORDER BY time, line")
                if row.get("reject") is None
            ]
            for part in normalized.parts
        }
    return Read(rows, [(reject.line, reject.reason) for reject in normalized.rejects.kept], normalized.notes)
