"""Writes and removes the systemd unit of the watch: capabilities in place of root, a sandbox, limits."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path

from davylamp.app.alert_targets import FILE, JOURNAL
from davylamp.app.watch import WatchRequest
from davylamp.errors import CaseError, UsageError

NAME = "davylamp-watch.service"
PLACE = Path("/etc/systemd/system") / NAME
STATE_FOLDER = Path("/var/lib/davylamp")
_STOP, _RELOAD = ["systemctl", "disable", "--now", NAME], ["systemctl", "daemon-reload"]
# What each is for. Without one of them the watch goes on and its coverage says what it does not see.
CAPABILITIES = (
    ("CAP_NET_ADMIN", "starts and ends of processes without gaps (proc connector)"),
    ("CAP_NET_RAW", "questions for names, and packets of suspects' connections"),
    ("CAP_SYS_PTRACE", "images, environments and connections of other users' processes"),
    ("CAP_DAC_READ_SEARCH", "logs, crontabs and keys of other users, read only"),
    ("CAP_SYS_ADMIN", "who changed a file (fanotify), connections inside containers (setns), and loaded BPF programs"),
)
_UNIT = """\
# Written by `davylamp watch install`.
[Unit]
Description=Davylamp: watches this host for crypto mining
After=network.target

[Service]
Type=exec
ExecStart={command}
Restart=always
RestartSec=10
TimeoutStopSec=30
DynamicUser=yes
StateDirectory=davylamp
StateDirectoryMode=0700
SyslogIdentifier=davylamp

# In place of root. Take one away, and `davylamp coverage` says what is no longer seen:
{reasons}
AmbientCapabilities={capabilities}
CapabilityBoundingSet={capabilities}
NoNewPrivileges=yes

# The lasting process takes 20 MiB; judging 135 MiB for some seconds, every few minutes.
MemoryHigh=256M
MemoryMax=512M
CPUQuota={quota}%
TasksMax=64
IOWeight=20

ProtectSystem=strict
ProtectHome=read-only
{writable}PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
# Entering containers' network namespaces is all it does with namespaces.
RestrictNamespaces=net
RestrictAddressFamilies={families}
{network}SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=bpf fanotify_init fanotify_mark name_to_handle_at setns
SystemCallFilter=~@clock @cpu-emulation @debug @module @obsolete @raw-io @reboot @swap
SystemCallErrorNumber=EPERM
UMask=0077

[Install]
WantedBy=multi-user.target
"""


def unit_text(request: WatchRequest) -> str:
    """The unit that runs this watch."""
    urls = [target for target in request.alerts if target != JOURNAL and not target.startswith(FILE)]
    files = [str(Path(target[len(FILE) :]).parent) for target in request.alerts if target.startswith(FILE)]
    folders = [*files, *([] if _below_state(request) else [request.case_folder])]
    return _UNIT.format(
        command=shlex.join(_command(request)).replace("%", "%%"),
        reasons="\n".join(f"#   {name}: {reason}" for name, reason in CAPABILITIES),
        capabilities=" ".join(name for name, _ in CAPABILITIES),
        # The cap is the watch's own; this one is the kernel's, and lets a judging end within seconds.
        quota=max(25, round(request.cpu_cap_ratio * 1000)),
        writable="".join(f"ReadWritePaths={folder}\n" for folder in dict.fromkeys(folders)),
        # Nothing that it does needs the network, unless alerts are sent over it.
        families="AF_UNIX AF_NETLINK AF_PACKET" + (" AF_INET AF_INET6" if urls else ""),
        network="" if urls else "IPAddressDeny=any\n",
    )


def install(request: WatchRequest, *, dry_run: bool) -> str:
    """Writes the unit and starts it; gives what was done, or would be.

    Raises:
        UsageError: this host has no systemd, or its own user could not read this program.
        CaseError: the unit cannot be written or started; nothing of it stays.
    """
    text = unit_text(request)
    steps = [_RELOAD, ["systemctl", "enable", "--now", NAME]]
    if dry_run:
        return f"{text}\n# would be written to {PLACE}, then:\n" + "".join(
            f"#   {shlex.join(step)}\n" for step in steps
        )
    _needs_systemd()
    _needs_readable_program()
    _write(text)
    try:
        for step in steps:
            _run(step)
    except CaseError:
        # What does not start would be tried again every ten seconds for ever.
        _remove()
        raise
    return (
        f"wrote {PLACE} and started it\nnow: journalctl -u {NAME} -f; davylamp coverage --case {request.case_folder}\n"
    )


def uninstall(request: WatchRequest, *, dry_run: bool) -> str:
    """Stops the watch and removes its unit; the case stays.

    Raises:
        UsageError: this host has no systemd.
        CaseError: the unit cannot be stopped or removed.
    """
    if dry_run:
        return "".join(f"{shlex.join(step)}\n" for step in (_STOP, ["rm", str(PLACE)], _RELOAD))
    _needs_systemd()
    if not PLACE.is_file():
        raise CaseError(
            "the watch is not installed", where=str(PLACE), why="there is no such unit", hint="davylamp watch install"
        )
    _run(_STOP)
    try:
        PLACE.unlink()
    except OSError as error:
        raise _refused(error) from error
    _run(_RELOAD)
    return f"stopped and removed {PLACE}; what it has seen stays in {request.case_folder}\n"


def _command(request: WatchRequest) -> list[str]:
    command = [sys.executable, "-m", "davylamp", "watch", "--case", request.case_folder]
    command += ["--cpu-cap", f"{request.cpu_cap_ratio * 100:g}", "--spool", str(request.spool_bytes)]
    for option, value in (("--prices", request.prices_file), ("--assets", request.assets_file)):
        command += [option, value] if value else []
    for target in request.alerts:
        command += ["--alert", target]
    return command


def _below_state(request: WatchRequest) -> bool:
    return Path(request.case_folder).is_relative_to(STATE_FOLDER)


def _needs_systemd() -> None:
    if shutil.which("systemctl") is None:
        raise UsageError(
            "this host has no systemd", why="systemctl is not installed", hint="davylamp watch install --dry-run"
        )


def _needs_readable_program() -> None:
    """The service has a user of its own, who cannot start what lies in somebody's closed home (`/root`)."""
    for program in (sys.executable, os.path.realpath(sys.executable), os.path.realpath(__file__)):
        for folder in Path(program).parents:
            if not folder.stat().st_mode & stat.S_IXOTH:
                raise UsageError(
                    "the service could not start this installation",
                    where=str(folder),
                    why=f"{program} lies in it, and it is closed to other users",
                    hint="python3 -m venv /opt/davylamp && /opt/davylamp/bin/pip install . "
                    "&& /opt/davylamp/bin/davylamp watch install",
                )


def _remove() -> None:
    """Takes back what was done, as far as that goes: why it was is what the user is told."""
    subprocess.run(_STOP, capture_output=True, check=False)
    with contextlib.suppress(OSError):
        PLACE.unlink()
    subprocess.run(_RELOAD, capture_output=True, check=False)


def _write(text: str) -> None:
    try:
        PLACE.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _refused(error) from error


def _refused(error: OSError) -> CaseError:
    why = (error.strerror or str(error)).lower()
    return CaseError("the unit cannot be written", where=str(PLACE), why=why, hint="sudo davylamp watch install")


def _run(step: list[str]) -> None:
    done = subprocess.run(step, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CaseError(
            "systemd refused",
            where=shlex.join(step),
            why=(done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1],
            hint=f"journalctl -u {NAME} -n 20",
        )
