"""Until when the evidence could have shown what a machine does: what was seen at its end may be taken to go on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from davylamp.kit.detection import Facts
from davylamp.kit.engine import Engine

# Classes of which a miner's rows go on as long as it does. A name is looked up once, and a log-in is over at once.
_LASTING = ("network_activity", "resource_usage", "process_usage", "socket_usage")
# As between links of one story: what ended more than a day before all evidence says nothing of now.
_STALE = timedelta(hours=24)


class SeenUntil:
    """Where each machine's own evidence ends; asked of the engine when the first incident is priced, once.

    A capture of five minutes beside a log that goes on for hours: a miner that talked until the capture's end was not
    seen to stop.

    Args:
        ends_at: the end of all evidence.
    """

    def __init__(self, engine: Engine, facts: Facts, ends_at: datetime) -> None:
        self._engine = engine
        self._classes: Sequence[str] = [name for name in _LASTING if facts.has_rows(name)]
        self._ends_at = ends_at
        self._known: dict[str, datetime] | None = None

    def __call__(self, asset: str) -> datetime:
        """The first of the ends of the machine's kinds of evidence, of those that reach the last day of all."""
        if self._known is None:
            self._known = {}
            for name in self._classes:
                self._add(name)
        return self._known.get(asset, self._ends_at)

    def _add(self, event_class: str) -> None:
        ended = "coalesce(end_time, time)" if event_class == "network_activity" else "time"
        asked = f"""
            SELECT asset, max({ended}) AS ended_at
            FROM {event_class}
            WHERE asset IS NOT NULL AND {ended} <= $ends_at
            GROUP BY asset
            HAVING max({ended}) >= $stale_at
        """
        bounds = {"ends_at": self._ends_at, "stale_at": self._ends_at - _STALE}
        naive = {name: moment.replace(tzinfo=None) for name, moment in bounds.items()}
        assert self._known is not None
        for row in self._engine.rows(asked, naive):
            ended_at = row["ended_at"]
            assert isinstance(ended_at, datetime)
            ended_at = ended_at.replace(tzinfo=UTC)
            name = str(row["asset"])
            self._known[name] = min(ended_at, self._known.get(name, ended_at))
