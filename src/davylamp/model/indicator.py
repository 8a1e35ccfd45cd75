"""Indicators: names and addresses with their class, their provenance and their expiry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

INDICATOR_CLASSES = ("pool_endpoint", "pool_website", "exchange_or_news", "browser_miner", "shared_zone")


@dataclass(frozen=True, slots=True)
class Indicator:
    """One listed name or address.

    Args:
        type: `domain` or `ip`.
        value: A-label lower-case name without trailing dot, or canonical address.
        port: port where the entry binds one; None for any.
        indicator_class: one of `INDICATOR_CLASSES`; only `pool_endpoint` is mining evidence.
        source: repository or file it is from.
        reference: commit or version of that source.
        licence: SPDX id.
        first_seen, last_seen: when the source carried it, as far as known.
        expires: day after which it counts as history, not as evidence.
    """

    type: str
    value: str
    port: int | None
    indicator_class: str
    source: str
    reference: str
    licence: str
    first_seen: date | None
    last_seen: date | None
    expires: date | None
