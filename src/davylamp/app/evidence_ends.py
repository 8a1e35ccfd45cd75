"""Where each machine's own evidence ends: what was seen at its end was not seen to stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from davylamp.kit.detection import Facts
from davylamp.kit.engine import Engine

# Classes of which a miner's rows go on as long as it does. A name is looked up once, and a log-in is over at once.
_LASTING = ("network_activity", "resource_usage", "process_usage", "socket_usage")
# A machine that falls silent in a file that goes on has stopped; a file that ends says nothing more.
_ENDS = """
WITH seen AS (
  SELECT asset, path, max(ended_at) AS ended_at FROM ({rows}) AS rows WHERE ended_at <= $ends_at GROUP BY asset, path
),
files AS (
  SELECT path, max(ended_at) AS ended_at FROM seen GROUP BY path
)
SELECT seen.asset AS asset, max(files.ended_at) AS ended_at
FROM seen
JOIN files ON files.path = seen.path
WHERE seen.asset IS NOT NULL
GROUP BY seen.asset
"""


class EvidenceEnds:
    """Where the last of the files that tell of a machine ends, by its name.

    A capture of five minutes beside a log that goes on for hours: a miner that talked until the capture's end was not
    seen to stop. A CPU series of March beside a log of November: what it shows was not seen to go on until then.
    The engine is asked when the first incident is priced, once.

    Args:
        ends_at: the end of all evidence, which is that of a machine without evidence of a kind that lasts.
    """

    def __init__(self, engine: Engine, facts: Facts, ends_at: datetime) -> None:
        self._engine = engine
        self._classes: Sequence[str] = [name for name in _LASTING if facts.has_rows(name)]
        self._ends_at = ends_at
        self._known: Mapping[str, datetime] | None = None

    def __call__(self, asset: str) -> datetime:
        """Until when evidence could have shown what the machine does."""
        if self._known is None:
            self._known = self._asked() if self._classes else {}
        return self._known.get(asset, self._ends_at)

    def _asked(self) -> dict[str, datetime]:
        rows = " UNION ALL ".join(
            f"SELECT asset, path, {'coalesce(end_time, time)' if name == 'network_activity' else 'time'} AS ended_at "
            f"FROM {name}"
            for name in self._classes
        )
        ends_at = self._ends_at.replace(tzinfo=None)
        found: dict[str, datetime] = {}
        for row in self._engine.rows(_ENDS.format(rows=rows), {"ends_at": ends_at}):
            ended_at = row["ended_at"]
            assert isinstance(ended_at, datetime)
            found[str(row["asset"])] = ended_at.replace(tzinfo=UTC)
        return found
