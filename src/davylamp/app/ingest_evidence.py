"""Reads the named evidence into a case: each content once, grown files anew, everything accounted for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from davylamp.app.progress import Progress
from davylamp.app.reading_lanes import ReadingLanes
from davylamp.ingest.read_file import FileResult, digest_of, relabelled
from davylamp.ingest.walk import STANDARD_INPUT, Found, evidence_paths
from davylamp.kit.source import Source
from davylamp.model.coverage import FileCoverage
from davylamp.store.case import Case, FileRecord, StoredPart
from davylamp.store.engine import DuckEngine


@dataclass
class Ingested:
    """What came of one run.

    Args:
        bytes_count: raw bytes read in it, a content that was met twice counted once.
        short_of_memory: with more memory more might have been read.
    """

    bytes_count: int = 0
    short_of_memory: bool = False


def ingest_evidence(
    paths: Sequence[str],
    case: Case,
    engine: DuckEngine,
    sources: Sequence[Source],
    memory_bytes: int,
    progress: Progress,
) -> Ingested:
    """Reads every evidence file below `paths` into the case."""
    found = list(evidence_paths(paths, leave_out=case.root))
    ingested = Ingested()
    with ReadingLanes(engine, case.scratch, sources, memory_bytes, len(found)) as lanes:
        for read in lanes.read(_unknown(found, case, progress)):
            first, *others = read.results
            # Of two files with the same content that were read side by side the second is known by now.
            if _counted(read.found, first.sha256, first.size_bytes, case):
                continue
            ingested.bytes_count += first.size_bytes
            ingested.short_of_memory |= read.short_of_memory
            for result in (first, *others):
                _enter(case, result)
    return ingested


def _unknown(found: Sequence[Found], case: Case, progress: Progress) -> Iterator[Found]:
    for done_count, each in enumerate(found):
        progress.reading(each.shown, done_count, len(found))
        if not _known(each, case):
            yield each


def _known(found: Found, case: Case) -> bool:
    """Whether the case holds this content already; forgets the shorter version of a file that grew."""
    if found.refusal or found.path == STANDARD_INPUT:
        return False
    try:
        size_bytes = Path(found.path).stat().st_size
        if case.of_size(size_bytes) and _counted(found, digest_of(found.path), size_bytes, case):
            return True
        for record in case.of_path(found.shown):
            grown = 0 < record.size_bytes < size_bytes and record.sha256 == digest_of(found.path, record.size_bytes)
            if grown or not record.parts:
                case.drop(record)
    except OSError:
        return False  # reading it will say why
    return False


def _counted(found: Found, sha256: str, size_bytes: int, case: Case) -> bool:
    """Whether this content has been read before; a further path of it is told, and counts nothing."""
    for record in case.of_size(size_bytes) if size_bytes else ():
        if record.sha256 == sha256:
            if record.coverage.path != found.shown:
                reason = f"same content as {record.coverage.path}; counted once"
                case.add(FileRecord(sha256, size_bytes, relabelled(record.coverage, found.shown, reason)))
            return True
    return False


def _enter(case: Case, result: FileResult) -> None:
    if result.normalized is None:
        case.add(FileRecord(result.sha256, result.size_bytes, result.coverage))
        return
    parts = {}
    for part in result.normalized.parts:
        file_uid = f"{result.sha256[:16]}-{result.coverage.source}"
        file = case.place(part.written, part.event_class, part.first_day, file_uid)
        parts[part.event_class] = StoredPart(file, part.columns)
    case.add(FileRecord(result.sha256, result.size_bytes, result.coverage, parts, result.normalized.notes))


def coverage_of(case: Case) -> tuple[FileCoverage, ...]:
    """Coverage rows of everything the case knows of, by path."""
    return tuple(record.coverage for record in case.records())
