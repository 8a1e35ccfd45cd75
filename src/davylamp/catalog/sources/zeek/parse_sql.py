"""SQL that brings both shapes of a Zeek log, text and JSON, to the same named columns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from davylamp.catalog.sources.zeek.layout import FIELDS, TAGGED, TextLayout, are_tagged, ends
from davylamp.kit.addresses import is_no_port, matches_address
from davylamp.kit.engine import literal

# Epoch seconds with a fraction, milliseconds (`JSON::TS_MILLIS`), or ISO with an offset; a plain cast to TIMESTAMP
# would ignore the offset.
_TIME = """CASE
        WHEN TRY_CAST(ts AS DOUBLE) BETWEEN 0 AND 253402214400
            THEN make_timestamp(CAST(round(TRY_CAST(ts AS DOUBLE) * 1e6) AS BIGINT))
        WHEN TRY_CAST(ts AS DOUBLE) BETWEEN 253402214400 AND 4102444800000
            THEN make_timestamp(CAST(round(TRY_CAST(ts AS DOUBLE) * 1e3) AS BIGINT))
        ELSE TRY(make_timestamp(epoch_us(TRY_CAST(ts AS TIMESTAMPTZ))))
    END"""
# A year that Python cannot hold is damage, not a time.
_NO_TIME = "started IS NULL OR started NOT BETWEEN TIMESTAMP '1970-01-01' AND TIMESTAMP '9999-12-31'"


def _faults(names: Iterable[str]) -> str:
    """Arms of a CASE that say what is wrong with a record that has these fields and the connection's ends."""
    addresses = {"orig_h": "id.orig_h", "resp_h": "id.resp_h"}
    addresses |= {name: name for name in names if name == "assigned_addr"}
    faults = [
        f"WHEN {_NO_TIME} THEN 'ts is no time'",
        *(f"WHEN NOT {matches_address(name)} THEN '{field} is no address'" for name, field in addresses.items()),
        *(f"WHEN {is_no_port(name)} THEN 'id.{name} is no port'" for name in ("orig_p", "resp_p")),
    ]
    return "\n        ".join(faults)


def text_sql(layout: TextLayout) -> str:
    """WITH clauses that end in `stamped`, for a separated log."""
    count = len(layout.fields)
    places = {name: index + 1 for index, name in enumerate(layout.fields)}
    unset, empty = literal(layout.unset), literal(layout.empty)
    columns = ["line", "byte_offset", "length(cells) AS cells_count"]
    for name, field in {"ts": "ts", **ends(), **{name: name for name in FIELDS[layout.log]}}.items():
        cell = f"cells[{places[field]}]" if field in places else "NULL"
        if name == "answers":
            listed = f"string_split({cell}, {literal(layout.set_separator)})"
            columns.append(f"CASE WHEN {cell} NOT IN ({unset}, {empty}) THEN {listed} END AS answers")
        elif name in ("query", "server_name", "host", "uri", "user_agent", "client"):
            columns.append(f"CASE {cell} WHEN {unset} THEN NULL WHEN {empty} THEN '' ELSE {cell} END AS {name}")
        else:
            columns.append(f"nullif({cell}, {unset}) AS {name}")
    return f"""WITH split AS (
    SELECT string_split(text, {literal(layout.separator)}) AS cells, line, byte_offset
    FROM records WHERE text <> '' AND NOT starts_with(text, '#')
),
parsed AS (SELECT {", ".join(columns)} FROM split),
timed AS (SELECT *, {_TIME} AS started FROM parsed),
stamped AS (SELECT *, CASE
        WHEN cells_count < {count} THEN 'the header names {count} fields, the line has ' || cells_count
        {_faults(FIELDS[layout.log])}
    END AS reject
    FROM timed)
"""


def json_sql(logs: Iterable[str], only: str | None, lines: Sequence[str]) -> str:
    """WITH clauses that end in `stamped`, for JSON records.

    Args:
        logs: logs whose fields are wanted.
        only: log that every record must be of where it says so; None when the file mixes logs.
        lines: the first records, which show how the connection's ends are written.
    """
    names = list(dict.fromkeys(name for log in logs for name in FIELDS[log]))
    shape: dict[str, object] = {"_path": "VARCHAR", "ts": "VARCHAR"}
    shape |= dict.fromkeys(ends(lines).values(), "VARCHAR")
    shape |= {"id": dict.fromkeys(ends(), "VARCHAR")}
    shape |= {name: ["VARCHAR"] if name == "answers" else "VARCHAR" for name in names}
    columns = ["line", "byte_offset", "record IS NULL AS broken", 'record."_path" AS log', "record.ts AS ts"]
    columns += [f'coalesce(record."{field}", record.id.{name}) AS {name}' for name, field in ends(lines).items()]
    columns += [f"record.{name} AS {name}" for name in names]
    records = "records"
    if are_tagged(lines):
        records = f"""(SELECT regexp_replace(text, {literal(TAGGED.pattern)}, '{{"_path":"\\1",\\2}}') AS text,
            line, byte_offset FROM records)"""
    other = f"WHEN log <> {literal(only)} THEN 'a record of another log: ' || log" if only else ""
    return f"""WITH split AS (
    SELECT TRY(json_transform(text, {literal(json.dumps(shape))})) AS record, line, byte_offset
    FROM {records} WHERE trim(text) <> ''
),
parsed AS (SELECT {", ".join(columns)} FROM split),
timed AS (SELECT *, {_TIME} AS started FROM parsed),
stamped AS (SELECT *, CASE
        WHEN broken THEN 'not a JSON object'
        {other}
        {_faults(names)}
    END AS reject
    FROM timed)
"""
