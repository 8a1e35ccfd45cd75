"""systemd's unit files: where they lie, which take effect, and what a file says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from davylamp.agent.accounts import homes
from davylamp.agent.files import HostFiles

SYSTEM = (
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
)
USER = ("/etc/systemd/user", "/run/systemd/user", "/usr/local/lib/systemd/user", "/usr/lib/systemd/user")
HOME = (".config/systemd/user", ".config/systemd/user.control", ".local/share/systemd/user")
KINDS = {"service": "systemd_service", "timer": "systemd_timer", "path": "systemd_path", "socket": "systemd_socket"}
LINKS = re.compile(r"\.(?:wants|requires|upholds)$")
SETTINGS_COUNT = 500


@dataclass(frozen=True)
class UnitFolder:
    """A folder of unit files, and whose manager reads it."""

    path: str
    user_name: str | None = None


@dataclass(frozen=True)
class Setting:
    """One assignment of a unit file."""

    section: str
    key: str
    value: str
    line: int


def unit_folders(files: HostFiles) -> list[UnitFolder]:
    """Folders that exist, each once under its real path."""
    wanted = [UnitFolder(path) for path in SYSTEM] + [UnitFolder(path, "*") for path in USER]
    for uid in files.names("/run/user"):
        wanted += [UnitFolder(f"/run/user/{uid}/systemd/{name}", uid) for name in ("transient", "user", "generator")]
    for home, account in homes(files):
        wanted += [UnitFolder(f"{home}/{name}", account.name) for name in HOME]
    found: dict[str, UnitFolder] = {}
    for folder in wanted:
        if files.stat(folder.path) is not None:
            found.setdefault(files.resolve(folder.path), folder)
    return list(found.values())


def enabled_names(files: HostFiles, folders: list[UnitFolder]) -> frozenset[str]:
    """Names of units that some other unit wants, requires or upholds by a link."""
    found: set[str] = set()
    for folder in folders:
        for name in files.names(folder.path):
            if LINKS.search(name):
                found.update(files.names(f"{folder.path}/{name}"))
    return frozenset(found)


def takes_effect(name: str, enabled: frozenset[str]) -> bool:
    """Whether a unit, or an instance of a template, is enabled by a link."""
    if name in enabled:
        return True
    stem, at, suffix = name.partition("@.")
    return bool(at) and any(each.startswith(stem + "@") and each.endswith("." + suffix) for each in enabled)


def settings(files: HostFiles, path: str) -> Iterator[Setting]:
    """Assignments in the order of the file; lines that end in a backslash are joined."""
    section, pending, started, count = "", "", 0, 0
    for number, line in files.lines(path):
        if not pending and line.lstrip().startswith(("#", ";")):
            continue
        if pending and line.lstrip().startswith(("#", ";")):
            continue  # a comment within a continued line is left out, as systemd does
        text = pending + line.strip() if pending else line.strip()
        started = started if pending else number
        if text.endswith("\\") and len(text) < 65536:
            pending = text[:-1] + " "
            continue
        pending = ""
        if text.startswith("[") and text.endswith("]"):
            section = text[1:-1]
        elif "=" in text:
            key, _, value = text.partition("=")
            yield Setting(section, key.strip(), value.strip(), started)
            count += 1
            if count >= SETTINGS_COUNT:
                files.failures.append((path, f"more than {SETTINGS_COUNT} settings, the rest was not read"))
                return
