"""The drill `usual_arguments`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from davylamp.kit.drill import CAUGHT, Drill, DrillMeta

if TYPE_CHECKING:
    from davylamp.kit.emulation.stage import Stage


class UsualArguments(Drill):
    """A miner as it comes: its own name, its pool and wallet in the arguments, stratum in clear text.

    What it plays.
    A pool on loopback and a worker named `xmrig`, started with the arguments of the manual page; the worker burns one
    CPU. The wallet is no wallet.

    What it proves.
    That the easiest case is caught, which every peer should catch too.

    """

    meta = DrillMeta(
        uid="usual_arguments", title="A miner with its usual arguments, clear stratum", letter="a", expects=CAUGHT
    )

    def play(self, stage: Stage) -> tuple[int, ...]:
        """Starts it."""
        stage.role("pool", host=stage.host, port=13333)
        wallet = "4" + "7" * 94
        arguments = [
            "-o",
            f"stratum+tcp://{stage.host}:13333",
            "-u",
            wallet,
            "-p",
            "x",
            "-a",
            "rx/0",
            "--donate-level",
            "1",
        ]
        program = "bin/xmrig"
        return (
            stage.role(
                "worker",
                program=program,
                script="xmrig",
                arguments=arguments,
                host=stage.host,
                port=13333,
                shown_name="xmrig",
            ),
        )
