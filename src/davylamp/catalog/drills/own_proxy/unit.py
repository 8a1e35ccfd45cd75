"""The drill `own_proxy`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from davylamp.kit.drill import CAUGHT, Drill, DrillMeta

if TYPE_CHECKING:
    from davylamp.kit.emulation.stage import Stage


class OwnProxy(Drill):
    """A miner that talks with a proxy of its owner, as crews do that run many.

    What it plays.
    The worker connects to a proxy on loopback; the proxy, another process, connects to the pool. Nothing of it is in
    any list.

    What it proves.
    That no list of pools is needed, and that an address of one's own excuses nothing.

    """

    meta = DrillMeta(uid="own_proxy", title="An unlisted pool through a proxy", letter="d", expects=CAUGHT)

    def play(self, stage: Stage) -> tuple[int, ...]:
        """Starts it."""
        stage.role("pool", host=stage.host, port=17777)
        stage.role("proxy", host=stage.host, port=18080, to_host=stage.host, to_port=17777)
        return (
            stage.role("worker", program="lib/update-agent", host=stage.host, port=18080, shown_name="update-agent"),
        )
