"""The drill `like_a_container`."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from davylamp.kit.drill import CAUGHT, Drill, DrillMeta

if TYPE_CHECKING:
    from davylamp.kit.emulation.stage import Stage


class LikeAContainer(Drill):
    """A miner in a container.

    What it plays.
    Pool and worker live in a network, process and mount namespace of their own, the worker in a control group named as
    container engines name theirs.

    What it proves.
    That the host sees into its containers, and names which one.

    """

    meta = DrillMeta(
        uid="like_a_container",
        title="In its own control group and namespaces",
        letter="g",
        expects=CAUGHT,
        needs_root=True,
    )

    def could_play(self) -> str:
        """Namespaces are made by unshare."""
        return "" if shutil.which("unshare") else "needs unshare: apt-get install util-linux"

    def play(self, stage: Stage) -> tuple[int, ...]:
        """Starts it."""
        inside = ["unshare", "--net", "--mount", "--fork", "--kill-child"]
        group = stage.group("docker-" + "c0ffee" * 10 + "beef.scope")
        starter = stage.role(
            "pool_and_worker",
            program="app/server",
            host="127.0.0.1",
            port=13333,
            inside=inside,
            group=group,
            shown_name="server",
        )
        return (starter,)
