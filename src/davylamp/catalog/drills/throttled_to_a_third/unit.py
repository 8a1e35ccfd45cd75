"""The drill `throttled_to_a_third`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from davylamp.kit.drill import CAUGHT, Drill, DrillMeta

if TYPE_CHECKING:
    from davylamp.kit.emulation.stage import Stage


class ThrottledToAThird(Drill):
    """A miner that keeps below what people notice.

    What it plays.
    The worker burns three tenths of a CPU: 300 ms of each second, then sleeps. Its pool steers the difficulty so that
    its shares come as often as a fast miner's.

    What it proves.
    That no threshold of CPU use is needed.

    """

    meta = DrillMeta(
        uid="throttled_to_a_third", title="Throttled to 30 %, duty-cycled", letter="e", expects=CAUGHT, observe_s=30.0
    )

    def play(self, stage: Stage) -> tuple[int, ...]:
        """Starts it."""
        stage.role("pool", host=stage.host, port=15555)
        return (
            stage.role(
                "worker",
                program="lib/log-rotator",
                host=stage.host,
                port=15555,
                level_ratio=0.3,
                period_s=1.0,
                shown_name="log-rotator",
            ),
        )
