"""`python -m examples.make [FOLDER]`: makes the sample evidence, in namespaces that vanish with the process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import types
from collections.abc import Callable
from pathlib import Path

from examples.make import plan

STORY = Path(__file__).resolve().parent.parent / "story"
LONGEST_S = 120
PACKAGE_OF = {
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "dnsmasq": "dnsmasq-base",
    "ip": "iproute2",
    "openssl": "openssl",
    "setpriv": "util-linux",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "mount": "mount",
}
_INSIDE = "--inside"


def main(arguments: list[str]) -> int:
    """Entry point; with `--inside` it is the process that lives in the namespaces."""
    os.environ["PATH"] = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    if arguments[:1] == [_INSIDE]:
        from examples.make.inside import make

        signal.signal(signal.SIGTERM, _interrupted)
        signal.signal(signal.SIGALRM, _too_long)
        signal.alarm(LONGEST_S)
        return _report(lambda: make(Path(arguments[1]), plan.SEED))
    if missing := _missing():
        print(missing, file=sys.stderr)
        return 1
    return _report(lambda: _make(Path(arguments[0]).resolve() if arguments else STORY))


def _report(work: Callable[[], None]) -> int:
    """Does it, and says calmly what went wrong."""
    try:
        work()
    except KeyboardInterrupt:
        return 130
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        print(f"the sample was not made, what was there is unchanged: {error}", file=sys.stderr)
        return 1
    return 0


def _missing() -> str:
    if os.geteuid() != 0:
        return "the sample is made in network namespaces of its own, which needs root: sudo make example"
    if packages := sorted({package for program, package in PACKAGE_OF.items() if shutil.which(program) is None}):
        return f"the sample needs these Debian packages: apt-get install {' '.join(packages)}"
    return ""


def _make(folder: Path) -> None:
    print(f"making {folder} (about a minute)")
    with tempfile.TemporaryDirectory(prefix="davylamp-story-") as scratch:
        made = Path(scratch) / folder.name
        # Whatever ends this process ends all others: the kernel removes a process namespace with its first process,
        # and with that the last user of the networks and mounts made in it.
        dies_with_us = ["setpriv", "--pdeathsig", "KILL", "--"]
        own = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation"]
        command = [*dies_with_us, *own, "private", "--", sys.executable, "-m", "examples.make", _INSIDE, str(made)]
        if subprocess.run(command, cwd=STORY.parent.parent, check=False).returncode:
            raise RuntimeError("see above")
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(made, folder)
        shutil.copy(made.with_suffix(".md"), folder.with_suffix(".md"))


def _interrupted(number: int, frame: types.FrameType | None) -> None:
    raise KeyboardInterrupt


def _too_long(number: int, frame: types.FrameType | None) -> None:
    raise TimeoutError(f"not done within {LONGEST_S} s")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
