"""Lines of a watch on standard output: `davylamp.watch/1`, or text for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from davylamp.app.watch_changes import Change

SCHEMA = "davylamp.watch/1"


def change_as_json(change: Change, case_folder: Path) -> str:
    """An incident that opened, changed or closed."""
    line = {"schema": SCHEMA, "at": _iso(change.at.timestamp()), "kind": "incident", "change": change.change}
    return json.dumps(line | {"incident": change.incident, "findings": list(change.findings)})


def change_as_text(change: Change, case_folder: Path) -> str:
    """The same for people: what, how sure, what it costs, and how to see more."""
    incident = change.incident
    cost = incident["cost"]["run_rate_usd_per_hour"]
    processes = ", ".join(asset["name"] for asset in incident["assets"] if asset["kind"] == "process")
    said = (
        f"{_clock(change.at.timestamp())} {change.change.upper():8} {incident['severity']}: {incident['title']}"
        f"{f' (process {processes})' if processes else ''}, {incident['probability']:.0%} sure, ${cost:.4f} an hour"
    )
    entry = incident["entry_point"]
    lines = [said, *([f"         way in: {entry['text']}"] if entry else [])]
    lines += [f"         {finding['because']}" for finding in change.findings[:4]]
    lines.append(f"         more: davylamp show {incident['uid']} --case {case_folder}")
    return "\n".join(_visible(line) for line in lines)


def said_as_json(kind: str, columns: Mapping[str, object]) -> str:
    """What the sensor says of itself: `sensor` or `cost`."""
    at = columns.get("at")
    rest = {name: value for name, value in columns.items() if name != "at"}
    moment = at if isinstance(at, int | float) else datetime.now(UTC).timestamp()
    return json.dumps({"schema": SCHEMA, "at": _iso(moment), "kind": kind, kind: rest})


def said_as_text(kind: str, columns: Mapping[str, object]) -> str:
    """The same for people."""
    at = columns.get("at")
    begin = _clock(at if isinstance(at, int | float) else datetime.now(UTC).timestamp())
    if kind == "cost":
        usd = columns.get("usd_per_month")
        month = "" if usd is None else f", ${usd:.2f} a month"
        return (
            f"{begin} cost     {_number(columns, 'cpu_ratio'):.2%} of a core with judging, "
            f"{_number(columns, 'memory_bytes') / 2**20:.0f} MiB{month}"
        )
    count = columns.get("lost_count")
    counted = f" ({count} lost)" if count else ""
    state = "could not be looked at" if columns.get("kind") == "could_not_look" else str(columns.get("kind"))
    return _visible(f"{begin} sensor   {columns.get('name')} {state}: {columns.get('reason')}{counted}")


def _number(columns: Mapping[str, object], name: str) -> float:
    value = columns.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}"


def _visible(text: str) -> str:
    """Control characters of names and evidence must not act on the terminal."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
