"""Writes startup items: the entry, the file that holds it, and whose file that is."""

from __future__ import annotations

import fcntl
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from davylamp.agent.accounts import accounts
from davylamp.agent.files import HostFiles, TooManyError, told_time
from davylamp.agent.packages import Packages
from davylamp.agent.startup.program import FOLDERS, program_of

# One collector's most; a host of thousands of users stays below.
ITEMS_COUNT = 20_000
ITEMS_PER_FILE_COUNT = 1000
# Lines of a script are written in pieces of this size: a record's text is cut at 8 KiB.
PIECE_BYTES, PIECES_COUNT = 4096, 64
READ_FLAGS, IMMUTABLE, APPEND_ONLY = 0x80086601, 0x10, 0x20
PRELOAD = re.compile(r"\bLD_(?:PRELOAD|AUDIT)=[\"']?([^\s\"';]+)")


@dataclass
class StartupItems:
    """Where collectors of startup items put what they found."""

    files: HostFiles
    packages: Packages
    items_count: int = 0
    _followed: set[str] = field(default_factory=set)
    _names: dict[int, str] | None = None

    def add(
        self,
        kind: str,
        path: str,
        *,
        name: str,
        command: str | None = None,
        schedule: str | None = None,
        user_name: str | None = None,
        line: int | None = None,
        enabled: bool | None = None,
        program: str | None = None,
        follow: bool = True,
    ) -> None:
        """Writes one item; a script it runs that is nobody's unchanged file is written too, piece by piece.

        Args:
            path: file that holds the entry.
            program: path of what runs, where it is known better than `command` tells.
            follow: False for what is no command (keys, libraries).

        Raises:
            TooManyError: the collector has written as many as it may.
        """
        self._count(path)
        target = self.place_of(program or (program_of(command) if command and follow else None))
        state = self.packages.owner(target)[1] if target else None
        self.files.look.record(
            "startup_item",
            kind=kind,
            name=name,
            command=command,
            schedule=schedule,
            user_name=user_name,
            file_path=path,
            file_line=line,
            enabled=enabled,
            program_path=target,
            program_package_state=state,
            **self.facts(path),
        )
        if command and kind != "preload":
            self._forced_libraries(path, name, command, line)
        if target and follow and target != path and state in ("unowned", "unknown", "modified"):
            self.add_script(kind, target, name=name, schedule=schedule, user_name=user_name, enabled=enabled, once=True)

    def add_script(
        self,
        kind: str,
        path: str,
        *,
        name: str,
        schedule: str | None = None,
        user_name: str | None = None,
        enabled: bool | None = None,
        once: bool = False,
        known_lines: frozenset[str] = frozenset(),
    ) -> None:
        """Writes a script's lines, comments and `known_lines` left empty, in pieces; a binary is left out.

        Args:
            once: skip it when it was written before, or is no script.
        """
        if once:
            if path in self._followed:
                return None
            self._followed.add(path)
            if not (self.files.read_head(path, 2) or b"").startswith(b"#!"):
                return None
        if not once and self.packages.owner(path)[1] == "unmodified":
            return self.add(
                kind, path, name=name, schedule=schedule, user_name=user_name, enabled=enabled, program=path
            )
        for line, text in self._pieces(path, known_lines):
            self._count(path)
            self.files.look.record(
                "startup_item",
                kind=kind,
                name=name,
                command=text,
                schedule=schedule,
                user_name=user_name,
                file_path=path,
                file_line=line,
                enabled=enabled,
                **self.facts(path),
            )
            self._forced_libraries(path, name, text, line)
        return None

    def place_of(self, program: str | None) -> str | None:
        """Where a program's file is, links followed; None when it is not there."""
        if not program:
            return None
        places = [program] if program.startswith("/") else [f"{folder}/{program}" for folder in FOLDERS]
        found = next((place for place in places if "\x00" not in place and self.files.is_file(place)), None)
        return self.files.resolve(found) if found else None

    def facts(self, path: str) -> dict[str, object]:
        """Columns about the file that holds an entry."""
        status = self.files.stat(path)
        if status is None:
            return {}
        package, state = self.packages.owner(path)
        return {
            "file_owner_name": self._user_name(status.st_uid),
            "file_mode": f"{status.st_mode & 0o7777:04o}",
            "modified_at": told_time(status.st_mtime),
            "changed_at": told_time(status.st_ctime),
            "file_package": package,
            "file_package_state": state,
            "file_immutable": self._immutable(path),
        }

    def _immutable(self, path: str) -> bool | None:
        """Whether the attributes that chattr sets lock the file; None where the file system has none."""
        try:
            descriptor = self.files.open(path)
        except OSError:
            return None
        try:
            flags = struct.unpack("I", fcntl.ioctl(descriptor, READ_FLAGS, bytes(8))[:4])[0]
        except OSError:
            return None
        finally:
            os.close(descriptor)
        return bool(flags & (IMMUTABLE | APPEND_ONLY))

    def _user_name(self, uid: int) -> str:
        if self._names is None:
            self._names = {}
            for account in accounts(self.files):
                self._names.setdefault(account.uid, account.name)
        return self._names.get(uid, str(uid))

    def _pieces(self, path: str, known_lines: frozenset[str]) -> Iterator[tuple[int, str]]:
        """Numbers of first lines, with the lines; every line keeps its place, so that a match can be told its own."""
        kept: list[str] = []
        first, size, pieces_count = 1, 0, 0
        for number, line in self.files.lines(path):
            text = "" if line.lstrip().startswith("#") or line in known_lines else line.rstrip()
            if kept and size + len(text) > PIECE_BYTES:
                if any(kept):
                    yield first, "\n".join(kept)
                    pieces_count += 1
                if pieces_count >= PIECES_COUNT:
                    self.files.failures.append((path, f"more than {PIECES_COUNT} pieces of {PIECE_BYTES} bytes"))
                    return
                kept, first, size = [], number, 0
            if text or kept:
                kept.append(text)
                size += len(text) + 1
            else:
                first = number + 1
        if any(kept):
            yield first, "\n".join(kept).rstrip("\n")

    def _forced_libraries(self, path: str, name: str, command: str, line: int | None) -> None:
        for found in PRELOAD.finditer(command):
            for library in re.split(r"[:\s]+", found.group(1))[:8]:
                if library and "$" not in library:
                    at = None if line is None else line + command.count("\n", 0, found.start())
                    self.add("preload", path, name=name, command=library, line=at, program=library, follow=False)

    def _count(self, path: str) -> None:
        self.items_count += 1
        if self.items_count > ITEMS_COUNT:
            raise TooManyError(f"more than {ITEMS_COUNT} entries; the rest, from {path} on, was not looked at")
