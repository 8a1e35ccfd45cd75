"""The drill `memory_only_image`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from davylamp.kit.drill import CAUGHT, Drill, DrillMeta

if TYPE_CHECKING:
    from davylamp.kit.emulation.stage import Stage


class MemoryOnlyImage(Drill):
    """A miner that left no file.

    What it plays.
    The worker runs from an anonymous memory file, its parent has ended, and it calls itself `sshd`.

    What it proves.
    That the image's absence is told, and that the process is found without it.

    """

    meta = DrillMeta(uid="memory_only_image", title="Image in memory only, parent gone", letter="f", expects=CAUGHT)

    def play(self, stage: Stage) -> tuple[int, ...]:
        """Starts it."""
        stage.role("pool", host=stage.host, port=16666)
        return (
            stage.role(
                "worker", in_memory=True, orphan=True, arguments=["-D"], host=stage.host, port=16666, shown_name="sshd"
            ),
        )
