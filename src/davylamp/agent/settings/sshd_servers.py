"""Running SSH servers with a configuration of their own (`sshd -f FILE -o OPTION`), and which of them may be asked."""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from davylamp.agent import procfs
from davylamp.agent.files import ABSENT, HostFiles

# The daemon that listens shows its own command line as a title: `sshd: /usr/sbin/sshd -D -f x [listener] 0 of 10-100`.
TITLE = re.compile(r"^sshd: (.*?) \[listener\]")
# Options of sshd(8) that take a value; the two kept ones are what changes its configuration.
WITH_VALUE, KEPT = frozenset("fobcCEghkpuV"), frozenset("fo")
NAME = "sshd"


@dataclass(frozen=True)
class SshServer:
    """One that runs with arguments of its own.

    Args:
        arguments: those that change its configuration, as pairs of `-f` or `-o` and a value.
    """

    pid: int
    arguments: tuple[str, ...]

    @property
    def shown(self) -> str:
        """As somebody would type it."""
        return shlex.join((NAME, *self.arguments))

    @property
    def file(self) -> str | None:
        """The configuration file it names; the last one holds."""
        named = [value for kind, value in zip(self.arguments[::2], self.arguments[1::2], strict=True) if kind == "-f"]
        return named[-1] if named else None


def running_servers(proc: str = "/proc") -> list[SshServer]:
    """Listening servers with arguments of their own, each command line once."""
    found: dict[tuple[str, ...], SshServer] = {}
    for pid in sorted(procfs.listed_pids(proc)):
        try:
            told = procfs.stat_of(pid, proc)
            if told is None or told.name != NAME:
                continue
            words = _words(procfs.read_bytes(f"{proc}/{pid}/cmdline"))
        except OSError:
            continue
        if arguments := kept_arguments(words):
            found.setdefault(arguments, SshServer(pid, arguments))
    return list(found.values())


def _words(command_line: bytes) -> list[str]:
    """Arguments of a daemon that listens; empty for the process of a session, which shows its user."""
    words = command_line.decode("utf-8", "surrogateescape").rstrip("\0 ").split("\0")
    if titled := TITLE.match(words[0]):
        return titled[1].split(" ")
    return [] if words[0].startswith(f"{NAME}:") else words


def kept_arguments(words: Sequence[str]) -> tuple[str, ...]:
    """The `-f` and `-o` of a command line; a title has lost the quotes of `-o "PermitRootLogin yes"`."""
    kept: list[str] = []
    rest = list(words[1:])
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "--":
            continue
        for place, letter in enumerate(word[1:], 1):
            if letter not in WITH_VALUE:
                continue
            value = word[place + 1 :] or (rest.pop(0) if rest else "")
            while letter == "o" and "=" not in value and " " not in value and rest and not rest[0].startswith("-"):
                value = f"{value} {rest.pop(0)}"
            if letter in KEPT:
                kept += [f"-{letter}", value]
            break
    return tuple(kept)


def refusal(server: SshServer, program: str, files: HostFiles, proc: str = "/proc") -> str:
    """Why this server may not be asked; empty when nobody but root can have shaped what would be run.

    Args:
        program: the system's own sshd.
    """
    place = f"{proc}/{server.pid}"
    try:
        if os.stat(place).st_uid != 0:
            return "it runs as another user than root"
        if os.readlink(f"{place}/ns/mnt") != os.readlink(f"{proc}/self/ns/mnt"):
            return "it runs in a file system of its own"
        if not os.path.samestat(os.stat(f"{place}/exe"), os.stat(program)):
            return f"it is another program than {program}"
    except OSError as error:
        return f"its process cannot be read: {(error.strerror or str(error)).lower()}"
    if server.file is None:
        return ""
    if not server.file.startswith("/"):
        return f"{server.file} is not named from the root folder"
    try:
        return next(_shaped_by_others(files.resolve(server.file)), "")
    except ABSENT:
        return f"{server.file} is gone"
    except OSError as error:
        return f"{server.file} cannot be read: {(error.strerror or str(error)).lower()}"


def _shaped_by_others(path: str) -> Iterator[str]:
    """The file, then each folder above it: who else could write there."""
    for each in _with_parents(path):
        status = os.lstat(each)
        if status.st_uid != 0:
            yield f"{each} belongs to user {status.st_uid}"
        elif status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            yield f"others than root may write to {each}"


def _with_parents(path: str) -> Iterable[str]:
    while path:
        yield path
        path = path.rpartition("/")[0]
    yield "/"
