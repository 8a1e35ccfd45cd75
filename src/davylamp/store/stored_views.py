"""The rows of a case by event class, before anything is joined to them: `CLASS_stored`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from davylamp.kit.engine import Engine, literal
from davylamp.model.event_class import EventClass
from davylamp.model.events import EVENT_CLASSES
from davylamp.store.case import StoredPart
from davylamp.store.repeats import may_repeat, without_repeats

# What sshd tells the audit repeats what it tells syslog, under the same pid and source; counted twice it would make a
# forgetful user a guesser. A day and an hour apart at most, because syslog's clock may be local time.
_AUDIT_SOURCE = "-auditd_log"
_WITHOUT_REPEATS = f"""
SELECT a.* FROM authentication_read AS a
LEFT JOIN (
  SELECT process_pid, src_ip, min(epoch(time)) AS first_s, max(epoch(time)) AS last_s
  FROM authentication_read
  WHERE process_pid IS NOT NULL AND coalesce(outcome_detail, '') NOT LIKE 'audit record %'
  GROUP BY process_pid, src_ip
) AS told ON told.process_pid = a.process_pid AND told.src_ip = a.src_ip
  AND epoch(a.time) >= told.first_s - {25 * 3600} AND epoch(a.time) <= told.last_s + {25 * 3600}
WHERE told.process_pid IS NULL OR coalesce(a.outcome_detail, '') NOT LIKE 'audit record %'
"""
# What was approved once holds until it is approved anew, however narrow the window that is looked at.
_TIMELESS = frozenset({"declared_need"})


def create_stored_views(
    engine: Engine,
    parts: Mapping[str, Sequence[StoredPart]],
    since: datetime | None = None,
    until: datetime | None = None,
) -> None:
    """Creates `CLASS_stored` for each event class; classes without parts become empty views of the same shape.

    Args:
        parts: event class -> what is stored of it.
        since, until: half-open window on `time`; rows outside it are not seen.
    """
    for name, event_class in EVENT_CLASSES.items():
        window = (None, None) if name in _TIMELESS else (since, until)
        stored = _stored(event_class, parts.get(name, ()), *window)
        if may_repeat(name) and len(parts.get(name, ())) > 1:
            engine.execute(f"CREATE OR REPLACE VIEW {name}_all AS {stored}")
            stored = without_repeats(engine, name, f"{name}_all")
        if name == "authentication" and any(_AUDIT_SOURCE in part.file for part in parts.get(name, ())):
            engine.execute(f"CREATE OR REPLACE VIEW authentication_read AS {stored}")
            stored = _WITHOUT_REPEATS
        engine.execute(f"CREATE OR REPLACE VIEW {name}_stored AS {stored}")


def _stored(
    event_class: EventClass, parts: Sequence[StoredPart], since: datetime | None, until: datetime | None
) -> str:
    """One SELECT for all files that hold the same columns; columns a source does not give are null."""
    by_columns: dict[tuple[str, ...], list[str]] = {}
    for part in parts:
        by_columns.setdefault(part.columns, []).append(part.file)
    selects = [_select(event_class, columns, files, since, until) for columns, files in sorted(by_columns.items())]
    return " UNION ALL ".join(selects) or f"SELECT {_columns(event_class, ())} WHERE false"


def _select(
    event_class: EventClass,
    columns: Sequence[str],
    files: Sequence[str],
    since: datetime | None,
    until: datetime | None,
) -> str:
    listed = ", ".join(literal(file) for file in files)
    where = ["reject IS NULL"] if "reject" in columns else []
    if since is not None:
        where.append(f"time >= TIMESTAMP {_timestamp(since)}")
    if until is not None:
        where.append(f"time < TIMESTAMP {_timestamp(until)}")
    relation = f"read_parquet([{listed}], hive_partitioning = false)"
    return f"SELECT {_columns(event_class, columns)} FROM {relation} WHERE {' AND '.join(where) or 'true'}"


def _columns(event_class: EventClass, held: Sequence[str]) -> str:
    return ", ".join(
        f'"{column.name}"' if column.name in held else f'CAST(NULL AS {column.type}) AS "{column.name}"'
        for column in event_class.stored
    )


def _timestamp(moment: datetime) -> str:
    return literal(moment.replace(tzinfo=None).isoformat(sep=" "))
