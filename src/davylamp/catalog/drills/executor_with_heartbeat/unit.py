"""The drill `executor_with_heartbeat`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from davylamp.kit.drill import QUIET, Drill, DrillMeta

if TYPE_CHECKING:
    from davylamp.kit.emulation.stage import Stage

PORT = 19423


class ExecutorWithHeartbeat(Drill):
    """A look-alike: an executor with a heartbeat.

    What it plays.
    A worker computes on a whole CPU and keeps one quiet connection with a health check, as executors of data
    engines do.

    What it proves.
    That the nearest benign shape of all is at most one finding, and no incident.
    """

    meta = DrillMeta(
        uid="executor_with_heartbeat", title="Look-alike: an executor with a heartbeat", letter="i", expects=QUIET
    )

    def play(self, stage: Stage) -> tuple[int, ...]:
        """Starts it."""
        shared: dict[str, Any] = {"host": stage.host, "port": PORT, "twin": "grpc_health"}
        stage.role("talker", serves=True, threads=0, **shared)
        talks = stage.role("talker", program="bin/executor-with-heartbeat", serves=False, threads=1, **shared)
        return (talks,)
