"""Judging names that indicators list: what an entry is worth on a day, and how to say where it is from."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from davylamp.kit.detection import Row
from davylamp.kit.findings import instant
from davylamp.model.indicator import Indicator

# An entry near its expiry has not been seen on its list for years: e^-0.5 of the weight of a fresh one.
_AGEING = timedelta(days=180)
_AGEING_LLR = -0.5


def ageing_llr(indicator: Indicator, seen_on: date) -> float:
    """What an entry's age takes from its likelihood ratio on the day it matched."""
    if indicator.expires is None or indicator.expires - seen_on > _AGEING:
        return 0.0
    return _AGEING_LLR


def listed_by(indicator: Indicator) -> str:
    """Words for where an entry is from: `*.supportxmr.com, listed by stamparm/maltrail since 2021`."""
    since = f" since {indicator.first_seen.year}" if indicator.first_seen else ""
    return f"{indicator.value}, listed by {indicator.source}{since}"


def last_day(rows: Iterable[Row]) -> date:
    """The day of a candidate's last record."""
    return max(instant(row["last_at"]) for row in rows).date()


def texts(rows: Iterable[Row], column: str) -> list[str]:
    """The different values of a column, sorted, without nulls."""
    return sorted({str(row[column]) for row in rows if row[column] is not None})


def some(values: list[str], shown_count: int = 3) -> str:
    """The first few values in words."""
    more_count = len(values) - shown_count
    return ", ".join(values[:shown_count]) + (f" and {more_count} more" if more_count > 0 else "")
