"""Any value a column can hold, as a value JSON can hold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from davylamp.units import format_instant


def safe_text(text: str) -> str:
    """Text that UTF-8 can carry: a lone surrogate is written as its escape."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def safe_number(number: float) -> float | None:
    """The number, or None where JSON has none (infinite, not a number)."""
    return number if math.isfinite(number) else None


def safe_value(value: object) -> object:
    """The value as JSON: instants in ISO with Z, bytes as text with `\\xNN`, the rest by its nearest type."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return safe_text(value)
    if isinstance(value, float):
        return safe_number(value)
    if isinstance(value, datetime):
        return format_instant(value.replace(tzinfo=UTC) if value.tzinfo is None else value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, Mapping):
        return {safe_text(str(key)): safe_value(inner) for key, inner in value.items()}
    if isinstance(value, Iterable):
        return [safe_value(inner) for inner in value]
    return _scalar(value)


def _scalar(value: object) -> object:
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return safe_number(float(value))
    return safe_text(str(value))
