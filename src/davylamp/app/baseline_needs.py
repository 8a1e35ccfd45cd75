"""What a host has, as the newest look at it saw: the entries that a baseline of it would have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from davylamp.kit.engine import Engine, literal
from davylamp.kit.listening_ports import is_passing, is_random
from davylamp.model.baseline import NEED_LISTS, RANDOM, Entry

COMMAND_SHOWN_COUNT = 120
_REACH = ("loopback", "address", "any")
# What the sensor calls the part of its look that each list is made from.
_LOOKED_AT = {
    "services": ("services",),
    "listening_ports": ("sockets",),
    "resolvers": ("resolvers",),
    "name_sources": ("resolvers",),
    "routes": ("routes",),
    "authorized_keys": ("authorized keys",),
    "user_accounts": ("users",),
}
_LAST = "(SELECT max(time) FROM {0} WHERE asset = {1})"
_PORTS = """
SELECT l.protocol, l.port, l.exposure, coalesce(l.process_name, r.process_name) AS process_name,
  coalesce(l.image_path, r.image_path) AS image_path
FROM listening_port AS l
LEFT JOIN (
  SELECT process_pid, process_started_at, max(process_name) AS process_name, arg_max(image_path, time) AS image_path
  FROM process_activity WHERE asset = {asset} AND activity <> 'terminate' GROUP BY process_pid, process_started_at
) AS r ON r.process_pid = l.process_pid AND r.process_started_at = l.process_started_at
WHERE l.asset = {asset} AND l.time = {last} AND l.port IS NOT NULL AND coalesce(l.exposure, 'any') <> 'container'
"""
_SERVICES = """
SELECT DISTINCT name FROM service_state
WHERE asset = {asset} AND time = {last} AND name IS NOT NULL AND (
  enabled OR (state = 'running' AND (enabled = false OR file_package IS NULL)
    AND coalesce(file_path, '') NOT LIKE '/run/systemd/%'))
"""
_RESOLVERS = """
SELECT DISTINCT name AS value FROM host_setting
WHERE asset = {asset} AND time = {last} AND kind = 'resolver' AND name IS NOT NULL
"""
_NAME_SOURCES = """
SELECT DISTINCT name, value FROM host_setting
WHERE asset = {asset} AND time = {last} AND kind = 'nsswitch' AND name IN ('hosts', 'FallbackDNS', 'DNSOverTLS')
  AND value IS NOT NULL
"""
_ROUTES = """
SELECT DISTINCT name, regexp_replace(value, ' metric [0-9]+$', '') AS value FROM host_setting
WHERE asset = {asset} AND time = {last} AND kind = 'route' AND value IS NOT NULL AND (
  regexp_matches(name, '/[01]$') OR regexp_replace(name, '/(32|128)$', '') IN (
    SELECT name FROM host_setting WHERE asset = {asset} AND kind = 'resolver' AND time = {last}
    UNION ALL SELECT ip FROM known_resolver))
"""
_STARTUP = """
SELECT DISTINCT kind AS item_kind, file_path, name, sha256(coalesce(command, '')) AS sha256, command AS value
FROM startup_item
WHERE asset = {asset} AND time = {last} AND kind <> 'authorized_key' AND name IS NOT NULL AND coalesce(enabled, true)
  AND coalesce(file_path, '') NOT LIKE '/run/systemd/transient/%'
  AND NOT (coalesce(file_package_state, '') = 'unmodified'
    AND coalesce(program_package_state, 'unmodified') = 'unmodified')
"""
_KEYS = """
SELECT DISTINCT user_name, split_part(command, ' ', 2) AS value, nullif(name, '') AS name FROM startup_item
WHERE asset = {asset} AND time = {last} AND kind = 'authorized_key' AND command LIKE '% SHA256:%'
"""
_ACCOUNTS = """
SELECT DISTINCT name, concat(regexp_extract(value, '^uid=[0-9]+'), regexp_extract(value, ' login=[a-z]+'),
  regexp_extract(value, ' groups=[a-z,]+$')) AS value
FROM host_setting
WHERE asset = {asset} AND time = {last} AND kind = 'user_account' AND name IS NOT NULL
  AND regexp_matches(value, '^uid=0 | login=yes | groups=[a-z,]+$')
"""
_QUERIES = {
    "services": ("service_state", _SERVICES),
    "listening_ports": ("listening_port", _PORTS),
    "resolvers": ("host_setting", _RESOLVERS),
    "name_sources": ("host_setting", _NAME_SOURCES),
    "routes": ("host_setting", _ROUTES),
    "startup_items": ("startup_item", _STARTUP),
    "authorized_keys": ("startup_item", _KEYS),
    "user_accounts": ("host_setting", _ACCOUNTS),
}


def needs_in(engine: Engine, asset: str) -> dict[str, tuple[Entry, ...]]:
    """List name -> entries of one host; a list that could not be looked at is left out."""
    refused = _refused(engine, asset)
    made: dict[str, tuple[Entry, ...]] = {}
    for need in NEED_LISTS:
        table, query = _QUERIES[need.name]
        last = _LAST.format(table, literal(asset))
        rows = engine.rows(query.format(asset=literal(asset), last=last))
        made_of = _MADE.get(need.name, _plain)(rows)
        entries = [each for each in made_of if all(each.get(key) for key in need.required)]
        if entries or not refused & set(_LOOKED_AT.get(need.name, ())):
            made[need.name] = tuple(sorted(entries, key=_order))
    return made


def could_not_look(engine: Engine, asset: str) -> list[tuple[str, str]]:
    """What of a baseline's matters the sensor could not look at: name and reason."""
    wanted = {name for names in _LOOKED_AT.values() for name in names} | {"owners of sockets", "cron", "systemd units"}
    rows = engine.rows(
        "SELECT DISTINCT name, reason FROM sensor_state WHERE kind = 'could_not_look' AND asset = "
        f"{literal(asset)} ORDER BY name, reason"
    )
    return [(str(row["name"]), str(row["reason"] or "")) for row in rows if row["name"] in wanted]


def hosts_in(engine: Engine) -> list[str]:
    """Hosts whose state the evidence tells."""
    union = " UNION ".join(
        f"SELECT asset FROM {name} WHERE device_name IS NOT NULL"
        for name in ("listening_port", "service_state", "host_setting", "startup_item")
    )
    return [str(row["asset"]) for row in engine.rows(f"SELECT asset FROM ({union}) ORDER BY asset")]


def _refused(engine: Engine, asset: str) -> set[str]:
    return {name for name, _ in could_not_look(engine, asset)}


def _plain(rows: Iterable[Mapping[str, Any]]) -> list[Entry]:
    return [{key: value for key, value in row.items() if value is not None} for row in rows]


def _ports(rows: Iterable[Mapping[str, Any]]) -> list[Entry]:
    widest: dict[tuple[object, ...], Entry] = {}
    for row in rows:
        image = str(row["image_path"]).removesuffix(" (deleted)") if row["image_path"] else None
        exposure = row["exposure"] if row["exposure"] in _REACH else "any"
        if is_passing(row["port"], exposure, image):
            continue
        port = RANDOM if is_random(row["port"], row["process_name"]) else row["port"]
        known = widest.get(key := (row["protocol"], port, image))
        if known is None or _REACH.index(exposure) > _REACH.index(str(known["exposure"])):
            entry = {"protocol": row["protocol"], "port": port, "exposure": exposure, "image_path": image}
            widest[key] = {name: value for name, value in entry.items() if value is not None}
    return list(widest.values())


def _startup(rows: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """The hash is what is compared; of a long command its beginning is shown."""
    made = _plain(rows)
    return [
        {**entry, "value": text if len(text) <= COMMAND_SHOWN_COUNT else text[: COMMAND_SHOWN_COUNT - 3] + "..."}
        if (text := str(entry.get("value", "")))
        else entry
        for entry in made
    ]


_MADE: dict[str, Callable[[Iterable[Mapping[str, Any]]], list[Entry]]] = {
    "listening_ports": _ports,
    "startup_items": _startup,
}


def _order(entry: Entry) -> tuple[tuple[str, int, str], ...]:
    """Ports by number, all else by its text."""
    return tuple(
        (key, value if isinstance(value, int) else -1, str(value)) for key, value in entry.items() if value is not None
    )
