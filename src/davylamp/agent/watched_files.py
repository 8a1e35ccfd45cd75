"""The folders in which a change means that something starts by itself, somebody gets in, or names lead elsewhere."""

from __future__ import annotations

from davylamp.agent import procfs
from davylamp.agent.record import plain

# Users whose folders are watched; a host has a few, a shell server hundreds.
HOMES_COUNT = 256
ALL: frozenset[str] = frozenset()

_ETC = frozenset(
    {
        "crontab", "anacrontab", "ld.so.preload", "ld.so.conf", "resolv.conf", "hosts", "nsswitch.conf", "passwd",
        "shadow", "group", "sudoers", "rc.local", "inittab", "profile", "bash.bashrc", "bashrc", "zshrc", "environment",
        "sysctl.conf", "modules", "pam.conf",
    }
)  # fmt: skip
_HOME = frozenset(
    {
        ".profile", ".bash_profile", ".bash_login", ".bashrc", ".bash_logout", ".zshenv", ".zprofile", ".zshrc",
        ".zlogin", ".ssh", ".config", ".pam_environment",
    }
)  # fmt: skip
_KEYS = frozenset({"authorized_keys", "authorized_keys2", "rc", "environment"})
# In these folders every entry counts.
_WHOLE = (
    "/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly",
    "/var/spool/cron", "/var/spool/cron/crontabs", "/var/spool/cron/tabs", "/var/spool/cron/atjobs", "/etc/crontabs",
    "/var/spool/at", "/etc/systemd/system", "/etc/systemd/system/multi-user.target.wants",
    "/etc/systemd/system/default.target.wants", "/etc/systemd/system/timers.target.wants",
    "/etc/systemd/system/sysinit.target.wants", "/etc/systemd/user", "/run/systemd/system", "/usr/lib/systemd/system",
    "/usr/local/lib/systemd/system", "/etc/init.d", "/etc/rc.d", "/etc/rc.d/init.d", "/etc/local.d", "/etc/profile.d",
    "/etc/pam.d", "/etc/udev/rules.d", "/etc/update-motd.d", "/etc/modprobe.d", "/etc/modules-load.d",
    "/etc/sudoers.d", "/etc/ld.so.conf.d", "/etc/apt/apt.conf.d", "/etc/ssh", "/etc/ssh/sshd_config.d",
    "/etc/sysctl.d", "/etc/systemd/resolved.conf.d",
)  # fmt: skip


def watched_folders(root: str = "/") -> dict[str, frozenset[str]]:
    """Folder -> the names in it that count, or ALL of them."""
    base = root.rstrip("/")
    folders = {f"{base}/etc": _ETC} | {f"{base}{folder}": ALL for folder in _WHOLE}
    for home in _homes(f"{base}/etc/passwd"):
        place = f"{base}{home}"
        folders |= {
            place: _HOME,
            f"{place}/.ssh": _KEYS,
            f"{place}/.config/systemd/user": ALL,
            f"{place}/.config/autostart": ALL,
        }
    return folders


def _homes(passwd: str) -> list[str]:
    """Home folders of users, root's among them; system users share `/`, `/nonexistent` and the like."""
    try:
        lines = procfs.read_bytes(passwd, 4 << 20).split(b"\n")
    except OSError:
        return ["/root"]
    homes: dict[str, None] = {"/root": None}
    for line in lines:
        fields = line.split(b":")
        if len(fields) >= 7 and fields[5].startswith((b"/home/", b"/root", b"/srv/", b"/var/lib/", b"/opt/")):
            homes.setdefault(plain(fields[5]).rstrip("/"), None)
    return list(homes)[:HOMES_COUNT]
