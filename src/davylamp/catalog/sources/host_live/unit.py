"""What the host's own sensor wrote: one JSON record a line, in the columns of the event classes."""

from __future__ import annotations

import json
from datetime import datetime
from typing import ClassVar

from davylamp.kit.engine import literal
from davylamp.kit.metadata import SourceMeta
from davylamp.kit.sample import Sample
from davylamp.kit.source import SqlPlan, SqlSource
from davylamp.model.event_class import Column
from davylamp.model.events import EVENT_CLASSES

SCHEMA = "davylamp.host/1"
CLASSES = (
    "process_activity",
    "process_usage",
    "socket_usage",
    "network_activity",
    "listening_port",
    "startup_item",
    "service_state",
    "host_setting",
    "file_activity",
    "image_content",
    "resource_usage",
    "device_inventory",
    "dns_activity",
    "authentication",
    "sensor_state",
)


class HostLive(SqlSource):
    """Reads what the sensor of one host wrote, live or as a file carried elsewhere.

    What it reads.
    `davylamp.host/1`: JSON lines. The first line of a file is its header: `{"record": "header", "schema":
    "davylamp.host/1", "device_name": ...}`. Every further line is a record: `record` names the event class, the other
    keys are the class's columns. Instants are numbers, seconds since 1970 in UTC. `davylamp scan host` writes such a
    file into the case and reads it; `davylamp watch` writes them to its spool.

    What it gives.
    Processes, what they used, connections with the kernel's counters, sizes and times of suspects' messages where
    packets may not be kept, listening ports, what starts by itself,
    services, settings (resolvers, hosts file, sshd's options, users, kernel modules), the machine's own CPU, DNS
    questions, log-ins, changed files, and what the sensor says of itself.

    What it leaves out.
    A line that is no JSON object, as the last line is after a crash, and a record of a class that this version does
    not know are rejects. Values of environment variables are never recorded, only their names; LD_PRELOAD and
    LD_AUDIT are the exception, since a library forced into a process is what hides miners.

    References.
    docs/decisions/0007-host-evidence.md
    """

    meta: ClassVar[SourceMeta] = SourceMeta(
        uid="host_live",
        title="The sensor of this host",
        formats=(SCHEMA,),
        event_classes=CLASSES,
        references=("docs/decisions/0007-host-evidence.md",),
    )

    def recognize(self, sample: Sample) -> float:
        """Sure when the first line is the header."""
        return 1.0 if _header(sample) else 0.0

    def plan(self, sample: Sample, modified_at: datetime) -> SqlPlan:
        """One SELECT a class; a record is parsed once."""
        device_name = literal(str(_header(sample).get("device_name") or "unknown host"))
        known = ", ".join(literal(name) for name in ("header", *CLASSES))
        staged = f"""SELECT line, byte_offset, entry, kind, CASE
                WHEN kind IS NULL THEN 'not a record of the sensor: no JSON object with a record name'
                WHEN kind NOT IN ({known}) THEN concat('unknown record ', left(kind, 60))
                WHEN kind <> 'header' AND {_instant("json_extract_string(entry, '$.time')")} IS NULL
                THEN 'record without a time' END AS reject
            FROM (SELECT line, byte_offset, entry, json_extract_string(entry, '$.record') AS kind FROM (
                SELECT line, byte_offset, TRY_CAST(text AS JSON) AS entry FROM records WHERE trim(text) <> ''))"""
        return SqlPlan(
            relation="lines",
            staged=staged,
            selects={name: _select(name, device_name) for name in CLASSES},
            class_column="kind",
        )


def _header(sample: Sample) -> dict[str, object]:
    first = sample.lines[0] if sample.lines else ""
    if SCHEMA not in first:
        return {}
    try:
        entry = json.loads(first)
    except (ValueError, RecursionError):
        return {}
    return entry if isinstance(entry, dict) and entry.get("schema") == SCHEMA else {}


def _select(event_class: str, device_name: str) -> str:
    """One SELECT of a class.

    A record is parsed once, into a structure; an expression for each column would parse it again and keep the parsed
    text of two thousand records each: 116 MB and 75 ms for a thousand records of processes, where this takes 5 and 14.
    """
    stored = EVENT_CLASSES[event_class].columns
    structure = json.dumps({column.name: _read_as(column) for column in stored})
    columns = ", ".join(f'{_value(column, device_name)} AS "{column.name}"' for column in stored)
    return f"""SELECT {columns}, line, byte_offset FROM (
        SELECT line, byte_offset, json_transform(entry, {literal(structure)}) AS record
        FROM staged WHERE kind = {literal(event_class)} AND reject IS NULL)"""


def _read_as(column: Column) -> str:
    return column.type if column.type.endswith("[]") else "VARCHAR"


def _value(column: Column, device_name: str) -> str:
    text = f'record."{column.name}"'
    if column.type == "TIMESTAMP":
        return _instant(text)
    if column.name == "device_name":
        return f"coalesce({text}, {device_name})"
    if column.type == "VARCHAR" or column.type.endswith("[]"):
        return text
    return f"TRY_CAST({text} AS {column.type})"


def _instant(text: str) -> str:
    """A number of seconds as an instant; null where it is none.

    Milliseconds are what a process's start is known to; finer digits would differ between two looks at it.
    """
    return f"TRY(make_timestamp(TRY_CAST(round(TRY_CAST({text} AS DOUBLE) * 1000) AS BIGINT) * 1000))"
