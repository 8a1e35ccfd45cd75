"""All that is known of one process: what it runs, for whom, where, and what it holds open."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from davylamp.agent import procfs
from davylamp.agent.capabilities import capability_names
from davylamp.agent.procfs import Stat, link_of, read_bytes, status_fields
from davylamp.agent.record import plain

# Ids that container engines give: 64 hex digits in the control group's name (docker, containerd, cri-o, podman),
# or the name of an LXC or systemd-nspawn machine.
_CONTAINER = re.compile(r"(?:^|[/:-])([0-9a-f]{64})(?:\.scope)?(?:/|$)")
_MACHINE = re.compile(r"/(?:lxc(?:\.payload)?|lxc\.monitor|machine)[./]([^/]+?)(?:\.scope)?(?:/|$)")
_INTERPRETER = re.compile(r"^(?:python[0-9.]*|perl[0-9.]*|ruby[0-9.]*|node|bash|dash|sh|zsh|ksh|php[0-9.]*|busybox)$")
_PRELOADS = ("LD_PRELOAD=", "LD_AUDIT=")
_SYSTEM_FOLDERS = ("/usr/", "/lib/", "/lib64/", "/bin/", "/sbin/", "/opt/", "/nix/", "/gnu/")
_ANONYMOUS = ("[anon", "[heap", "/anon_hugepage", "/dev/hugepages", "/memfd:", "/dev/zero")
NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
OPEN_FILES_COUNT = 64
DESCRIPTORS_COUNT = 4096
# Below this no dataset of a memory-hard algorithm fits: RandomX's light mode has 256 MiB (RandomX README).
LARGE_MAPPING_BYTES = 128 << 20


@dataclass
class Reader:
    """Reads processes.

    Args:
        users: user id -> name.
        boot: when the machine booted.
        first_namespaces: namespaces of the first process, from which others may differ.
        refused: what could not be read for want of permission -> how often.
        garbled_count: readings that no kernel writes: something lies over a process's folder.
    """

    users: dict[int, str]
    boot: float
    proc: str = "/proc"
    refused: dict[str, int] = field(default_factory=dict)
    garbled_count: int = 0
    first_namespaces: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.first_namespaces = {kind: link_of(f"{self.proc}/1/ns/{kind}") or "" for kind in NAMESPACES}

    def columns(self, known: Stat) -> dict[str, object] | None:
        """Columns of `process_activity` that one process gives of itself; None when it is gone."""
        place = f"{self.proc}/{known.pid}"
        try:
            status = status_fields(read_bytes(f"{place}/status"))
            user_uid = int(status["Uid"].split()[1])
            capabilities = int(status.get("CapEff", "0"), 16)
        except OSError:
            return None
        except (ValueError, LookupError):
            self.garbled_count += 1
            return None
        columns: dict[str, object] = {
            "process_pid": known.pid,
            "process_started_at": procfs.started_at(known, self.boot),
            "parent_process_pid": known.parent_pid,
            "process_name": known.name,
            "user_uid": user_uid,
            "user_name": self.users.get(user_uid, str(user_uid)),
            "kernel_thread": known.kernel_thread,
            "thread_count": known.thread_count,
            "cpu_user_s": known.user_ticks / procfs.TICKS_PER_S,
            "cpu_system_s": known.system_ticks / procfs.TICKS_PER_S,
            "memory_bytes": known.resident_pages * procfs.PAGE_BYTES,
        }
        if known.kernel_thread:
            return columns | {"image_state": "none"}
        command = self._bytes(f"{place}/cmdline")
        columns["command_line"] = plain(command.rstrip(b"\0").replace(b"\0", b" "))
        columns["capability_names"] = capability_names(capabilities) or None
        columns["terminal"] = _terminal(known.terminal)
        columns["login_user_name"] = self._login_user(place)
        columns |= self._image(place) | self._script(command, place) | self._place(place)
        columns |= self._environment(place) | self._files(place) | self._memory(place, status)
        return columns

    def _bytes(self, path: str) -> bytes:
        try:
            return read_bytes(path)
        except PermissionError:
            self._refuse(path.rsplit("/", 1)[-1])
        except OSError:
            pass
        return b""

    def _refuse(self, what: str) -> None:
        self.refused[what] = self.refused.get(what, 0) + 1

    def _image(self, place: str) -> dict[str, object]:
        try:
            target = plain(os.readlink(os.fsencode(f"{place}/exe")))
        except PermissionError:
            self._refuse("exe")
            return {"image_state": "unknown"}
        except OSError:
            return {"image_state": "unknown"}
        state = "file"
        if target.startswith("/memfd:"):
            state = "memory"
        elif target.endswith(" (deleted)"):
            state = "deleted"
        columns: dict[str, object] = {"image_path": target.removesuffix(" (deleted)"), "image_state": state}
        try:
            found = os.stat(f"{place}/exe")
            columns["image_uid"] = f"{found.st_dev:x}:{found.st_ino}"
        except OSError:
            pass
        return columns

    def _script(self, command: bytes, place: str) -> dict[str, object]:
        """The script of an interpreter: its first argument that is a file."""
        arguments = [plain(part) for part in command.split(b"\0")[:6]]
        if not arguments or not _INTERPRETER.match(arguments[0].rsplit("/", 1)[-1]):
            return {}
        for argument in arguments[1:]:
            if argument and not argument.startswith("-") and "/" in argument:
                path = argument if argument.startswith("/") else f"{link_of(f'{place}/cwd') or ''}/{argument}"
                return {"script_path": path}
        return {}

    def _place(self, place: str) -> dict[str, object]:
        groups = [line.split(":", 2) for line in plain(self._bytes(f"{place}/cgroup")).splitlines()]
        paths = [parts[2] for parts in groups if len(parts) == 3]
        path = max(paths, key=len, default="")
        found = next((match for each in paths if (match := _CONTAINER.search(each) or _MACHINE.search(each))), None)
        differing = []
        for kind in NAMESPACES:
            link = link_of(f"{place}/ns/{kind}")
            if link and self.first_namespaces[kind] and link != self.first_namespaces[kind]:
                differing.append(link.replace(":[", ":").rstrip("]"))
        return {
            "cgroup_path": path or None,
            "container_uid": found.group(1) if found else None,
            "namespace_uids": differing or None,
            "working_folder": link_of(f"{place}/cwd"),
        }

    def _login_user(self, place: str) -> str | None:
        text = self._bytes(f"{place}/loginuid").decode("ascii", "replace").strip()
        if not text.isdecimal() or int(text) >= 0xFFFFFFFF:
            return None
        return self.users.get(int(text), text)

    def _environment(self, place: str) -> dict[str, object]:
        names, preload = [], None
        for text in plain(self._bytes(f"{place}/environ")).split("\0"):
            name, found, value = text.partition("=")
            if found and name:
                names.append(name[:80])
                if text.startswith(_PRELOADS) and value:
                    preload = value
        return {"environment_names": sorted(set(names)) or None, "preload_value": preload}

    def _files(self, place: str) -> dict[str, object]:
        """Regular files held open; sockets are read elsewhere."""
        opened: set[str] = set()
        try:
            with os.scandir(f"{place}/fd") as descriptors:
                for count, entry in enumerate(descriptors):
                    target = link_of(entry.path)
                    if target and target.startswith("/") and not target.startswith(("/dev/pts", "/dev/null", "/proc/")):
                        opened.add(target)
                    if count >= DESCRIPTORS_COUNT or len(opened) >= OPEN_FILES_COUNT:
                        break
        except PermissionError:
            self._refuse("fd")
        except OSError:
            pass
        return {"open_files": sorted(opened) or None}

    def _memory(self, place: str, status: dict[str, str]) -> dict[str, object]:
        huge = _kib(status.get("HugetlbPages")) or 0
        largest, foreign = _mappings(self._bytes(f"{place}/maps"))
        if largest >= LARGE_MAPPING_BYTES:
            rollup = status_fields(self._bytes(f"{place}/smaps_rollup"))
            huge += sum(_kib(rollup.get(name)) or 0 for name in ("AnonHugePages", "ShmemPmdMapped"))
        return {
            "huge_pages_bytes": huge or None,
            "largest_mapping_bytes": largest or None,
            "mapped_files": sorted(foreign) or None,
        }


def _terminal(number: int) -> str | None:
    """The terminal's name from its device number (majors 136 to 143 are pseudo terminals)."""
    if not number:
        return None
    major, minor = os.major(number), os.minor(number)
    return f"pts/{minor + (major - 136) * 256}" if 136 <= major <= 143 else f"tty{minor}" if major == 4 else "console"


def _kib(text: str | None) -> int | None:
    number = (text or "").split(" ")[0]
    return int(number) * 1024 if number.isdecimal() else None


def _mappings(data: bytes) -> tuple[int, set[str]]:
    """The largest mapping of plain memory (huge pages too), and code mapped from outside the system's folders."""
    largest = 0
    foreign: set[str] = set()
    for line in data.split(b"\n"):
        place = line.find(b" ")
        rights = line[place + 1 : place + 5]
        # Memory that may not be written is reserved, not used (Go and Java reserve gigabytes).
        if b"w" not in rights and b"x" not in rights:
            continue
        fields = line.split(None, 5)
        name = plain(fields[5]) if len(fields) > 5 else ""
        if b"x" in rights and name.startswith("/") and not name.startswith(_SYSTEM_FOLDERS):
            foreign.add(name)
        if b"w" in rights and (not name or name.startswith(_ANONYMOUS)):
            begin, _, end = fields[0].partition(b"-")
            largest = max(largest, int(end, 16) - int(begin, 16))
    return largest, foreign


def users_of(path: str = "/etc/passwd") -> dict[int, str]:
    """User id -> name, from the passwd file alone: no directory service is asked."""
    users: dict[int, str] = {}
    try:
        data = read_bytes(path, 4 << 20)
    except OSError:
        return users
    for line in data.split(b"\n"):
        fields = line.split(b":")
        if len(fields) > 3 and fields[2].isdigit():
            users.setdefault(int(fields[2]), plain(fields[0]))
    return users
