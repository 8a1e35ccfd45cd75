"""Indicator entries on disk: the bundled CSV, and JSON lines for sets a user imported."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path

from davylamp.errors import UsageError
from davylamp.model.indicator import INDICATOR_CLASSES, Indicator

COLUMNS = (
    "type",
    "value",
    "port",
    "indicator_class",
    "source",
    "reference",
    "licence",
    "first_seen",
    "last_seen",
    "expires",
)
_DATES = COLUMNS[-3:]


def data_text(name: str) -> str:
    """A data file of this room."""
    return resources.files("davylamp.intel").joinpath("data", name).read_text(encoding="utf-8")


def data_rows(name: str) -> Iterator[dict[str, str]]:
    """The rows of a CSV data file of this room."""
    return csv.DictReader(data_text(name).splitlines())


@cache
def bundled() -> tuple[Indicator, ...]:
    """The indicators that ship with Davylamp."""
    return tuple(_entry(row) for row in data_rows("indicators.csv"))


def as_row(entry: Indicator) -> dict[str, str]:
    """An entry as text columns, empty where nothing is known."""
    values = {name: getattr(entry, name) for name in COLUMNS}
    return {name: "" if value is None else str(value) for name, value in values.items()}


def _entry(row: dict[str, str]) -> Indicator:
    if row["type"] not in ("domain", "ip") or row["indicator_class"] not in INDICATOR_CLASSES or not row["value"]:
        raise ValueError("unknown type or class, or no value")
    first_seen, last_seen, expires = (date.fromisoformat(row[name]) if row[name] else None for name in _DATES)
    return Indicator(
        type=row["type"],
        value=row["value"],
        port=int(row["port"]) if row["port"] else None,
        indicator_class=row["indicator_class"],
        source=row["source"],
        reference=row["reference"],
        licence=row["licence"],
        first_seen=first_seen,
        last_seen=last_seen,
        expires=expires,
    )


def write_csv(path: Path, entries: Iterable[Indicator]) -> None:
    """Writes entries as the bundled set is written: sorted, one a line."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted((as_row(entry) for entry in entries), key=_order))


def _order(row: Mapping[str, str]) -> tuple[str, str, int]:
    return row["type"], row["value"], int(row["port"] or 0)


def save_imported(path: Path, entries: Iterable[Indicator]) -> int:
    """Adds entries to a set of JSON lines; an entry of the same value and port is replaced.

    The file is written anew beside the old one and put in its place, so a stop half-way loses nothing.

    Returns:
        How many entries the set now holds.
    """
    kept = {(entry.type, entry.value, entry.port): entry for entry in load_imported(path)}
    kept.update({(entry.type, entry.value, entry.port): entry for entry in entries})
    rows = sorted((as_row(entry) for entry in kept.values()), key=_order)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_text("".join(json.dumps(row, ensure_ascii=True) + "\n" for row in rows), encoding="utf-8")
    os.replace(fresh, path)  # noqa: PTH105 - atomic on every platform
    return len(rows)


def load_imported(path: Path) -> tuple[Indicator, ...]:
    """Reads a set that `save_imported` wrote; a set not yet written is empty.

    Raises:
        UsageError: the file is not such a set.
    """
    if not path.exists():
        return ()
    entries = []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(text)
            entries.append(_entry({name: str(row[name]) for name in COLUMNS}))
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                "an imported indicator set is damaged",
                where=f"{path}:{number}",
                why=f"{type(error).__name__}: {error}",
                hint="import the list again with: davylamp intel import FILE",
            ) from error
    return tuple(entries)
