"""The drill `quote_ticker`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from davylamp.kit.drill import QUIET, Drill, DrillMeta

if TYPE_CHECKING:
    from davylamp.kit.emulation.stage import Stage

PORT = 19412


class QuoteTicker(Drill):
    """A look-alike: a quote ticker.

    What it plays.
    A client hears quotes over a web socket; little CPU.

    What it proves.
    That pushes alone are no mining.
    """

    meta = DrillMeta(
        uid="quote_ticker",
        title="Look-alike: a quote ticker",
        letter="i",
        expects=QUIET,
    )

    def play(self, stage: Stage) -> tuple[int, ...]:
        """Starts it."""
        shared: dict[str, Any] = {"host": stage.host, "port": PORT, "twin": "ticker"}
        stage.role("talker", serves=True, threads=0, **shared)
        talks = stage.role("talker", program="bin/quote-ticker", serves=False, threads=1, level_ratio=0.05, **shared)
        return (talks,)
