"""What one line or object of a list says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    """One thing a list says: a value, or the reason why the line says none.

    `first_seen` and `expires` are ISO dates, where the format states them.
    """

    line: int
    value: str = ""
    reason: str = ""
    first_seen: str = ""
    expires: str = ""
