"""The drill `peer_chat`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from davylamp.kit.drill import QUIET, Drill, DrillMeta

if TYPE_CHECKING:
    from davylamp.kit.emulation.stage import Stage

PORT = 19409


class PeerChat(Drill):
    """A look-alike: peers of a chain.

    What it plays.
    A node talks with eight peers as nodes of a chain do, and burns a third of a CPU checking what it hears.

    What it proves.
    That crypto currency is not mining.
    """

    meta = DrillMeta(
        uid="peer_chat",
        title="Look-alike: peers of a chain",
        letter="i",
        expects=QUIET,
    )

    def play(self, stage: Stage) -> tuple[int, ...]:
        """Starts it."""
        shared: dict[str, Any] = {"host": stage.host, "port": PORT, "twin": "node_chat"}
        stage.role("talker", serves=True, threads=0, **shared)
        return (
            stage.role(
                "talker", program="bin/peer-chat", serves=False, connections=8, threads=1, level_ratio=0.3, **shared
            ),
        )
