"""Users: ids, shells, whether a password is set or locked; never the hash."""

from __future__ import annotations

from davylamp.agent.accounts import accounts
from davylamp.agent.files import HostFiles
from davylamp.agent.settings.writing import write_setting

NO_LOGIN = ("nologin", "false", "sync", "halt", "shutdown")
ADMINISTRATORS = frozenset({"sudo", "wheel", "admin", "docker", "lxd", "root"})


def collect(files: HostFiles) -> None:
    """One setting an account: `uid=0 shell=/bin/bash login=yes password=set home=/root groups=sudo`."""
    passwords = _passwords(files)
    groups = _groups(files)
    for account in accounts(files):
        login = "no" if account.shell.rpartition("/")[2] in NO_LOGIN else "yes"
        facts = [f"uid={account.uid}", f"shell={account.shell or '/bin/sh'}", f"login={login}"]
        facts.append(f"password={passwords.get(account.name, 'unknown' if not passwords else 'none')}")
        facts.append(f"home={account.home}")
        if account.name in groups:
            facts.append(f"groups={','.join(sorted(groups[account.name]))}")
        write_setting(files, "user_account", account.name, " ".join(facts), "/etc/passwd", account.line)


def _passwords(files: HostFiles) -> dict[str, str]:
    """State of each account's password; empty when /etc/shadow is closed to us."""
    found: dict[str, str] = {}
    for _, line in files.lines("/etc/shadow"):
        name, _, rest = line.partition(":")
        hashed = rest.partition(":")[0]
        if not hashed:
            found[name] = "empty"
        elif hashed in ("*", "!", "!!", "x", "*NP*", "*LK*", "!*"):
            found[name] = "locked"
        else:
            found[name] = "locked" if hashed.startswith("!") else "set"
    return found


def _groups(files: HostFiles) -> dict[str, set[str]]:
    """Groups that give an account more than its own rights."""
    found: dict[str, set[str]] = {}
    for _, line in files.lines("/etc/group"):
        parts = line.split(":")
        if len(parts) == 4 and parts[0] in ADMINISTRATORS:
            for name in parts[3].split(",")[:1000]:
                if name.strip():
                    found.setdefault(name.strip(), set()).add(parts[0])
    return found
