"""The story of an incident: lines in time order, the way in, and what else was done."""

from __future__ import annotations

from collections.abc import Sequence

from davylamp.correlate.fusion import CLOCKS_DIFFER, TELLING_LLR
from davylamp.model.finding import Finding
from davylamp.model.incident import Statement, StoryLine

FOLLOW_ON_STAGES = ("persistence", "impairment", "follow_on", "impact")
_ORDER = {"reconnaissance": 0, "access": 1}
# A story names the loudest guessers; the rest are counted, or a night of strangers hides the one line that matters.
TOLD_PROBES_COUNT = 3


def story_lines(findings: Sequence[Finding]) -> tuple[StoryLine, ...]:
    """One line per fact, by its first instant; what comes first in an intrusion comes first in a tie."""
    told = [each for each in findings if not any(_tells_more(other, each) for other in findings)]
    probes = sorted(
        (each for each in told if each.stage == "reconnaissance"),
        key=lambda each: (-each.llr, -each.evidence_count, each.first_seen, each.uid),
    )
    rest = {each.uid for each in probes[TOLD_PROBES_COUNT:]}
    ordered = sorted(told, key=lambda each: (each.first_seen, _ORDER.get(each.stage, 2), each.uid))
    lines = [StoryLine(each.first_seen, each.stage, each.because, each.uid) for each in ordered if each.uid not in rest]
    if rest:
        first = next(each for each in ordered if each.uid in rest)
        sources = "1 more source was" if len(rest) == 1 else f"{len(rest)} more sources were"
        lines.append(StoryLine(first.first_seen, first.stage, f"{sources} guessing in the same hours", first.uid))
    return tuple(sorted(lines, key=lambda line: line.at))


def _tells_more(other: Finding, finding: Finding) -> bool:
    """Whether another finding of the group rests on the same records and says more: one fact is told once."""
    if other.group != finding.group or other.assets != finding.assets or other.llr <= finding.llr:
        return False
    cited = {(each.path, each.line, each.frame, each.byte_offset) for each in other.evidence}
    return bool(finding.evidence) and all(
        (each.path, each.line, each.frame, each.byte_offset) in cited for each in finding.evidence
    )


def entry_point(findings: Sequence[Finding]) -> Statement | None:
    """How it got in: the last way in before the mining began, walked back to that source's first success."""
    harm = [each for each in findings if each.stage in ("mining", "impact")]
    # A name that merely looks like a pool's, days before, is no beginning: it would hide the login that is the way in.
    telling = [each for each in harm if each.fact or each.llr >= TELLING_LLR] or harm
    began_at = min((each.first_seen for each in telling), default=max(each.last_seen for each in findings))
    ways_in = [each for each in findings if each.stage == "access" and each.first_seen <= began_at + CLOCKS_DIFFER]
    if facts := [each for each in ways_in if each.fact]:
        ways_in = facts
    if ways_in:
        last = max(ways_in, key=lambda each: (each.first_seen, each.uid))
        first = _walked_back(last, findings)
        return Statement(first.because, first.uid)
    return _first_act(findings)


def _walked_back(last: Finding, findings: Sequence[Finding]) -> Finding:
    """The first success of a way in's source; where that source is a machine of the incident, the way into that one."""
    ways_in = sorted(
        (each for each in findings if each.stage == "access"), key=lambda each: (each.first_seen, each.uid)
    )
    first = last
    while True:
        same_source = [each for each in ways_in if _sources(each) & _sources(first)]
        first = min([first, *same_source], key=lambda each: (each.first_seen, each.uid))
        came_from = {host for each in (first, *same_source) for host in _came_from(each)}
        earlier = [each for each in ways_in if _hosts(each) & came_from and each.first_seen < first.first_seen]
        if not earlier:
            return first
        facts = [each for each in earlier if each.fact]
        first = (facts or earlier)[-1]


def _hosts(finding: Finding) -> set[str]:
    return {f"host:{asset.name}" for asset in finding.assets if asset.kind == "host"}


def _came_from(finding: Finding) -> set[str]:
    """Machines of our own that a log-in came from."""
    return {entity for entity in finding.entities if entity.startswith("host:")} - _hosts(finding)


def _first_act(findings: Sequence[Finding]) -> Statement | None:
    """On the control plane the way in is the credential: its first act that the evidence holds."""
    acts = [each for each in findings if each.group == "audit" and _keys(each)]
    if not acts:
        return None
    first = min(acts, key=lambda each: (each.first_seen, each.uid))
    who = ", ".join(sorted(_keys(first)))
    return Statement(f"credential in use: {who}; first act seen: {first.because}", first.uid)


def follow_on(findings: Sequence[Finding]) -> tuple[Statement, ...]:
    """What else was done, in time order."""
    chosen = [each for each in findings if each.stage in FOLLOW_ON_STAGES]
    ordered = sorted(chosen, key=lambda each: (each.first_seen, each.uid))
    return tuple(Statement(each.because, each.uid) for each in ordered)


def _sources(finding: Finding) -> set[str]:
    return {entity for entity in finding.entities if entity.startswith("ip:")}


def _keys(finding: Finding) -> set[str]:
    return {
        entity.replace("access_key:", "access key ").replace("principal:", "")
        for entity in finding.entities
        if entity.startswith(("access_key:", "principal:"))
    }
