"""From the columns a source gives to those an event class has: cast, with path and reason of a reject."""

from __future__ import annotations

from collections.abc import Mapping

from davylamp.errors import UnitError
from davylamp.kit.engine import literal
from davylamp.model.event_class import EventClass

# Damage and forgery write years up to 292277; adding a day to year 9999 ends every calendar downstream.
EARLIEST, LATEST = "1970-01-01", "2100-01-01"
_PORTS = ("src_port", "dst_port", "resolver_port")
_COUNTS = ("bytes_out", "bytes_in", "packets_out", "packets_in")
OUTSIDE = "the time lies outside 1970 to 2100"


def projection(event_class: EventClass, given: Mapping[str, str], path: str, *, further: bool = False) -> str:
    """The SELECT list of a class's rows.

    Args:
        given: columns that a source's SELECT gives -> their types.
        further: whether columns that the class does not have may be there; they are kept as they are.

    Raises:
        UnitError: the source gives columns that the class does not have.
    """
    known = {column.name for column in event_class.stored} | {"reject"}
    unknown = [name for name in given if name not in known]
    if unknown and not further:
        raise UnitError(
            "a source gives columns that its event class does not have",
            where=event_class.name,
            why=", ".join(sorted(unknown)),
            hint="davylamp units sources",
        )
    columns = []
    for column in event_class.stored:
        if column.name == "path":
            # A value of an enumeration is written as a number: eighteen times as fast as the text, row after row.
            columns.append(f"CAST({literal(path)} AS ENUM({literal(path)})) AS path")
        elif column.name in given:
            columns.append(f'CAST("{column.name}" AS {column.type}) AS "{column.name}"')
    columns += [f'"{name}"' for name in unknown]
    columns.append(f"{_reject(event_class, given)} AS reject")
    return ", ".join(columns)


def _reject(event_class: EventClass, given: Mapping[str, str]) -> str:
    """The source's own reason, or that an instant, a port or a count is one no evidence can have."""
    instants = [column.name for column in event_class.stored if column.type == "TIMESTAMP" and column.name in given]
    outside = " OR ".join(
        f"\"{name}\" < TIMESTAMP '{EARLIEST}' OR \"{name}\" >= TIMESTAMP '{LATEST}'" for name in instants
    )
    ports = " OR ".join(
        f'"{name}" NOT BETWEEN 0 AND 65535'
        for name in _PORTS
        if name in given
        and given[name] != "USMALLINT"  # a source that reads ports so narrowly has checked them
        and event_class.name != "authentication"  # a verdict counts whatever port it names
    )
    counts = " OR ".join(f'"{name}" < 0' for name in _COUNTS if name in given)
    own = "CAST(reject AS VARCHAR)" if "reject" in given else "NULL"
    return f"""coalesce({own}, CASE WHEN {outside or "false"} THEN {literal(OUTSIDE)}
        WHEN {ports or "false"} THEN 'a port lies outside 0 to 65535'
        WHEN {counts or "false"} THEN 'a count is negative' END)"""
