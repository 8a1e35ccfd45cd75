"""The drill `wiped_arguments_tls`."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from davylamp.kit.drill import CAUGHT, Drill, DrillMeta

if TYPE_CHECKING:
    from davylamp.kit.emulation.stage import Stage


class WipedArgumentsTls(Drill):
    """A miner that shows nothing of itself and talks TLS on the port of the web.

    What it plays.
    The worker writes `[kworker]`-free, ordinary text over its arguments and speaks through TLS 1.3 to a pool on port
    443 of a loopback address.

    What it proves.
    That content is not needed: computing much, moving nothing, and the rhythm of the messages are enough.

    """

    meta = DrillMeta(
        uid="wiped_arguments_tls",
        title="Arguments wiped, TLS, port 443",
        letter="c",
        expects=CAUGHT,
        needs_root=True,
        observe_s=60.0,
    )

    def could_play(self) -> str:
        """The certificate is made by openssl."""
        return "" if shutil.which("openssl") else "needs openssl: apt-get install openssl"

    def play(self, stage: Stage) -> tuple[int, ...]:
        """Starts it."""
        certificate, key = stage.certificate()
        stage.role(
            "pool",
            host=stage.host,
            port=443,
            certificate=str(certificate),
            key=str(key),
            share_gap_s=4.0,
            job_period_s=15.0,
        )
        return (
            stage.role(
                "worker",
                program="lib/session-agent",
                host=stage.host,
                port=443,
                tls=True,
                share_gap_s=4.0,
                job_period_s=15.0,
                shown_name="session-agent",
                wiped_arguments="session-agent --daemon",
            ),
        )
