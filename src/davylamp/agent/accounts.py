"""Accounts of the host, as /etc/passwd lists them."""

from __future__ import annotations

from dataclasses import dataclass

from davylamp.agent.files import HostFiles

ACCOUNTS_COUNT = 5000


@dataclass(frozen=True)
class Account:
    """One line of /etc/passwd."""

    name: str
    uid: int
    home: str
    shell: str
    line: int


def accounts(files: HostFiles) -> list[Account]:
    """The accounts in the order of the file; what is no account is skipped."""
    found: list[Account] = []
    for number, line in files.lines("/etc/passwd"):
        parts = line.split(":")
        if len(parts) >= 7 and parts[0] and parts[2].isascii() and parts[2].isdigit() and len(parts[2]) <= 10:
            found.append(Account(parts[0], int(parts[2]), parts[5], parts[6], number))
        if len(found) >= ACCOUNTS_COUNT:
            files.failures.append(("/etc/passwd", f"more than {ACCOUNTS_COUNT} accounts"))
            break
    return found


def homes(files: HostFiles) -> list[tuple[str, Account]]:
    """Home folders that are somebody's own, each once, with its account.

    Many system accounts share `/` or `/nonexistent` as a home: the root folder is nobody's own.
    """
    first: dict[str, Account] = {}
    for account in accounts(files):
        home = account.home.rstrip("/")
        if home.startswith("/"):
            first.setdefault(home, account)
    return list(first.items())
