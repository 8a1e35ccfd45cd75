"""A machine of its own for systemd: namespaces in which it is process 1, over a copy of the file system that is thrown
away. What it writes, and what it cleans at boot, never reaches the machine that runs the tests."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SYSTEMD = Path("/lib/systemd/systemd")
BOOT_S = 60.0
_BOOT = """
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
pivot_root . mnt
cd /
umount -l /mnt
exec env container=lxc /lib/systemd/systemd --system --unit=multi-user.target
"""


@dataclass(frozen=True)
class SystemdMachine:
    """A running one.

    Args:
        pid: of its process 1, as this machine counts.
    """

    pid: int

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a command inside; what it said is in the answer."""
        inside = ["nsenter", "-t", str(self.pid), "-p", "-m", "-n", "-u", "-i", "-C", "--wd=/", *command]
        done = subprocess.run(inside, capture_output=True, text=True, check=False, timeout=120)
        if check and done.returncode:
            raise AssertionError(f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def wait_until(self, command: Sequence[str], said: str, seconds: float) -> str:
        """Repeats a command until it says something; the last answer where it never does."""
        ends_s = time.monotonic() + seconds
        while True:
            answer = self.run(*command, check=False)
            if said in answer.stdout or time.monotonic() > ends_s:
                return answer.stdout + answer.stderr
            time.sleep(0.5)


@contextmanager
def systemd_machine(folder: Path) -> Iterator[SystemdMachine]:
    """Boots one, and ends it with everything in it.

    Args:
        folder: an empty folder to mount it on.
    """
    flags = ("--pid", "--fork", "--kill-child", "--mount", "--uts", "--ipc", "--net", "--cgroup")
    with subprocess.Popen(["unshare", *flags, "bash", "-c", _BOOT, "boot", str(folder)]) as outer:
        try:
            machine = SystemdMachine(_first_child(outer.pid))
            said = machine.wait_until(["systemctl", "is-system-running"], "ing", BOOT_S)
            machine.wait_until(["systemctl", "is-active", "multi-user.target"], "active", BOOT_S)
            assert "offline" not in said, said
            yield machine
        finally:
            outer.kill()


def can_boot() -> bool:
    """Whether this machine has what it takes; root is asked for apart."""
    return SYSTEMD.exists() and all(shutil.which(program) for program in ("unshare", "nsenter", "pivot_root"))


def _first_child(pid: int) -> int:
    ends_s = time.monotonic() + BOOT_S
    while not (children := Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()):
        assert time.monotonic() < ends_s, "unshare started nothing"
        time.sleep(0.05)
    return int(children[0])
