"""What starts at boot without systemd: rc.local, init scripts, inittab, OpenRC, upstart."""

from __future__ import annotations

import re

from davylamp.agent.startup.item import StartupItems

FOLDERS = ("/etc/init.d", "/etc/rc.d/init.d", "/etc/local.d", "/etc/rc.d")
LOCAL = ("/etc/rc.local", "/etc/rc.d/rc.local", "/etc/init.d/boot.local", "/etc/rc.d/rc.sysinit")
RUNLEVELS = tuple(f"/etc/rc{level}.d" for level in "2345S") + tuple(f"/etc/rc.d/rc{level}.d" for level in "2345")
OPENRC = tuple(f"/etc/runlevels/{level}" for level in ("boot", "default", "sysinit", "nonetwork"))
START = re.compile(r"^S[0-9]{2}(.+)$")
INITTAB = re.compile(r"^([^:#\s]*):([^:]*):([^:]*):(.+)$")
# Parts of the init system itself that stand beside its scripts.
NO_SCRIPTS = frozenset({"README", "skeleton", "functions", ".depend.boot", ".depend.start", ".depend.stop"})


def collect(items: StartupItems) -> None:
    """Scripts that run at boot, and whether a runlevel starts them."""
    started = {
        found.group(1) for folder in RUNLEVELS for name in items.files.names(folder) if (found := START.match(name))
    }
    started |= {name for folder in OPENRC for name in items.files.names(folder)}
    for path in LOCAL:
        status = items.files.stat(path)
        if status is not None:
            items.add_script(
                "init", path, name=path.rpartition("/")[2], user_name="root", enabled=bool(status.st_mode & 0o111)
            )
    for folder in FOLDERS:
        for name in items.files.names(folder):
            path = f"{folder}/{name}"
            if name not in NO_SCRIPTS and path not in LOCAL and items.files.is_file(path):
                on = name in started or folder == "/etc/local.d"
                items.add_script("init", path, name=name, user_name="root", enabled=on)
    for number, line in items.files.lines("/etc/inittab"):
        found = INITTAB.match(line)
        if found:
            name, schedule, action, command = found.groups()
            items.add(
                "init",
                "/etc/inittab",
                name=name or "inittab",
                command=command,
                schedule=f"{schedule} {action}",
                user_name="root",
                line=number,
            )
    for path in items.files.paths("/etc/init"):
        if path.endswith(".conf"):
            items.add_script("init", path, name=path.rpartition("/")[2], user_name="root")
