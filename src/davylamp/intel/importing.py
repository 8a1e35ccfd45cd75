"""Importing a list of the user's: what it says, checked like our own, and what was refused and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from davylamp.errors import UsageError
from davylamp.intel.formats import read_items
from davylamp.intel.lint import Problem, entry_problems
from davylamp.intel.list_item import Item
from davylamp.intel.names import normal_address, normal_name, split_port
from davylamp.model.coverage import Reject
from davylamp.model.indicator import INDICATOR_CLASSES, Indicator

# A list nobody refreshed for a year says more about last year's owners than about today's.
_EXPIRY_DAYS = 365
_LARGEST_LIST_BYTES = 256_000_000


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import came to."""

    format: str
    entries: tuple[Indicator, ...]
    rejects: tuple[Reject, ...]

    def problems(self) -> tuple[Problem, ...]:
        """What was refused, as lint says it: the rule where one was broken, else that the line is no entry."""
        told = (reject.reason.partition(": ") for reject in self.rejects)
        return tuple(
            Problem(rule, f"line {reject.line}", text)
            if text and " " not in rule
            else Problem("no_entry", f"line {reject.line}", reject.reason)
            for reject, (rule, _, text) in zip(self.rejects, told, strict=True)
        )


def import_file(
    path: Path,
    *,
    indicator_class: str = "pool_endpoint",
    licence: str = "",
    at: date | None = None,
) -> Imported:
    """Reads a hosts file, plain list, AdBlock list, RPZ zone, STIX 2.1 bundle or MISP warning list.

    Raises:
        UsageError: the file cannot be read, or the class is unknown.
    """
    if indicator_class not in INDICATOR_CLASSES:
        raise UsageError("this is no indicator class", where=indicator_class, hint=", ".join(INDICATOR_CLASSES))
    day = datetime.now(UTC).date() if at is None else at
    kind, items = read_items(_text_of(path))
    entries: dict[tuple[str, int | None], Indicator] = {}
    rejects = []
    for item in items:
        entry = _entry(item, indicator_class, path.name, licence, day)
        if isinstance(entry, str):
            rejects.append(Reject(None, item.line, entry))
        elif (entry.value, entry.port) in entries:
            rejects.append(Reject(None, item.line, f"duplicate: {entry.value} was listed before"))
        else:
            entries[entry.value, entry.port] = entry
    return Imported(kind, tuple(entries.values()), tuple(rejects))


def _text_of(path: Path) -> str:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_LIST_BYTES:
            raise UsageError("this list cannot be imported", where=str(path), why="not a file, or above 256 MB")
        return path.read_bytes().decode("utf-8-sig", "backslashreplace")
    except OSError as error:
        raise UsageError("this list cannot be read", where=str(path), why=str(error.strerror)) from error


def _entry(item: Item, indicator_class: str, source: str, licence: str, day: date) -> Indicator | str:
    if item.reason:
        return item.reason
    host, port = split_port(item.value)
    address = normal_address(host)
    name = None if address else _listed_name(host)
    if address is None and name is None:
        return f"not a name and not an address: {item.value[:80]!a}"
    entry = Indicator(
        type="ip" if address else "domain",
        value=address or name or "",
        port=port if address else None,
        indicator_class=indicator_class,
        source=source,
        reference=f"imported {day.isoformat()}",
        licence=licence,
        first_seen=_date(item.first_seen),
        last_seen=day,
        expires=_date(item.expires) or day + timedelta(days=_EXPIRY_DAYS),
    )
    problem = next(entry_problems(entry, at=day), None)
    return entry if problem is None else f"{problem.rule}: {problem.text}"


def _listed_name(host: str) -> str | None:
    wild = host.startswith("*.")
    name = normal_name(host.removeprefix("*."))
    # A single label is no name of the public tree; a listed one is a broken line.
    if name is None or "." not in name:
        return None
    return f"*.{name}" if wild else name


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None
