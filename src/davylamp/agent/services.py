"""Services: which run and which start by themselves, by the service manager's own word."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from davylamp.agent import programs
from davylamp.agent.files import HostFiles
from davylamp.agent.packages import Packages
from davylamp.agent.record import plain
from davylamp.agent.startup.init_scripts import FOLDERS, NO_SCRIPTS, OPENRC, RUNLEVELS, START

SHOWN = ("Id", "ActiveState", "SubState", "UnitFileState", "ExecStart", "User", "MainPID", "FragmentPath")
ASK_S, OUTPUT_BYTES, SERVICES_COUNT = 10.0, 8 << 20, 5000
ARGUMENTS = re.compile(r"argv\[\]=(.*?) ; ")
STATES = {
    "active": "running",
    "inactive": "stopped",
    "failed": "failed",
    "activating": "running",
    "reloading": "running",
}
# Other words of systemctl (static, indirect, generated, alias) say neither.
ENABLED = {"enabled": True, "enabled-runtime": True, "disabled": False, "masked": False, "masked-runtime": False}


def collect(files: HostFiles, packages: Packages) -> None:
    """One `service_state` a service.

    Raises:
        OSError: the manager of this host did not answer, or is none that we know.
    """
    if files.look.root.rstrip("/"):
        raise OSError("services run on a live host; this is another root")
    if files.stat("/run/systemd/system") is not None:
        _systemd(files, packages)
    elif any(files.stat(folder) is not None for folder in FOLDERS):
        _init_scripts(files, packages)
    else:
        raise OSError("neither systemd nor init scripts manage services here")


def _systemd(files: HostFiles, packages: Packages) -> None:
    tool = programs.find("systemctl")
    if tool is None:
        raise OSError("systemd manages services here, and systemctl is not installed")
    asked = [tool, "show", "--no-pager", "--all", f"--property={','.join(SHOWN)}", "*.service"]
    for columns in services_shown(plain(programs.output_of(asked, ASK_S, OUTPUT_BYTES))):
        path = columns["file_path"]
        files.look.record(
            "service_state", **columns, file_package=packages.owner(path)[0] if isinstance(path, str) else None
        )


def services_shown(said: str) -> Iterator[dict[str, object]]:
    """Columns of each service in what `systemctl show` says: blocks of `Name=value`, an empty line between them."""
    for block in said.split("\n\n")[:SERVICES_COUNT]:
        facts = dict(line.partition("=")[::2] for line in block.split("\n") if "=" in line)
        if not facts.get("Id"):
            continue
        pid, command = facts.get("MainPID", "0"), ARGUMENTS.search(facts.get("ExecStart", ""))
        yield {
            "name": facts["Id"],
            "state": STATES.get(facts.get("ActiveState", ""), "unknown"),
            "enabled": ENABLED.get(facts.get("UnitFileState", "")),
            "command": command.group(1) if command else None,
            "user_name": facts.get("User") or None,
            "process_pid": int(pid) if pid.isascii() and pid.isdigit() and 0 < int(pid) < 1 << 31 else None,
            "file_path": facts.get("FragmentPath") or None,
        }


def _init_scripts(files: HostFiles, packages: Packages) -> None:
    """Scripts say whether a service starts; whether it runs shows its pid file, as far as it has one."""
    started = {found.group(1) for folder in RUNLEVELS for name in files.names(folder) if (found := START.match(name))}
    started |= {name for folder in OPENRC for name in files.names(folder)}
    for folder in FOLDERS[:2]:
        for name in files.names(folder):
            path = f"{folder}/{name}"
            if name in NO_SCRIPTS or not files.is_file(path):
                continue
            pid = _running_pid(files, name)
            files.look.record(
                "service_state",
                name=name,
                state="running" if pid else "unknown",
                enabled=name in started,
                process_pid=pid,
                file_path=path,
                file_package=packages.owner(path)[0],
            )


def _running_pid(files: HostFiles, name: str) -> int | None:
    for path in (f"/run/{name}.pid", f"/run/{name}d.pid", f"/run/{name}/{name}.pid", f"/run/{name}/{name}d.pid"):
        text = files.text(path)
        if text.isascii() and text.isdigit() and len(text) < 10 and os.path.exists(f"/proc/{text}"):
            return int(text)
    return None
