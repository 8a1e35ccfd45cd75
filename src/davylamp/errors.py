"""The error tree: data only.

Every error a user may meet says what went wrong, where, why, and what to do now, in that order.
The doors render these four fields; no traceback reaches a user.
"""

from __future__ import annotations


class DavylampError(Exception):
    """Base of every expected error.

    Args:
        what: the thing that failed, as a short sentence.
        where: the file, option or unit it concerns; empty when there is none.
        why: the cause, as far as it is known.
        hint: what to do now; where it names a command, the command exists.
    """

    def __init__(self, what: str, *, where: str = "", why: str = "", hint: str = "") -> None:
        self.what = what
        self.where = where
        self.why = why
        self.hint = hint
        super().__init__(what)

    def __str__(self) -> str:
        parts = [self.what]
        if self.where:
            parts.append(f"where: {self.where}")
        if self.why:
            parts.append(f"why: {self.why}")
        if self.hint:
            parts.append(f"now: {self.hint}")
        return "\n".join(parts)


class UsageError(DavylampError):
    """The command line or a configuration file says something that cannot be meant. Exit code 2."""


class NothingReadableError(DavylampError):
    """No evidence at all could be read. Exit code 3."""


class CaseError(DavylampError):
    """The case folder cannot be used: not a case, another version, not writable, disk full."""


class MemoryLimitError(CaseError):
    """The engine needs more memory than it was given; with more the same may work."""


class UnitError(DavylampError):
    """A unit breaks the house rules (metadata, query or judge)."""


class SourceError(DavylampError):
    """A source cannot read a file that it recognised; becomes a coverage row, never a crash."""
