"""Metadata of units is data: what documents, reports and the registry read."""

from __future__ import annotations

from dataclasses import dataclass

from davylamp.model.finding import Technique
from davylamp.model.severity import Severity

MATURITIES = ("experimental", "stable", "deprecated")


@dataclass(frozen=True, slots=True)
class SourceMeta:
    """What a source reads and which event classes it gives.

    Args:
        shares_files: True for lines of one program in a log that several programs write (syslog):
            every such source that recognises the file reads it, not only the surest.
    """

    uid: str
    title: str
    formats: tuple[str, ...]
    event_classes: tuple[str, ...]
    maturity: str = "stable"
    references: tuple[str, ...] = ()
    shares_files: bool = False
    kind: str = "source"


@dataclass(frozen=True, slots=True)
class DetectionMeta:
    """What a detection sees.

    Args:
        group: evidence group for fusion, one of `model.finding.GROUPS`.
        stage: the story's stage, one of `model.finding.STAGES`.
        reads: event classes its query reads; without rows of the first it could not look.
        severity: severity of a plain finding; judge() may raise or lower it.
        follows_findings: asked after the others, of what they found (the relation `suspect_machine`).
    """

    uid: str
    title: str
    group: str
    stage: str
    severity: Severity
    techniques: tuple[Technique, ...]
    reads: tuple[str, ...]
    maturity: str = "stable"
    references: tuple[str, ...] = ()
    follows_findings: bool = False
    kind: str = "detection"
