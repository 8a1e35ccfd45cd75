"""What a row of each event class says of its own machine: the view of a class, with the asset each row speaks of.

The `asset_by_*` tables come from the assets room; each maps one kind of identity to an asset name,
addresses within a window of time, and where they mean different machines, within a scope (account and network).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from davylamp.kit.addresses import NOT_PUBLIC
from davylamp.model.event_class import EventClass

SCOPE = "coalesce({0}.account_uid, '') || '/' || coalesce({0}.vpc_uid, '')"
_NO_SCOPE = "'/'"
_PRIVATE = f"regexp_matches(t.src_ip, '{NOT_PUBLIC}')"

# Log-ins that were let in: rows of `authentication`, few enough to name both ends.
LOGIN = "login"
# How a row of each class names its own machine, strongest first: by path, instance, interface (f), name, series,
# address; b is the address of the other end.
_ASSET: Mapping[str, str] = {
    "authentication": (
        "coalesce(p.asset, i.asset, n.asset, a.asset, t.device_name, t.instance_uid, t.device_ip, 'unknown host')"
    ),
    LOGIN: "coalesce(p.asset, i.asset, n.asset, a.asset, t.device_name, t.instance_uid, t.device_ip)",
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
    "detection_finding": "coalesce(a.asset, t.src_ip, n.asset, t.device_name, 'unknown host')",
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
    LOGIN: "device_ip",
    "dns_activity": "src_ip",
    "network_activity": "src_ip",
    "device_inventory": "ip",
    "detection_finding": "src_ip",
}
# The address of the other end, where a view names its machine.
_PEER_ADDRESS: Mapping[str, str] = {"network_activity": "dst_ip", LOGIN: "src_ip"}

# Whose account a call concerns, and who called: an assumed role without its session, so that two sessions are one.
_CALLER = """,
coalesce(
  nullif(t.account_uid, ''), nullif(regexp_extract(t.actor, '^arn:[^:]*:[^:]*:[^:]*:([0-9]+):', 1), ''), 'unknown'
) AS account,
CASE WHEN t.actor LIKE '%:assumed-role/%' THEN regexp_extract(t.actor, '^(.*:assumed-role/[^/]+)', 1)
  ELSE coalesce(nullif(t.actor, ''), nullif(t.access_key, ''), 'unknown') END AS principal"""


def view_of(
    event_class: EventClass,
    known: frozenset[str] = frozenset(),
    held: frozenset[str] = frozenset(),
    rows: str = "",
    name: str = "",
) -> str:
    """The SELECT behind a class's view: its rows with the asset each one speaks of.

    Args:
        name: of the view, if it is not the class's.
        known: the asset tables that hold rows.
        held: the columns that any part holds.
        rows: the relation they come from, if it is not `CLASS_stored`.
    """
    name = name or event_class.name
    named, joins = _joins(event_class, known, held, name)
    expression = _ASSET.get(name, _HOST_ASSET).format(private=_PRIVATE)
    asset = _NAMED.sub(lambda found: named.get(found[1], _NOBODY), expression)
    more = f", {named.get('b', _NOBODY)} AS peer_asset" if name in _PEER_ADDRESS else ""
    more += _CALLER if name == "api_activity" else ""
    return " ".join((f"SELECT t.*, {asset} AS asset{more} FROM {rows or f'{name}_stored'} t", *joins))


def _joins(
    event_class: EventClass, known: frozenset[str], held: frozenset[str], name: str
) -> tuple[dict[str, str], list[str]]:
    """What names the asset under each alias, and the joins it takes: of tables with rows and columns with values."""
    named: dict[str, str] = {}
    joins: list[str] = []
    if name == "api_activity":
        return named, joins
    for alias, (table, key, column) in _IDENTITIES.items():
        if table in known and column in held:
            named[alias] = f"{alias}.asset"
            joins.append(f"LEFT JOIN {table} {alias} ON {alias}.{key} = t.{column}")
    addresses = {"a": _ADDRESS.get(name, ""), "b": _PEER_ADDRESS.get(name, "")}
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


def empty_view_of(event_class: EventClass) -> str:
    """The same for a class of which nothing is stored: the shape alone, nothing is joined."""
    more = {"network_activity": ", CAST(NULL AS VARCHAR) AS peer_asset", "api_activity": _CALLER}
    return (
        f"SELECT t.*, CAST(NULL AS VARCHAR) AS asset{more.get(event_class.name, '')} FROM {event_class.name}_stored t"
    )
