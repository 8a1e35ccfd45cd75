"""systemd: services, timers, paths and sockets that take effect or that no package left so; drop-ins; generators."""

from __future__ import annotations

from davylamp.agent.startup.item import StartupItems
from davylamp.agent.startup.unit_files import (
    KINDS,
    Setting,
    UnitFolder,
    enabled_names,
    settings,
    takes_effect,
    unit_folders,
)

RUNS = (
    "ExecStart", "ExecStartPre", "ExecStartPost", "ExecCondition", "ExecReload", "ExecStop",
    "ExecStopPost",
)  # fmt: skip
GENERATORS = (
    "/etc/systemd/system-generators", "/run/systemd/system-generators", "/usr/local/lib/systemd/system-generators",
    "/usr/lib/systemd/system-generators", "/lib/systemd/system-generators", "/etc/systemd/user-generators",
    "/usr/lib/systemd/user-generators", "/etc/systemd/system-environment-generators",
    "/usr/lib/systemd/system-environment-generators", "/etc/systemd/system-shutdown",
    "/usr/lib/systemd/system-shutdown", "/etc/systemd/system-sleep", "/usr/lib/systemd/system-sleep",
)  # fmt: skip
PREFIXES = "@-:+!|"
WHEN = {
    "timer": ("OnCalendar", "OnBootSec", "OnStartupSec", "OnActiveSec", "OnUnitActiveSec", "OnUnitInactiveSec"),
    "path": ("PathExists", "PathExistsGlob", "PathChanged", "PathModified", "DirectoryNotEmpty"),
    "socket": ("ListenStream", "ListenDatagram", "ListenFIFO", "ListenNetlink"),
}


def collect(items: StartupItems) -> None:
    """Every unit that starts something by itself, and every one that differs from what a package brought."""
    folders = unit_folders(items.files)
    enabled = enabled_names(items.files, folders)
    commands: dict[str, str] = {}
    later: list[tuple[UnitFolder, str, str]] = []
    for folder in folders:
        for name in items.files.names(folder.path):
            path, suffix = f"{folder.path}/{name}", name.rpartition(".")[2]
            if suffix == "d" and name.rpartition(".d")[0].rpartition(".")[2] in KINDS:
                for drop_in in items.files.paths(path):
                    if drop_in.endswith(".conf"):
                        _service(items, folder, name[:-2], drop_in, enabled, commands)
            elif suffix == "service" and items.files.is_file(path):
                _service(items, folder, name, path, enabled, commands)
            elif suffix in WHEN and items.files.is_file(path):
                later.append((folder, name, path))
    for folder, name, path in later:
        _trigger(items, folder, name, path, enabled, commands)
    for place in GENERATORS:
        for path in items.files.paths(place):
            if items.packages.owner(path)[1] != "unmodified":
                items.add("systemd_service", path, name=path.rpartition("/")[2], command=path, user_name="root")


def _service(
    items: StartupItems,
    folder: UnitFolder,
    name: str,
    path: str,
    enabled: frozenset[str],
    commands: dict[str, str],
) -> None:
    found = [each for each in settings(items.files, path) if each.section == "Service"]
    runs = [each for each in found if each.key in RUNS and each.value]
    commands.setdefault(name, "; ".join(_command(each) for each in runs if each.key == "ExecStart"))
    on = takes_effect(name, enabled) or folder.path.startswith("/run/")
    if not on and items.packages.owner(path)[1] == "unmodified":
        return  # a package's unit that nothing enables starts only when something that is listed starts it
    user = next((each.value for each in found if each.key == "User"), folder.user_name or "root")
    for each in runs:
        items.add(
            "systemd_service", path, name=name, command=_command(each), user_name=user, line=each.line, enabled=on
        )
    for each in found:
        if each.key == "Environment" and ("LD_PRELOAD=" in each.value or "LD_AUDIT=" in each.value):
            items.add(
                "systemd_service", path, name=name, command=f"Environment={each.value}", user_name=user, line=each.line,
                enabled=on, follow=False,
            )  # fmt: skip


def _trigger(
    items: StartupItems,
    folder: UnitFolder,
    name: str,
    path: str,
    enabled: frozenset[str],
    commands: dict[str, str],
) -> None:
    stem, _, suffix = name.rpartition(".")
    on = takes_effect(name, enabled) or folder.path.startswith("/run/")
    if not on and items.packages.owner(path)[1] == "unmodified":
        return
    found = list(settings(items.files, path))
    unit = next((each.value for each in found if each.key in ("Unit", "Service")), f"{stem}.service")
    schedule = "; ".join(f"{each.key}={each.value}" for each in found if each.key in WHEN[suffix] and each.value)
    command = commands.get(unit) or _of_template(unit, commands) or unit
    line = next((each.line for each in found if each.key in WHEN[suffix]), None)
    items.add(
        KINDS[suffix], path, name=name, command=command, schedule=schedule or None,
        user_name=folder.user_name or "root", line=line, enabled=on,
    )  # fmt: skip


def _of_template(unit: str, commands: dict[str, str]) -> str | None:
    stem, at, rest = unit.partition("@")
    return commands.get(f"{stem}@.{rest.rpartition('.')[2]}") if at else None


def _command(setting: Setting) -> str:
    return setting.value.lstrip(PREFIXES)
