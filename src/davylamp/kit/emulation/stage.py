"""Starts the processes of a drill and takes all of it back: processes, files, control groups, network namespaces."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from davylamp.errors import UsageError
from davylamp.kit.emulation.disguise import SETTINGS_NAME, memory_image
from davylamp.kit.emulation.leftovers import STAGE_PREFIX, mark, stage_parents

_LAUNCHER = "from davylamp.kit.emulation.roles import main\nraise SystemExit(main())\n"


@dataclass
class Stage:
    """Where a drill plays.

    Args:
        folder: scratch folder, removed at the end.
        host: a loopback address of this stage alone, so that two drills at once do not meet.
        duration_s: how long each role plays, at the most.
        evidence: further evidence that the look takes, such as the log of a server of the drill's own.
        root: a folder that stands for `/`, in which the look finds what starts by itself, besides the host's own.
    """

    duration_s: float
    seed: int
    folder: Path = field(default_factory=lambda: _scratch())
    host: str = field(default_factory=lambda: _loopback_address())
    evidence: list[Path] = field(default_factory=list)
    root: Path | None = None
    _started: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _groups: list[Path] = field(default_factory=list)

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def role(
        self,
        role: str,
        *,
        program: str = "",
        script: str = "",
        arguments: Sequence[str] = (),
        in_memory: bool = False,
        orphan: bool = False,
        inside: Sequence[str] = (),
        group: Path | None = None,
        **settings: Any,
    ) -> int:
        """Starts a role and gives its pid.

        Args:
            program: name of a copy of the interpreter to run, below the folder; the interpreter itself when empty.
            script: name of the script, which others see as the program where a kernel starts it by itself.
            arguments: what the program is started with.
            in_memory: run from an image that lies in no file system.
            orphan: let the process that started it end.
            inside: a command that runs it elsewhere, such as `unshare --net`.
            group: control group to run in.
        """
        command = [*inside, *self._command(program, script, in_memory), *arguments]
        told_pid = self.folder / f"role-{len(self._started)}.pid"
        environment = self._told(role, settings | {"pid_file": str(told_pid)} if inside else settings)
        descriptors = [int(command[-len(arguments) - 2].rpartition("/")[2])] if in_memory else []
        if orphan:
            return self._orphan(command, environment, descriptors)
        started = subprocess.Popen(
            command,
            env=environment,
            cwd=self.folder,
            pass_fds=descriptors,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for descriptor in descriptors:
            os.close(descriptor)
        self._started.append(started)
        if group is not None:
            (group / "cgroup.procs").write_text(str(started.pid), encoding="ascii")
        return _told_by(told_pid) if inside else started.pid

    def role_line(self, role: str, program: str, **settings: Any) -> str:
        """The line with which a shell starts a role by itself, says its pid, and goes on without it."""
        told = " ".join(f"{name}={shlex.quote(value)}" for name, value in self._told(role, settings).items())
        command = shlex.join(self._command(program, "", in_memory=False))
        return (
            f"cd {shlex.quote(str(self.folder))} && {{ {told} setsid {command} </dev/null >/dev/null 2>&1 & echo $!; }}"
        )

    def _told(self, role: str, settings: Mapping[str, Any]) -> dict[str, str]:
        told = {"role": role, "seed": self.seed, "duration_s": self.duration_s, **settings}
        return _environment() | {SETTINGS_NAME: json.dumps(told)}

    def load(self, command: Sequence[str], **environment: str) -> int:
        """Starts a look-alike: an ordinary program that burns CPU or talks."""
        started = subprocess.Popen(
            command,
            env=_environment() | environment,
            cwd=self.folder,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._started.append(started)
        return started.pid

    def group(self, name: str) -> Path | None:
        """A control group of its own, or None where we may not make one."""
        for root in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup/pids")):
            if not (root / "cgroup.procs").exists():
                continue
            made = root / name
            try:
                made.mkdir()
            except OSError:
                continue
            self._groups.append(made)
            mark(self.folder, self._groups)
            return made
        return None

    def certificate(self) -> tuple[Path, Path]:
        """A certificate for `pool.test` and its key.

        Raises:
            UsageError: there is no `openssl` to make one.
        """
        key, certificate = self.folder / "key.pem", self.folder / "certificate.pem"
        if shutil.which("openssl") is None:
            raise UsageError("this drill needs openssl", why="it plays over TLS", hint="apt-get install openssl")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=pool.test",
             "-keyout", str(key), "-out", str(certificate)],
            check=True,
            capture_output=True,
        )  # fmt: skip
        return certificate, key

    def other_host(self) -> str:
        """Another loopback address, for somebody who comes from elsewhere."""
        return _loopback_address()

    def pids(self) -> set[int]:
        """Every process of the drill that runs now."""
        return {each.pid for each in self._started if each.poll() is None} | self._marked()

    def close(self) -> None:
        """Ends and removes everything; may be called twice."""
        for pid in self.pids():
            _signalled(pid, signal.SIGKILL)
        for each in self._started:
            each.wait(timeout=10)
        for group in self._groups:
            _removed_group(group)
        self._groups.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _command(self, program: str, script: str, in_memory: bool) -> list[str]:
        runs = self.folder / (script or "main")
        if not script.startswith("/") and not runs.exists():
            runs.parent.mkdir(parents=True, exist_ok=True)
            runs.write_text(_LAUNCHER, encoding="utf-8")
        if in_memory:
            return [memory_image(_interpreter()), str(runs)]
        if not program:
            return [sys.executable, str(runs)]
        copy = self.folder / program
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(_interpreter(), copy)
        return [str(copy), str(runs)]

    def _orphan(self, command: Sequence[str], environment: Mapping[str, str], descriptors: Sequence[int]) -> int:
        """Starts it through a process that ends at once."""
        between = os.fork()
        if between == 0:
            os.setsid()
            quiet = os.open(os.devnull, os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(quiet, number)
            if (child := os.fork()) == 0:
                os.chdir(self.folder)
                os.execve(command[0], list(command), dict(environment))
            (self.folder / "orphan.pid").write_text(str(child), encoding="ascii")
            os._exit(0)
        os.waitpid(between, 0)
        for descriptor in descriptors:
            os.close(descriptor)
        return int((self.folder / "orphan.pid").read_text(encoding="ascii"))

    def _marked(self) -> set[int]:
        """Every process that works in our folder: also those whose parents are gone."""
        found = set()
        for place in Path("/proc").iterdir():
            if not place.name.isdecimal():
                continue
            try:
                if (place / "cwd").readlink().is_relative_to(self.folder):
                    found.add(int(place.name))
            except OSError:
                continue
        return found - {os.getpid()}


def _loopback_address() -> str:
    return "127." + ".".join(str(2 + part % 250) for part in os.urandom(3))


def _scratch() -> Path:
    """A folder that is no temporary one: that a program lies in `/tmp` is a clue of its own, which a drill names."""
    for parent in stage_parents():
        try:
            parent.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=STAGE_PREFIX, dir=parent))
            mark(folder)
        except OSError:
            continue
        return folder
    raise UsageError("no folder can be made for the drill", where="/opt", hint="df -h /opt")


def _interpreter() -> str:
    """The file itself, which a link of a virtual environment leads to."""
    return str(Path(sys.executable).resolve())


def _environment() -> dict[str, str]:
    """What the copies of the interpreter need to find their library and ours."""
    package = Path(__file__).resolve().parents[3]
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "PYTHONHOME": f"{sys.base_prefix}:{sys.base_exec_prefix}",
        "PYTHONPATH": f"{package}:{sysconfig.get_paths()['purelib']}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _told_by(file: Path) -> int:
    """The pid that a role run through other programs says of itself.

    Raises:
        UsageError: it did not start.
    """
    for _ in range(100):
        if file.is_file() and (text := file.read_text(encoding="ascii")).endswith("\n"):
            return int(text)
        time.sleep(0.1)
    raise UsageError("a part of the drill did not start", where=str(file), hint="davylamp drill --list")


def _signalled(pid: int, number: int) -> None:
    """Signals a process and its group; that it has ended already is what was wanted."""
    for signalled in (os.killpg, os.kill):
        with contextlib.suppress(OSError):
            signalled(pid, number)


def _removed_group(group: Path) -> None:
    for _ in range(20):
        try:
            group.rmdir()
        except OSError:
            time.sleep(0.05)
        else:
            return
