"""Asks the detections: first those of the evidence, then those that rest on what the first ones found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from davylamp.correlate.suspects import suspect_machines
from davylamp.detect.run import Detected, run_detections
from davylamp.kit import registry
from davylamp.kit.detection import Detection, Facts
from davylamp.kit.engine import Engine
from davylamp.model.asset import Asset
from davylamp.model.suspect import Suspect

RELATION = "suspect_machine"


def detect(
    units: Sequence[Detection],
    engine: Engine,
    facts: Facts,
    assets: Mapping[str, Asset],
    progress: Callable[[str], None],
) -> Detected:
    """Findings of all detections; those that follow others are asked again as long as they find another machine.

    A chain of log-ins is walked link by link: each makes the next machine suspect. Every round finds a machine.
    """
    first = [unit for unit in units if not unit.meta.follows_findings]
    following = [unit for unit in units if unit.meta.follows_findings]
    detected = run_detections(first, registry.query_of, engine, facts, progress)
    if not following:
        return detected
    known = set(suspect_machines(detected.findings, assets))
    while True:
        tell_suspects(engine, sorted(known))
        whole = _together(detected, run_detections(following, registry.query_of, engine, facts, progress))
        # What was suspect stays so, else what a finding explains away could make it come and go for ever.
        suspects = set(suspect_machines(whole.findings, assets))
        if suspects <= known:
            return whole
        known |= suspects


def tell_suspects(engine: Engine, suspects: Sequence[Suspect]) -> None:
    """Makes the relation that such detections read."""
    import pyarrow as pa

    columns = {
        "asset": [each.asset for each in suspects],
        "seen_at": [each.seen_at.replace(tzinfo=None) for each in suspects],
        "until_at": [each.until_at.replace(tzinfo=None) for each in suspects],
        "role": [each.role for each in suspects],
    }
    moment = pa.timestamp("us")
    schema = pa.schema([("asset", pa.string()), ("seen_at", moment), ("until_at", moment), ("role", pa.string())])
    engine.unregister(RELATION)
    engine.register(RELATION, pa.table(columns, schema=schema))


def _together(first: Detected, second: Detected) -> Detected:
    findings = sorted((*first.findings, *second.findings), key=lambda finding: (finding.first_seen, finding.uid))
    return Detected(
        tuple(findings),
        (*first.looks, *second.looks),
        tuple(dict.fromkeys((*first.failures, *second.failures))),
        first.short_of_memory or second.short_of_memory,
    )
