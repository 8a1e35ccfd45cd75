"""The host's state: everything that collectors of startup items, services and settings find, each in its own guard."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from davylamp.agent import services
from davylamp.agent.files import HostFiles
from davylamp.agent.packages import Packages
from davylamp.agent.record import Look
from davylamp.agent.settings import (
    bpf_programs,
    instance,
    kernel_modules,
    resolvers,
    routes,
    sshd_options,
    sysctls,
    user_accounts,
)
from davylamp.agent.startup import (
    authorized_keys,
    cron,
    hooks,
    init_scripts,
    motd,
    pam,
    preload,
    profiles,
    set_user_id,
    systemd_units,
    udev,
)
from davylamp.agent.startup.item import StartupItems

# Each takes well under a second on a large server; a folder of a million files or a slow disk ends here.
COLLECTOR_S = 10.0
STARTUP = {
    "preloaded libraries": preload.collect,
    "cron": cron.collect,
    "authorized keys": authorized_keys.collect,
    "systemd units": systemd_units.collect,
    "init scripts": init_scripts.collect,
    "profiles": profiles.collect,
    "PAM": pam.collect,
    "udev rules": udev.collect,
    "message of the day": motd.collect,
    "hooks of other programs": hooks.collect,
    "SUID files": set_user_id.collect,
}


def collect_state(look: Look, packages: Packages, metadata: bool = False) -> None:
    """Writes startup items, services, settings and what names this machine.

    A collector that fails or takes too long is stated (`could_not_look`) and the others go on.

    Args:
        metadata: ask the cloud's metadata service what this machine is; otherwise nothing leaves the host.
    """
    settings: dict[str, Callable[[HostFiles], None]] = {
        "instance": lambda files: instance.collect(files, metadata),
        "users": user_accounts.collect,
        "resolvers": resolvers.collect,
        "routes": routes.collect,
        "kernel modules": lambda files: kernel_modules.collect(files, packages),
        "BPF programs": bpf_programs.collect,
        "kernel parameters": sysctls.collect,
        "sshd options": lambda files: sshd_options.collect(files, packages),
        "services": lambda files: services.collect(files, packages),
    }
    for name, collect in settings.items():
        _guarded(look, name, collect)
    collect_startup_items(look, packages)


def collect_startup_items(look: Look, packages: Packages) -> None:
    """Writes what starts by itself, below the look's root."""
    for name, collect_items in STARTUP.items():
        _guarded(look, name, partial(_into_items, collect_items, packages))


def _into_items(collect: Callable[[StartupItems], None], packages: Packages, files: HostFiles) -> None:
    collect(StartupItems(files, packages))


def _guarded(look: Look, name: str, collect: Callable[[HostFiles], None]) -> None:
    files = HostFiles(look, deadline=time.monotonic() + COLLECTOR_S)
    try:
        collect(files)
    except TimeoutError:
        look.could_not_look(name, f"stopped after {COLLECTOR_S:g} s; what it had found until then is kept")
    except OSError as error:
        look.could_not_look(name, error.strerror or str(error))
    files.deadline = float("inf")
    files.report_failures(name)
