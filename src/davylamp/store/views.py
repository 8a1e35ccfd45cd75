"""The views that detections read: one per event class, with the asset each row speaks of.

The `asset_by_*` tables come from the assets room; each maps one kind of identity to an asset name,
addresses within a window of time, and where they mean different machines, within a scope (account and network).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from davylamp.kit.engine import Engine, literal
from davylamp.model.event_class import EventClass
from davylamp.model.events import EVENT_CLASSES
from davylamp.store.case import StoredPart

SCOPE = "coalesce({0}.account_uid, '') || '/' || coalesce({0}.vpc_uid, '')"
_NO_SCOPE = "'/'"
_PRIVATE_V4 = (
    "^(10[.]|192[.]168[.]|172[.](1[6-9]|2[0-9]|3[01])[.]|100[.](6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])[.]"
    "|127[.]|169[.]254[.])"
)
_PRIVATE_V6 = "^(f[cd][0-9a-f][0-9a-f]:|fe80:|::1$)"
_PRIVATE = f"(regexp_matches(t.src_ip, '{_PRIVATE_V4}') OR regexp_matches(lower(t.src_ip), '{_PRIVATE_V6}'))"

# How a row of each class names its own machine, strongest first: by path, instance, interface (f), name, series,
# address; b is the address of the other end.
_ASSET: Mapping[str, str] = {
    "authentication": (
        "coalesce(p.asset, i.asset, n.asset, a.asset, t.device_name, t.instance_uid, t.device_ip, 'unknown host')"
    ),
    "dns_activity": (
        "coalesce(i.asset, f.asset, a.asset, p.asset, n.asset, t.instance_uid, t.src_ip, t.device_name, 'unknown host')"
    ),
    "network_activity": (
        "coalesce(CASE WHEN t.process_pid IS NOT NULL THEN coalesce(n.asset, t.device_name) END, "
        "a.asset, CASE WHEN coalesce(i.asset, f.asset, p.asset, t.instance_uid) IS NOT NULL "
        "AND (t.direction = 'egress' OR (t.direction IS NULL AND {private} "
        # What comes to the interface's own address was sent by somebody else.
        "AND (b.asset IS NULL OR b.asset <> coalesce(i.asset, f.asset, p.asset, t.instance_uid)))) "
        "THEN coalesce(i.asset, f.asset, p.asset, t.instance_uid) END, "
        "t.src_ip, n.asset, t.device_name, 'unknown host')"
    ),
    "api_activity": "coalesce(t.account_uid, 'unknown account')",
    "resource_usage": (
        "coalesce(p.asset, i.asset, n.asset, s.asset, t.instance_uid, t.device_name, t.series, "
        "regexp_extract(t.path, '([^/]+?)(\\.[A-Za-z0-9]+)*$', 1))"
    ),
    "device_inventory": "coalesce(i.asset, f.asset, n.asset, a.asset, t.instance_uid, t.device_name, t.ip)",
    "detection_finding": "coalesce(a.asset, n.asset, t.src_ip, t.device_name, 'unknown host')",
}
_IDENTITIES: Mapping[str, tuple[str, str, str]] = {
    "p": ("asset_by_path", "path", "path"),
    "i": ("asset_by_instance", "instance_uid", "instance_uid"),
    "f": ("asset_by_interface", "interface_uid", "interface_uid"),
    "n": ("asset_by_name", "device_name", "device_name"),
    "s": ("asset_by_name", "device_name", "series"),
}
_NAMED = re.compile(r"\b([pifnsab])[.]asset\b")
_NOBODY = "CAST(NULL AS VARCHAR)"
# Rows that a host's own sensor wrote, and what its audit log says.
_HOST_ASSET = "coalesce(p.asset, n.asset, t.device_name, 'unknown host')"
_ADDRESS: Mapping[str, str] = {
    "authentication": "device_ip",
    "dns_activity": "src_ip",
    "network_activity": "src_ip",
    "device_inventory": "ip",
    "detection_finding": "src_ip",
}

# A capture does not know processes; the host's own sensor saw who held the same connection at that time. It also saw
# who opened it, which a capture that joined in the middle had to guess: then both ends change places; not where both
# ends are on this host and nothing says which of them opened it.
_OWNER = """
WITH held AS (
  SELECT src_ip, src_port, dst_ip, dst_port, process_pid, process_started_at, max(process_name) AS process_name,
    max(device_name) AS device_name, min(time) AS first_at, max(time) AS last_at
  FROM socket_usage_stored
  WHERE process_pid IS NOT NULL AND direction = 'outgoing'
  GROUP BY src_ip, src_port, dst_ip, dst_port, process_pid, process_started_at
)
SELECT *, FALSE AS turned FROM held
UNION ALL
SELECT dst_ip AS src_ip, dst_port AS src_port, src_ip AS dst_ip, src_port AS dst_port, process_pid, process_started_at,
  process_name, device_name, first_at, last_at, TRUE AS turned
FROM held
WHERE NOT EXISTS (
  SELECT 1 FROM held AS other WHERE other.src_ip = held.dst_ip AND other.src_port = held.dst_port
    AND other.dst_ip = held.src_ip AND other.dst_port = held.src_port
)
"""
# Whose account a call concerns, and who called: an assumed role without its session, so that two sessions are one.
_CALLER = """,
coalesce(
  nullif(t.account_uid, ''), nullif(regexp_extract(t.actor, '^arn:[^:]*:[^:]*:[^:]*:([0-9]+):', 1), ''), 'unknown'
) AS account,
CASE WHEN t.actor LIKE '%:assumed-role/%' THEN regexp_extract(t.actor, '^(.*:assumed-role/[^/]+)', 1)
  ELSE coalesce(nullif(t.actor, ''), nullif(t.access_key, ''), 'unknown') END AS principal"""
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
_PEERS = """
SELECT dst_ip AS ip FROM network_activity_bare WHERE dst_ip IS NOT NULL
UNION
SELECT src_ip AS ip FROM network_activity_bare WHERE src_ip IS NOT NULL AND bytes_in > 0
"""
# What was approved once holds until it is approved anew, however narrow the window that is looked at.
_TIMELESS = frozenset({"declared_need"})
_OWNED_COLUMNS = ("process_pid", "process_started_at", "process_name", "device_name")
# Readings come some seconds apart; the kernel gives the same four numbers to no other connection for a minute
# (TIME_WAIT), so what lies this near a reading belongs to it.
_NEARBY = "INTERVAL 60 SECONDS"
_TURNED_PAIRS = (
    ("src_ip", "dst_ip"),
    ("src_port", "dst_port"),
    ("bytes_out", "bytes_in"),
    ("packets_out", "packets_in"),
    ("payload_out", "payload_in"),
)
_TURNED = {name: other for one, two in _TURNED_PAIRS for name, other in ((one, two), (two, one))}


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
        if name == "authentication" and any(_AUDIT_SOURCE in part.file for part in parts.get(name, ())):
            engine.execute(f"CREATE OR REPLACE VIEW authentication_read AS {stored}")
            stored = _WITHOUT_REPEATS
        engine.execute(f"CREATE OR REPLACE VIEW {name}_stored AS {stored}")


def create_views(engine: Engine, parts: Mapping[str, Sequence[StoredPart]], tables: Mapping[str, Any]) -> None:
    """Creates the views that detections read, over those of `create_stored_views()`.

    `network_activity_bare` has the rows of `network_activity` without `asset` and `peer_asset`, for a first look over
    all of them: the joins that name assets cost several times what reading a column does. `network_peer` has each
    address they went to once: far fewer than rows, and most detections ask for a few of them.

    Args:
        tables: the assets room's Arrow tables: asset_by_path, _instance, _interface, _name, _address,
            _scoped_address. A table without rows is not joined: every query that reads a view would pay for it,
            row by row.
    """
    for name, table in tables.items():
        engine.unregister(name)
        engine.register(name, table)
    known = frozenset(name for name, table in tables.items() if table.num_rows)
    for name, event_class in EVENT_CLASSES.items():
        held = frozenset(column for part in parts.get(name, ()) for column in part.columns)
        rows = f"{name}_stored"
        if name == "network_activity":
            owned = bool(held and parts.get("socket_usage"))
            held |= frozenset(_OWNED_COLUMNS if owned else ())
            bare = _owned_rows(event_class) if owned else f"SELECT * FROM {rows}"
            rows = "network_activity_bare"
            engine.execute(f"CREATE OR REPLACE VIEW {rows} AS {bare}")
        view = view_of(event_class, known, held, rows) if held else _empty(event_class)
        engine.execute(f"CREATE OR REPLACE VIEW {name} AS {view}")
    engine.keep("network_peer", _PEERS)


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


def _empty(event_class: EventClass) -> str:
    more = {"network_activity": ", CAST(NULL AS VARCHAR) AS peer_asset", "api_activity": _CALLER}
    return (
        f"SELECT t.*, CAST(NULL AS VARCHAR) AS asset{more.get(event_class.name, '')} FROM {event_class.name}_stored t"
    )


def view_of(
    event_class: EventClass,
    known: frozenset[str] = frozenset(),
    held: frozenset[str] = frozenset(),
    rows: str = "",
) -> str:
    """The SELECT behind a class's view: its rows with the asset each one speaks of.

    Args:
        known: the asset tables that hold rows.
        held: the columns that any part holds.
        rows: the relation they come from, if it is not `CLASS_stored`.
    """
    name = event_class.name
    named, joins = _joins(event_class, known, held)
    expression = _ASSET.get(name, _HOST_ASSET).format(private=_PRIVATE)
    asset = _NAMED.sub(lambda found: named.get(found[1], _NOBODY), expression)
    more = {"network_activity": f", {named.get('b', _NOBODY)} AS peer_asset", "api_activity": _CALLER}.get(name, "")
    return " ".join((f"SELECT t.*, {asset} AS asset{more} FROM {rows or f'{name}_stored'} t", *joins))


def _joins(event_class: EventClass, known: frozenset[str], held: frozenset[str]) -> tuple[dict[str, str], list[str]]:
    """What names the asset under each alias, and the joins it takes: of tables with rows and columns with values."""
    name = event_class.name
    named: dict[str, str] = {}
    joins: list[str] = []
    if name == "api_activity":
        return named, joins
    for alias, (table, key, column) in _IDENTITIES.items():
        if table in known and column in held:
            named[alias] = f"{alias}.asset"
            joins.append(f"LEFT JOIN {table} {alias} ON {alias}.{key} = t.{column}")
    addresses = {"a": _ADDRESS.get(name, ""), "b": "dst_ip" if name == "network_activity" else ""}
    for alias, column in addresses.items():
        if column not in held:
            continue
        holders = []
        if "asset_by_address" in known:
            holders.append(f"CASE WHEN {_within(alias)} THEN {alias}.asset END")
            joins.append(f"LEFT JOIN asset_by_address {alias} ON {alias}.ip = t.{column}")
        if "asset_by_scoped_address" in known:
            scoped = f"{alias}_scoped"
            scope = SCOPE.format("t") if {"account_uid", "vpc_uid"} <= _names(event_class) else _NO_SCOPE
            holders.append(f"{scoped}.asset")
            condition = f"{scoped}.ip = t.{column} AND {scoped}.scope = {scope} AND {_within(scoped)}"
            joins.append(f"LEFT JOIN asset_by_scoped_address {scoped} ON {condition}")
        if holders:
            named[alias] = f"coalesce({', '.join(holders)}, {_NOBODY})"
    return named, joins


def _names(event_class: EventClass) -> set[str]:
    return {column.name for column in event_class.stored}


def _within(alias: str) -> str:
    return f"t.time >= {alias}.valid_from AND t.time < {alias}.valid_to"


def _owned_rows(event_class: EventClass) -> str:
    """Connections with the process that the sensor saw hold them."""
    columns = ", ".join(f'{_owned_column(column.name)} AS "{column.name}"' for column in event_class.stored)
    return f"""SELECT {columns} FROM {event_class.name}_stored c LEFT JOIN ({_OWNER}) o
        ON c.src_ip = o.src_ip AND c.src_port = o.src_port AND c.dst_ip = o.dst_ip AND c.dst_port = o.dst_port
        AND c.time <= o.last_at + {_NEARBY} AND coalesce(c.end_time, c.time) >= o.first_at - {_NEARBY}"""


def _owned_column(name: str) -> str:
    if name in _OWNED_COLUMNS:
        return f'coalesce(c."{name}", o."{name}")'
    if name in _TURNED:
        return f'CASE WHEN o.turned THEN c."{_TURNED[name]}" ELSE c."{name}" END'
    if name == "message_sizes_bytes":
        return f'CASE WHEN o.turned THEN list_transform(c."{name}", lambda size: -size) ELSE c."{name}" END'
    return f'c."{name}"'
