"""A real sshd of a drill, on a loopback address, with a password that nobody knows.

It runs in a mount namespace of its own, where copies lie over `/etc/passwd`, `/etc/shadow`, `/run` and `/dev`: its
users, its log socket and its folder are the drill's. The host's own files are not touched.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from davylamp.errors import UsageError
from davylamp.kit.emulation.stage import Stage

NEEDED = {
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "sshd": "openssh-server",
    "openssl": "openssl",
    "unshare": "util-linux",
    "mount": "mount",
}
USER = "root"
PORT = 2222
LONGEST_S = 20.0
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
# The copies cover the system's files in this process's own mount namespace and nowhere else.
_WITHIN = """
cd "$1"
mkdir -p dev
mount -t tmpfs -o mode=755 none dev
for name in $2; do : > "dev/$name"; mount --bind "/dev/$name" "dev/$name"; done
ln -s /proc/self/fd dev/fd
ln -s "$1/log" dev/log
mount --move dev /dev
mount -t tmpfs -o mode=755 none /run
mkdir -p /run/sshd
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/shadow" /etc/shadow
shift 2
exec "$@"
"""
_CONFIGURATION = """\
ListenAddress {host}
Port {port}
HostKey {folder}/host_key
PidFile none
UsePAM no
PermitRootLogin yes
PasswordAuthentication yes
KbdInteractiveAuthentication no
PubkeyAuthentication no
AuthorizedKeysFile none
MaxStartups 100
UseDNS no
PrintMotd no
PrintLastLog no
"""
_ANSWER = """\
#!/bin/sh
read -r word < "$DRILL_WORDS"
sed -i 1d "$DRILL_WORDS"
printf '%s\\n' "$word"
"""
_OPTIONS = (
    *("-F", "none", "-T", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
    *("-o", "GlobalKnownHostsFile=/dev/null", "-o", "ConnectTimeout=5", "-o", "LogLevel=ERROR"),
    *("-o", "IdentityAgent=none", "-o", "PreferredAuthentications=password", "-o", "PubkeyAuthentication=no"),
)


def lacking() -> str:
    """Empty when this machine has what a server of our own needs, else what it lacks."""
    if os.geteuid() != 0:
        return "needs root: a server of its own in a mount namespace of its own"
    missing = sorted({package for program, package in NEEDED.items() if _found(program) is None})
    return f"needs {', '.join(missing)}: apt-get install {' '.join(missing)}" if missing else ""


def _found(program: str) -> str | None:
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin:/usr/local/sbin")


@dataclass
class SshServer:
    """The server and the guests that come to it.

    Args:
        stage: ends and removes all of it.
        guest: loopback address that guests come from.
    """

    stage: Stage
    guest: str

    def __post_init__(self) -> None:
        self.folder = self.stage.folder / "server"
        self.log = self.stage.folder / "auth.log"
        self.word = secrets.token_hex(16)

    def start(self) -> None:
        """Starts the log's daemon and sshd, and waits until it listens.

        Raises:
            UsageError: it does not.
        """
        self.folder.mkdir()
        self.stage.role("system_log", socket=str(self.folder / "log"), file=str(self.log))
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(self.folder / "host_key"))
        self._write_users()
        text = _CONFIGURATION.format(host=self.stage.host, port=PORT, folder=self.folder)
        configuration = self.folder / "sshd_config"
        configuration.write_text(text, encoding="ascii")
        sshd = _found("sshd") or "sshd"
        if _turns_away_who_fails(sshd):
            configuration.write_text(f"{text}PerSourcePenalties no\n", encoding="ascii")
        devices = " ".join(name for name in _DEVICES if Path("/dev", name).exists())
        self._wait_for(self.folder / "log")
        within = ["unshare", "--mount", "--propagation", "private", "sh", "-eu", "-c", _WITHIN, "sh"]
        self.stage.load([*within, str(self.folder), devices, sshd, "-D", "-f", str(configuration)])
        self._wait_until_served()

    def guess(self, user: str, words: Sequence[str]) -> None:
        """One connection that tries words, none of which is right."""
        self._connected(user, words, "true")

    def log_in(self, command: str, wrong: Sequence[str] = ()) -> str:
        """One connection that tries wrong words, then the right one, and runs a command; gives what it prints.

        Raises:
            UsageError: the login failed.
        """
        done = self._connected(USER, [*wrong, self.word], command)
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise UsageError("the drill's login was refused", why=said[-1] if said else "without a word")
        return done.stdout.decode("utf-8", "replace")

    def _connected(self, user: str, words: Sequence[str], command: str) -> subprocess.CompletedProcess[bytes]:
        answer, rest = self.stage.folder / "answer", self.stage.folder / "words"
        answer.write_text(_ANSWER, encoding="ascii")
        answer.chmod(0o700)
        rest.write_text("".join(f"{word}\n" for word in words), encoding="ascii")
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(self.stage.folder),
            "SSH_ASKPASS": str(answer),
            "SSH_ASKPASS_REQUIRE": "force",
            "DISPLAY": ":",
            "DRILL_WORDS": str(rest),
        }
        options = [*_OPTIONS, "-o", f"NumberOfPasswordPrompts={len(words)}", "-b", self.guest, "-p", str(PORT)]
        return subprocess.run(
            ["ssh", *options, f"{user}@{self.stage.host}", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd=self.stage.folder,
            env=environment,
            start_new_session=True,
            timeout=LONGEST_S,
            check=False,
        )

    def _write_users(self) -> None:
        """The system's accounts without their passwords, and one that the drill may guess."""
        sealed = subprocess.run(
            ["openssl", "passwd", "-6", "-stdin"], input=self.word.encode() + b"\n", capture_output=True, check=True
        ).stdout.decode("ascii")
        kept = [line for line in Path("/etc/passwd").read_text(encoding="utf-8").splitlines() if _system_account(line)]
        passwd = [f"{USER}:x:0:0::/:/bin/sh", *kept]
        shadow = [
            f"{USER}:{sealed.strip()}:20000:0:99999:7:::",
            *(f"{line.split(':')[0]}:*:20000::::::" for line in kept),
        ]
        (self.folder / "passwd").write_text("\n".join([*passwd, ""]), encoding="utf-8")
        (self.folder / "shadow").touch(mode=0o600)
        (self.folder / "shadow").write_text("\n".join([*shadow, ""]), encoding="utf-8")

    def _wait_for(self, path: Path) -> None:
        for _ in range(100):
            if path.exists():
                return
            time.sleep(0.05)
        raise UsageError("the drill's log daemon does not listen", where=str(path))

    def _wait_until_served(self) -> None:
        for _ in range(100):
            try:
                with socket.create_connection((self.stage.host, PORT), timeout=1.0) as made:
                    if made.recv(4) == b"SSH-":
                        return
            except OSError:
                time.sleep(0.05)
        raise UsageError("the drill's sshd does not listen", where=f"{self.stage.host}:{PORT}", why="see sshd -t")


def _turns_away_who_fails(sshd: str) -> bool:
    """Whether this sshd knows the penalties that OpenSSH 9.8 began with; an older one stops at the word."""
    asked = [sshd, "-t", "-f", "/dev/null", "-o", "PerSourcePenalties=no"]
    return b"Bad configuration option" not in subprocess.run(asked, capture_output=True, check=False).stderr


def _system_account(line: str) -> bool:
    fields = line.split(":")
    return len(fields) > 6 and fields[0] != USER and fields[2].isdecimal() and int(fields[2]) < 1000


def _run(*command: str) -> None:
    subprocess.run(command, capture_output=True, check=True, timeout=LONGEST_S)
