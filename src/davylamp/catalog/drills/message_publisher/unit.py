"""The drill `message_publisher`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from davylamp.kit.drill import QUIET, Drill, DrillMeta

if TYPE_CHECKING:
    from davylamp.kit.emulation.stage import Stage

PORT = 19417


class MessagePublisher(Drill):
    """A look-alike: a message publisher.

    What it plays.
    A client publishes events over an MQTT-like connection: fixed sizes, acknowledgements, pushes in between. It
    uses little CPU.

    What it proves.
    That the closest twin of the wire is told by what its process does.
    """

    meta = DrillMeta(
        uid="message_publisher",
        title="Look-alike: a message publisher",
        letter="i",
        expects=QUIET,
    )

    def play(self, stage: Stage) -> tuple[int, ...]:
        """Starts it."""
        shared: dict[str, Any] = {"host": stage.host, "port": PORT, "twin": "mqtt_events"}
        stage.role("talker", serves=True, threads=0, **shared)
        return (
            stage.role("talker", program="bin/message-publisher", serves=False, threads=1, level_ratio=0.02, **shared),
        )
