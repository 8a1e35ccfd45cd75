"""Severity and confidence: two separate judgements about one finding."""

from __future__ import annotations

from enum import Enum, IntEnum


class Severity(IntEnum):
    """How bad it is if true; the numbers are OCSF's `severity_id`."""

    INFORMATIONAL = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5

    @property
    def word(self) -> str:
        """The lower-case word used in documents."""
        return self.name.lower()


class Confidence(Enum):
    """How sure the detection is that it saw what it says it saw."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
