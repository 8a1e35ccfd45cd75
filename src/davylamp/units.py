"""Units: parse and format bytes, durations and money; suffixes are in `ARCHITECTURE` words."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from davylamp.errors import UsageError

_BYTES = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*$", re.IGNORECASE)
_LEAST_MEMORY_BYTES = 1_000_000
_STEPS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_DURATION = re.compile(r"^(\d+)\s*(s|m|h|d|w)$")
_DURATION_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def parse_bytes(text: str) -> int:
    """Reads `1GB`, `512 MiB`, `4096` as bytes; decimal prefixes unless `i` is written.

    Raises:
        UsageError: the text is no size.
    """
    match = _BYTES.match(text)
    if match is None:
        raise UsageError(
            "this is not a size", where=text, why="expected a number and a unit", hint="write it like 1GB or 512MiB"
        )
    number, prefix, binary = match.groups()
    base = 1024 if binary else 1000
    return int(float(number) * base ** _STEPS[prefix.lower()])


def parse_memory(text: str) -> int:
    """Reads a limit of memory; below a megabyte nothing can be read at all.

    Raises:
        UsageError: the text is no size, or too small a one.
    """
    size_bytes = parse_bytes(text)
    if size_bytes < _LEAST_MEMORY_BYTES:
        raise UsageError(
            "this is too little memory", where=text, why="a number without a unit is bytes", hint="write it like 1GB"
        )
    return size_bytes


def parse_window(since: str | None, until: str | None, *, now: datetime) -> tuple[datetime | None, datetime | None]:
    """Reads the two ends of a window; an end that is not given is open.

    Raises:
        UsageError: an end is no time, or nothing can lie between them.
    """
    begin = parse_instant(since, now=now) if since else None
    end = parse_instant(until, now=now) if until else None
    if begin is not None and end is not None and begin >= end:
        raise UsageError(
            "nothing can lie in this window",
            where=f"--since {since} --until {until}",
            why="it ends before it begins, or as it begins",
            hint="davylamp scan PATH --since 24h",
        )
    return begin, end


def parse_duration(text: str) -> float:
    """Reads `60s`, `5m`, `24h`, `7d` as seconds; a bare number is seconds.

    Raises:
        UsageError: the text is no duration.
    """
    stripped = text.strip()
    match = _DURATION.match(stripped if not stripped.isdecimal() else f"{stripped}s")
    if match is None:
        raise UsageError(
            "this is not a duration",
            where=text,
            why="expected a whole number and a unit: s, m, h, d or w",
            hint="write it like 60s or 5m",
        )
    return float(int(match.group(1)) * _DURATION_S[match.group(2)])


def parse_instant(text: str, *, now: datetime | None = None) -> datetime:
    """Reads an ISO instant, or a duration before `now` such as `24h`; naive text is UTC.

    Raises:
        UsageError: the text is neither.
    """
    match = _DURATION.match(text.strip())
    if match is not None and now is not None:
        return now - timedelta(seconds=int(match.group(1)) * _DURATION_S[match.group(2)])
    try:
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        raise UsageError(
            "this is not a time",
            where=text,
            why="expected an ISO 8601 instant, or a duration like 24h",
            hint="write it like 2026-03-01T12:00:00Z",
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def format_instant(moment: datetime) -> str:
    """Writes an instant as ISO 8601 UTC with `Z`, without needless fractions."""
    # `astimezone` asks the zone even where nothing changes, and reports write instants by the hundred thousand.
    return (moment if moment.tzinfo is UTC else moment.astimezone(UTC)).isoformat()[:-6] + "Z"


def format_bytes(size_bytes: float) -> str:
    """Writes a size for people: 1.5 GB."""
    for prefix in ("B", "kB", "MB", "GB"):
        if abs(size_bytes) < 1000 or prefix == "GB":
            return f"{size_bytes:.0f} {prefix}" if prefix == "B" else f"{size_bytes:.1f} {prefix}"
        size_bytes /= 1000
    raise AssertionError("unreachable")


def format_usd(amount_usd: float) -> str:
    """Writes an amount for people: cents below a hundred dollars, four digits below a cent."""
    if 0 < abs(amount_usd) < 0.01:
        return f"${amount_usd:.4f}"
    return f"${amount_usd:,.2f}" if abs(amount_usd) < 1000 else f"${amount_usd:,.0f}"


def format_duration(seconds: float) -> str:
    """Writes a duration for people: 45 s, 12 min, 3 h 10 min, 2 d 4 h."""
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    minutes, hours = whole // 60, whole // 3600
    if minutes < 90:
        return f"{minutes} min"
    if hours < 48:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{hours // 24} d {hours % 24} h" if hours % 24 else f"{hours // 24} d"
