"""Where each machine's own evidence ends: what was seen at its end was not seen to stop."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from davylamp.cost.windows import STALE, EvidenceEnd
from davylamp.kit.detection import Facts
from davylamp.kit.engine import Engine

# Classes of which a miner's rows go on as long as it does. A name is looked up once, and a log-in is over at once.
_LASTING = ("network_activity", "resource_usage", "process_usage", "socket_usage")


class EvidenceEnds:
    """The ends of a machine's evidence, by its name; asked of the engine when the first incident is priced, once.

    A capture of five minutes beside a log that goes on for hours: a miner that talked until the capture's end was not
    seen to stop. A CPU series of March beside a log of November: what it shows was not seen to go on until then.

    Args:
        ends_at: the end of all evidence.
    """

    def __init__(self, engine: Engine, facts: Facts, ends_at: datetime) -> None:
        self._engine = engine
        self._classes: Sequence[str] = [name for name in _LASTING if facts.has_rows(name)]
        self._ends_at = ends_at
        self._known: dict[str, list[datetime]] | None = None

    def __call__(self, asset: str) -> EvidenceEnd:
        """That of all evidence where the machine has no evidence of a kind that lasts."""
        if self._known is None:
            self._known = {}
            for name in self._classes:
                self._add(name, self._known)
        ends = self._known.get(asset, [self._ends_at])
        recent = [end for end in ends if end >= self._ends_at - STALE]
        return EvidenceEnd(min(recent or ends), max(ends))

    def _add(self, event_class: str, known: dict[str, list[datetime]]) -> None:
        ended = "coalesce(end_time, time)" if event_class == "network_activity" else "time"
        asked = f"""
            SELECT asset, max({ended}) AS ended_at
            FROM {event_class}
            WHERE asset IS NOT NULL AND {ended} <= $ends_at
            GROUP BY asset
        """
        for row in self._engine.rows(asked, {"ends_at": self._ends_at.replace(tzinfo=None)}):
            ended_at = row["ended_at"]
            assert isinstance(ended_at, datetime)
            known.setdefault(str(row["asset"]), []).append(ended_at.replace(tzinfo=UTC))
