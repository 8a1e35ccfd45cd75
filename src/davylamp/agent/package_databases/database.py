"""What every package database answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

# The largest database file read: the list of installed packages of a desktop is about 10 MiB.
DATABASE_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Digest:
    """Content a package expects of one of its files.

    Args:
        algorithm: name for hashlib.
        hexadecimal: the digest.
        configuration: True for a file that administrators are meant to change.
    """

    algorithm: str
    hexadecimal: str
    configuration: bool = False


class Database(Protocol):
    """One package manager's records on this host."""

    def owned(self) -> Iterator[tuple[str, bytes]]:
        """Every package with every path it brought; paths are absolute."""
        ...

    def expected(self, package: str, path: str) -> Digest | None:
        """The digest a package states for a path; None when it states none."""
        ...

    def owner_names(self, path: str) -> tuple[str, frozenset[str] | None, frozenset[str]]:
        """Under which name to look a path up, and whose it can and cannot be.

        Returns:
            The path as the database names it, the only packages that may own it (None: any), and those that may not.
        """
        ...


class PlainNames:
    """Of databases that know no diversions: a path is looked up under its own name."""

    def owner_names(self, path: str) -> tuple[str, frozenset[str] | None, frozenset[str]]:
        """The path itself; anybody may own it."""
        return path, None, frozenset()
