"""When machines ended: instances that the control plane stopped or terminated cost nothing from then on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from davylamp.kit.engine import Engine

# A stop ends the bill as a termination does, unless the machine was started again afterwards.
_ENDED = """
WITH calls AS (
  SELECT time, operation, unnest(resources) AS resource
  FROM api_activity
  WHERE service = 'ec2.amazonaws.com' AND error_code IS NULL
    AND operation IN ('TerminateInstances', 'StopInstances', 'StartInstances')
),
starts AS (
  SELECT resource, max(time) AS started_at FROM calls WHERE operation = 'StartInstances' GROUP BY resource
)
SELECT calls.resource AS resource, min(calls.time) AS ended_at
FROM calls
LEFT JOIN starts ON starts.resource = calls.resource
WHERE calls.operation <> 'StartInstances' AND calls.resource LIKE 'i-%'
  AND (starts.started_at IS NULL OR calls.time > starts.started_at)
GROUP BY calls.resource
"""


def machine_ends(engine: Engine) -> Mapping[str, datetime]:
    """Instance id -> when it was stopped or terminated for good."""
    return {str(row["resource"]): _utc(row["ended_at"]) for row in engine.rows(_ENDED)}


def _utc(moment: object) -> datetime:
    assert isinstance(moment, datetime)
    return moment.replace(tzinfo=UTC)
