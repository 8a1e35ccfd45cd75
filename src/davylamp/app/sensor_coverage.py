"""What a host's sensor could not look at, or lost, as coverage rows beside the files'."""

from __future__ import annotations

from davylamp.kit.engine import Engine
from davylamp.model.coverage import PARTIAL, UNREADABLE, FileCoverage

_SAID = """
SELECT asset, kind, coalesce(name, 'something') AS name, coalesce(reason, '') AS reason,
  sum(coalesce(lost_count, 0)) AS lost_count
FROM sensor_state
WHERE kind IN ('could_not_look', 'lost', 'slowed')
GROUP BY ALL
ORDER BY ALL
"""


def sensor_coverage(engine: Engine) -> tuple[FileCoverage, ...]:
    """One row for each thing a sensor says it did not see: `web1: sockets of containers`."""
    return tuple(_row(row) for row in engine.rows(_SAID))


def _row(row: dict[str, object]) -> FileCoverage:
    lost = row["lost_count"]
    counted = f" ({lost:,} lost)" if isinstance(lost, int) and lost else ""
    return FileCoverage(
        path=f"{row['asset']}: {row['name']}",
        source="host_live",
        state=UNREADABLE if row["kind"] == "could_not_look" else PARTIAL,
        reason=f"{row['reason']}{counted}",
    )
