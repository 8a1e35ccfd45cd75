"""Scan: evidence in, findings and priced incidents out, one JSON document for every report."""

from __future__ import annotations

import resource
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import davylamp
from davylamp.app.engine_of_case import prepare_engine
from davylamp.app.evidence_ends import EvidenceEnds
from davylamp.app.exit_codes import exit_code
from davylamp.app.follow_up import detect
from davylamp.app.ingest_evidence import coverage_of, ingest_evidence
from davylamp.app.join_assets import declared_assets, keep_declaration, with_recorders
from davylamp.app.machine_ends import machine_ends
from davylamp.app.named_processes import with_named_processes
from davylamp.app.places import keep_as_last, new_case_folder
from davylamp.app.progress import Progress, Silent
from davylamp.app.sensor_coverage import sensor_coverage
from davylamp.correlate.incidents import correlate
from davylamp.cost.assess import assess
from davylamp.cost.price_book import PriceBook
from davylamp.detect.run import Detected
from davylamp.errors import UsageError
from davylamp.kit import registry
from davylamp.kit.detection import Detection, Facts, no_evidence
from davylamp.model.asset import Asset, DeclaredAsset
from davylamp.model.coverage import COULD_NOT_LOOK, Look
from davylamp.model.incident import Incident
from davylamp.model.money import Cost
from davylamp.model.usage import ComputeUsage
from davylamp.report.document import Run, document, dump_document
from davylamp.store.case import Case
from davylamp.store.engine import DuckEngine
from davylamp.store.prompt_stop import prompt_stop

DEFAULT_MEMORY_BYTES = 1_000_000_000
DOCUMENT_NAME = "scan.json"


@dataclass(frozen=True)
class ScanRequest:
    """What a scan is asked to do.

    Args:
        units: narrows the detections (used by the case runner, and by the watch); others are not even loaded.
        needs: detection -> the event class without which it cannot look, where that is known beforehand: without rows
            of it the unit is not loaded, which is half a millisecond to three of each judging.
        sources: narrows the sources likewise.
        recorded_by: evidence file -> host that recorded it of its own traffic (the sensor's captures).
        sparing: leave memory and cores to others, as on a host that is watched.
    """

    paths: Sequence[str]
    case_folder: Path | None = None
    assets_file: Path | None = None
    prices_file: Path | None = None
    since: datetime | None = None
    until: datetime | None = None
    memory_bytes: int = DEFAULT_MEMORY_BYTES
    by_severity: bool = False
    units: frozenset[str] | None = None
    needs: Mapping[str, str] = field(default_factory=dict)
    sources: frozenset[str] | None = None
    recorded_by: Mapping[str, str] = field(default_factory=dict)
    sparing: bool = False


@dataclass(frozen=True)
class ScanResult:
    """What a scan came to.

    Args:
        exit_code: what the command ends with.
        failures: defects met.
        short_of_memory: with more memory more could have been read or looked at.
    """

    document: dict[str, Any]
    exit_code: int
    failures: tuple[str, ...]
    case_folder: Path
    short_of_memory: bool = False


def scan(request: ScanRequest, progress: Progress | None = None) -> ScanResult:
    """Runs a scan.

    Raises:
        UsageError: the assets or price file is wrong.
        CaseError: the case cannot be used or written.
    """
    if not request.paths:
        raise UsageError("no evidence was named", hint="davylamp scan PATH")
    watch = progress or Silent()
    declared = with_recorders(declared_assets(request.assets_file, request.paths), request.recorded_by)
    book = PriceBook.load(request.prices_file)
    folder = request.case_folder or new_case_folder()
    started_at, began_s = datetime.now(UTC), time.monotonic()
    case = Case(folder, create=True)
    keep_declaration(case, declared)
    engine = DuckEngine(request.memory_bytes, case.scratch, request.sparing)
    with closing(case), closing(engine), prompt_stop(engine):
        ingested = ingest_evidence(
            request.paths, case, engine, registry.sources(request.sources), request.memory_bytes, watch
        )
        judged = _judge(request, case, engine, declared, book, watch)
        coverage = (*coverage_of(case), *sensor_coverage(engine))
        run = Run(
            version=davylamp.__version__,
            started_at=started_at,
            elapsed_s=round(time.monotonic() - began_s, 3),
            rows_count=sum(sum(row.event_classes.values()) for row in coverage),
            bytes_count=ingested.bytes_count,
            peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        )
        detected, incidents, assets = judged
        made = document(run, coverage, detected.looks, detected.findings, incidents, assets.values())
        case.write_document(DOCUMENT_NAME, dump_document(made))
    short_of_memory = ingested.short_of_memory or detected.short_of_memory
    code = exit_code(made, detected.failures, request.by_severity, short_of_memory)
    kept = folder if request.case_folder else keep_as_last(folder)
    return ScanResult(dict(made), code, detected.failures, kept, short_of_memory)


def _judge(
    request: ScanRequest,
    case: Case,
    engine: DuckEngine,
    declared: tuple[Sequence[DeclaredAsset], Path | None],
    book: PriceBook,
    watch: Progress,
) -> tuple[Detected, tuple[Incident, ...], Mapping[str, Asset]]:
    window = (request.since, request.until)
    prepared = prepare_engine(engine, case, declared, book, *window, keep_small=request.sparing)
    assets = prepared.assets
    blind = _blind(request, prepared.facts)
    detected = detect(_chosen(request, blind.keys()), engine, prepared.facts, assets, watch.judging)
    detected = replace(detected, looks=(*detected.looks, *blind.values()))
    ends = machine_ends(engine)
    seen_until = EvidenceEnds(engine, prepared.facts, prepared.ends_at)

    def price(usages: Sequence[ComputeUsage]) -> Cost:
        return assess(usages, assets, book, prepared.ends_at, ends, seen_until)

    detected = replace(detected, findings=with_named_processes(detected.findings, engine))
    return detected, correlate(detected.findings, assets, price), assets


def _blind(request: ScanRequest, facts: Facts) -> dict[str, Look]:
    """Looks of the detections of which it is known that they cannot look at this evidence."""
    missing = {uid: name for uid, name in request.needs.items() if name and not facts.has_rows(name)}
    return {uid: Look(uid, COULD_NOT_LOOK, no_evidence(name)) for uid, name in missing.items()}


def _chosen(request: ScanRequest, blind: Collection[str]) -> Sequence[Detection]:
    wanted = None if request.units is None else request.units.difference(blind)
    return tuple(unit for unit in registry.detections(wanted) if wanted is None or unit.meta.uid in wanted)
