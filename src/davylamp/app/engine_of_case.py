"""Makes an engine answer for a case: assets joined, views created, indicators at hand; any engine will do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from davylamp.app.facts import EvidenceFacts
from davylamp.app.follow_up import tell_suspects
from davylamp.app.join_assets import join_assets, twins_of
from davylamp.app.places import imported_indicators
from davylamp.cost.price_book import PriceBook
from davylamp.intel.indicators import Indicators
from davylamp.intel.known_resolvers import known_resolver_table
from davylamp.kit.engine import Engine
from davylamp.model.asset import Asset, DeclaredAsset
from davylamp.model.events import EVENT_CLASSES
from davylamp.store.case import Case
from davylamp.store.listed_names import create_listed_names

# Classes whose rows tell how a host was at one instant.
_STATE_CLASSES = ("listening_port", "service_state", "host_setting", "startup_item")
# Stamps without a zone may be ahead by half a day.
_CLOCKS_DIFFER = timedelta(days=1)


@dataclass(frozen=True)
class Prepared:
    """What judging needs beside the engine.

    Args:
        ends_at: the last instant any evidence speaks of.
    """

    facts: EvidenceFacts
    assets: Mapping[str, Asset]
    ends_at: datetime


def prepare_engine(
    engine: Engine,
    case: Case,
    declared: tuple[Sequence[DeclaredAsset], Path | None],
    book: PriceBook,
    since: datetime | None = None,
    until: datetime | None = None,
    beside: Case | None = None,
    *,
    keep_small: bool = False,
) -> Prepared:
    """Creates in the engine all that detections read, from the case's Parquet files.

    Args:
        beside: another case, whose event classes stand in place of the case's own.
        keep_small: the engine is a new one, and small classes may be kept in its memory.
    """
    records = [*case.records(), *(beside.records() if beside else ())]
    coverage = [record.coverage for record in records]
    parts = {name: (beside.parts(name) if beside else ()) or case.parts(name) for name in EVENT_CLASSES}
    paths = [row.path for row in coverage]
    assets = join_assets(engine, parts, paths, declared, since, until, twins_of(case), keep_small=keep_small)
    rows_by_class: dict[str, int] = {}
    for row in coverage:
        for name, count in row.event_classes.items():
            rows_by_class[name] = rows_by_class.get(name, 0) + count
    ends_at = _end_of_evidence(engine, rows_by_class)
    indicators = Indicators.load([path for path in (imported_indicators(),) if path.is_file()], at=ends_at.date())
    engine.register("indicator", indicators.table())
    engine.register("known_resolver", known_resolver_table())
    create_listed_names(engine)
    tell_suspects(engine, ())
    return Prepared(EvidenceFacts(indicators, book, rows_by_class, _looks(engine, rows_by_class)), assets, ends_at)


def _end_of_evidence(engine: Engine, rows_by_class: Mapping[str, int]) -> datetime:
    """What is open is priced up to here, not up to today; indicators are those of this day.

    A record of the future is damaged or forged: one of 2090 would end every indicator's life, and price what runs for
    decades. It counts only where all evidence is of the future (a machine whose clock is wrong, an exercise).
    """
    latest = datetime.now(UTC) + _CLOCKS_DIFFER
    believable: list[datetime] = []
    moments: list[datetime] = []
    for name in sorted(set(rows_by_class) - {"declared_need"}):
        ended = "end_time" if name == "network_activity" else "time"
        asked = f"""
            SELECT max(moment) AS last_at, max(CASE WHEN moment <= $latest THEN moment END) AS believable_at
            FROM (SELECT greatest(time, coalesce({ended}, time)) AS moment FROM {name}_stored) AS moments
        """
        [row] = engine.rows(asked, {"latest": latest.replace(tzinfo=None)})
        for found, value in ((moments, row["last_at"]), (believable, row["believable_at"])):
            if isinstance(value, datetime):
                found.append(value.replace(tzinfo=UTC))
    return max(believable or moments, default=datetime.now(UTC))


def _looks(engine: Engine, rows_by_class: Mapping[str, int]) -> dict[str, int]:
    """How often a host's state was looked at, by the rows of one look having one instant."""
    counted: dict[str, int] = {}
    for name in _STATE_CLASSES:
        if rows_by_class.get(name):
            rows = engine.rows(f"SELECT count(DISTINCT time) AS looks_count FROM {name} GROUP BY asset")
            counted[name] = max((int(str(row["looks_count"])) for row in rows), default=0)
    return counted
