"""Runs every detection: could it look, what did it see, and never one failure for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from davylamp.errors import MemoryLimitError
from davylamp.kit.detection import Detection, Facts
from davylamp.kit.engine import Engine
from davylamp.kit.query import ask
from davylamp.model.coverage import COULD_NOT_LOOK, NO, YES, Look
from davylamp.model.finding import EVIDENCE_SHOWN_COUNT, Finding


@dataclass(frozen=True)
class Detected:
    """What a run came to.

    Args:
        failures: defects of ours, shown and counted, never swallowed.
        short_of_memory: with more memory more detections could have looked.
    """

    findings: tuple[Finding, ...]
    looks: tuple[Look, ...]
    failures: tuple[str, ...]
    short_of_memory: bool = False


def run_detections(
    detections: Sequence[Detection],
    query_of: Callable[[Detection], str],
    engine: Engine,
    facts: Facts,
    progress: Callable[[str], None] = lambda uid: None,
) -> Detected:
    """Findings of all detections, ordered and without repeats, and each one's look."""
    findings: dict[str, Finding] = {}
    looks: list[Look] = []
    failures: list[str] = []
    short_of_memory = False
    for detection in detections:
        uid = detection.meta.uid
        progress(uid)
        if reason := detection.could_look(facts):
            looks.append(Look(uid, COULD_NOT_LOOK, reason))
            continue
        try:
            found = judge_one(detection, query_of(detection), engine, facts)
        except MemoryError:
            raise
        except MemoryLimitError as error:
            short_of_memory = True
            looks.append(Look(uid, COULD_NOT_LOOK, f"{error.what}; now: {error.hint}"))
            continue
        except Exception as error:  # noqa: BLE001 - a unit's defect must not cost the other units' findings
            message = f"{uid}: {type(error).__name__}: {error}".splitlines()[0]
            failures.append(message)
            looks.append(Look(uid, COULD_NOT_LOOK, f"internal error: {message}"))
            continue
        for finding in found:
            known = findings.get(finding.uid)
            findings[finding.uid] = finding if known is None else _merged(known, finding)
        looks.append(Look(uid, YES if found else NO))
    ordered = sorted(findings.values(), key=lambda finding: (finding.first_seen, finding.uid))
    return Detected(tuple(ordered), tuple(looks), tuple(failures), short_of_memory)


def judge_one(detection: Detection, query: str, engine: Engine, facts: Facts) -> list[Finding]:
    """One detection's findings: its query's rows, judged."""
    return list(detection.judge(ask(engine, query, detection.params), facts))


def _merged(first: Finding, second: Finding) -> Finding:
    evidence = tuple(dict.fromkeys((*_hashable(first), *_hashable(second))))
    by_key = {
        key: item for finding in (first, second) for key, item in zip(_hashable(finding), finding.evidence, strict=True)
    }
    return replace(
        first if first.llr >= second.llr else second,
        first_seen=min(first.first_seen, second.first_seen),
        last_seen=max(first.last_seen, second.last_seen),
        observables=tuple(sorted({*first.observables, *second.observables})),
        evidence=tuple(by_key[key] for key in evidence[:EVIDENCE_SHOWN_COUNT]),
        evidence_count=first.evidence_count + second.evidence_count,
    )


def _hashable(finding: Finding) -> list[tuple[object, ...]]:
    return [(item.path, item.line, item.frame, item.byte_offset) for item in finding.evidence]
