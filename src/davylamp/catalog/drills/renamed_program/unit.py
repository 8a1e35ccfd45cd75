"""The drill `renamed_program`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from davylamp.kit.drill import CAUGHT, Drill, DrillMeta

if TYPE_CHECKING:
    from davylamp.kit.emulation.stage import Stage


class RenamedProgram(Drill):
    """A miner under another name that takes its pool and wallet from a file.

    What it plays.
    The worker's program is called `dbus-helper`, its arguments say nothing; a configuration with `pools` lies beside
    it and is held open. Stratum in clear text.

    What it proves.
    That neither names nor arguments are needed.

    """

    meta = DrillMeta(uid="renamed_program", title="Renamed, arguments in a file", letter="b", expects=CAUGHT)

    def play(self, stage: Stage) -> tuple[int, ...]:
        """Starts it."""
        stage.role("pool", host=stage.host, port=14444)
        configuration = stage.folder / "helper.json"
        wallet = "4" + "7" * 94
        pools = [{"url": f"{stage.host}:14444", "user": wallet, "pass": "x", "algo": "rx/0"}]
        configuration.write_text(json.dumps({"autosave": True, "cpu": True, "pools": pools}), encoding="utf-8")
        return (
            stage.role(
                "worker",
                program="lib/dbus-helper",
                host=stage.host,
                port=14444,
                shown_name="dbus-helper",
                opens=str(configuration),
            ),
        )
