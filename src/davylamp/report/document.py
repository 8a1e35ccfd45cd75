"""The scan document `davylamp.scan/1`: the contract every other report is rendered from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime

from davylamp.model.asset import Asset
from davylamp.model.coverage import REJECTS_SHOWN_COUNT, FileCoverage, Look, Reject
from davylamp.model.finding import AssetRef, Evidence, Finding, Observable, Series, Technique
from davylamp.model.incident import Incident, Statement, StoryLine
from davylamp.model.money import Cost
from davylamp.report.json_safe import safe_number, safe_text, safe_value
from davylamp.units import format_instant

SCHEMA = "davylamp.scan/1"
Document = dict[str, object]


@dataclass(frozen=True, slots=True)
class Run:
    """The run's own figures: all that may differ between two scans of the same input."""

    version: str
    started_at: datetime
    elapsed_s: float
    rows_count: int
    bytes_count: int
    peak_memory_bytes: int


def document(
    run: Run,
    coverage: Iterable[FileCoverage],
    looks: Iterable[Look],
    findings: Iterable[Finding],
    incidents: Iterable[Incident],
    assets: Iterable[Asset],
) -> Document:
    """The scan document: keys in the contract's order, lists in an order that depends on the input only."""
    return {
        "schema": SCHEMA,
        "run": {field.name: safe_value(getattr(run, field.name)) for field in fields(run)},
        "coverage": [_coverage(row) for row in sorted(coverage, key=lambda row: row.path)],
        "findings": [finding_record(item) for item in sorted(findings, key=lambda item: (item.first_seen, item.uid))],
        "incidents": [
            _incident(item) for item in sorted(incidents, key=lambda item: (-item.severity, item.first_seen, item.uid))
        ],
        "looks": [_texts(asdict(look)) for look in sorted(looks, key=lambda look: look.unit)],
        "assets": [_texts(asdict(asset)) for asset in sorted(assets, key=lambda asset: (asset.kind, asset.name))],
    }


def dump_document(scan: Mapping[str, object]) -> Iterator[str]:
    """The document as pieces of JSON text in ASCII, so that no byte of evidence can act on a terminal.

    A finding, an incident or a coverage row is one line. Laid out further, thousands of findings take many times
    as long to write, and the whole text at once several times its size in memory.
    """
    encode = json.JSONEncoder(ensure_ascii=True, allow_nan=False).encode
    opening = "{"
    for key, value in scan.items():
        yield f"{opening}\n  {encode(key)}: "
        opening = ","
        if isinstance(value, list) and value:
            yield "["
            for place, item in enumerate(value):
                yield f"{',' if place else ''}\n    {encode(item)}"
            yield "\n  ]"
        else:
            yield encode(value)
    yield "\n}\n"


def _texts(record: Mapping[str, object]) -> dict[str, object]:
    return {key: safe_value(value) for key, value in record.items()}


def _coverage(row: FileCoverage) -> dict[str, object]:
    return {
        "path": safe_text(row.path),
        "source": row.source,
        "event_classes": dict(sorted(row.event_classes.items())),
        "rejected_count": row.rejected_count,
        "rejects": [_reject(reject) for reject in row.rejects[:REJECTS_SHOWN_COUNT]],
        "state": row.state,
        "reason": safe_text(row.reason),
    }


def _reject(reject: Reject) -> dict[str, object]:
    return {"offset": reject.offset, "line": reject.line, "reason": safe_text(reject.reason)}


def finding_record(item: Finding) -> dict[str, object]:
    """One finding as the document has it."""
    return {
        "uid": item.uid,
        "unit": item.unit,
        "title": safe_text(item.title),
        "group": item.group,
        "severity": item.severity.word,
        "confidence": item.confidence.value,
        "llr": safe_number(item.llr),
        "techniques": [_technique(technique) for technique in item.techniques],
        "assets": [_asset_ref(asset) for asset in item.assets],
        "observables": [_observable(observable) for observable in sorted(item.observables)],
        "first_seen": format_instant(item.first_seen),
        "last_seen": format_instant(item.last_seen),
        "because": safe_text(item.because),
        "evidence": [_evidence(cited) for cited in item.evidence],
        "evidence_count": item.evidence_count,
        "stage": item.stage,
        "fact": item.fact,
        "series": [_series(series) for series in item.series],
    }


def _technique(technique: Technique) -> dict[str, object]:
    return {"id": technique.id, "name": technique.name, "attack_version": technique.attack_version}


def _asset_ref(asset: AssetRef) -> dict[str, object]:
    return {"kind": asset.kind, "name": safe_text(asset.name)}


def _observable(observable: Observable) -> dict[str, object]:
    return {"type": observable.type, "value": safe_text(observable.value)}


def _evidence(cited: Evidence) -> dict[str, object]:
    record: dict[str, object] = {"path": safe_text(cited.path)}
    # Exactly one place: the first that is known, the one a reader finds quickest.
    for key, value in (("line", cited.line), ("frame", cited.frame), ("offset", cited.byte_offset)):
        if value is not None:
            record[key] = value
            break
    record["columns"] = _texts(cited.columns)
    return record


def _series(series: Series) -> dict[str, object]:
    return {
        "kind": series.kind,
        "x": [safe_number(value) for value in series.x],
        "y": [safe_number(value) for value in series.y],
        "levels": {name: safe_number(level) for name, level in series.levels.items()},
    }


def _incident(item: Incident) -> dict[str, object]:
    return {
        "uid": item.uid,
        "title": safe_text(item.title),
        "probability": safe_number(item.probability),
        "severity": item.severity.word,
        "assets": [_asset_ref(asset) for asset in item.assets],
        "findings": list(item.findings),
        "first_seen": format_instant(item.first_seen),
        "last_seen": format_instant(item.last_seen),
        "story": [_story_line(line) for line in item.story],
        "entry_point": None if item.entry_point is None else _statement(item.entry_point),
        "follow_on": [_statement(statement) for statement in item.follow_on],
        "cost": _cost(item.cost),
        "next_steps": [safe_text(step) for step in item.next_steps],
    }


def _story_line(line: StoryLine) -> dict[str, object]:
    return {
        "at": format_instant(line.at),
        "stage": line.stage,
        "text": safe_text(line.text),
        "finding": line.finding,
    }


def _statement(statement: Statement) -> dict[str, object]:
    return {"text": safe_text(statement.text), "finding": statement.finding}


def _cost(cost: Cost) -> dict[str, object]:
    return {
        "billed_extra_usd": safe_number(cost.billed_extra_usd),
        "capacity_lost_usd": safe_number(cost.capacity_lost_usd),
        "run_rate_usd_per_hour": safe_number(cost.run_rate_usd_per_hour),
        "exposure_24h_usd": safe_number(cost.exposure_24h_usd),
        "low_usd": safe_number(cost.low_usd),
        "high_usd": safe_number(cost.high_usd),
        "basis": [safe_text(sentence) for sentence in cost.basis],
    }
