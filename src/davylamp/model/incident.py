"""An incident: what happened, how it got in, what it costs, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from davylamp.model.finding import AssetRef
from davylamp.model.money import Cost
from davylamp.model.severity import Severity


@dataclass(frozen=True, slots=True)
class StoryLine:
    """One line of the story; `finding` is the uid of the finding it rests on."""

    at: datetime
    stage: str
    text: str
    finding: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence and the finding it rests on."""

    text: str
    finding: str


@dataclass(frozen=True, slots=True)
class Incident:
    """One intrusion, told once.

    Args:
        probability: posterior probability that it is what its title says, 0..1.
        findings: uids of the findings it is made of.
        entry_point: how it got in; None when the evidence does not say.
    """

    uid: str
    title: str
    probability: float
    severity: Severity
    assets: tuple[AssetRef, ...]
    findings: tuple[str, ...]
    first_seen: datetime
    last_seen: datetime
    story: tuple[StoryLine, ...]
    entry_point: Statement | None
    follow_on: tuple[Statement, ...]
    cost: Cost
    next_steps: tuple[str, ...]
