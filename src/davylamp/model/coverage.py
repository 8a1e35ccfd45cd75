"""Coverage: what was read, what could not be, and what that means for each detection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

READ, PARTIAL, UNRECOGNIZED, UNREADABLE = "read", "partial", "unrecognized", "unreadable"
YES, NO, COULD_NOT_LOOK = "yes", "no", "could_not_look"
REJECTS_SHOWN_COUNT = 20


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that could not be read: where it stands and why."""

    offset: int | None
    line: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class FileCoverage:
    """What became of one evidence file.

    Args:
        state: read, partial, unrecognized or unreadable.
        event_classes: event class -> rows kept.
        rejects: the first `REJECTS_SHOWN_COUNT`; `rejected_count` counts them all.
    """

    path: str
    source: str | None
    state: str
    reason: str = ""
    event_classes: Mapping[str, int] = field(default_factory=dict)
    rejected_count: int = 0
    rejects: tuple[Reject, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """What one detection's look came to: yes, no, or could not look, and why."""

    unit: str
    outcome: str
    reason: str = ""
