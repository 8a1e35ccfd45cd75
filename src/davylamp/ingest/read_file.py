"""Reads one evidence file: recognise, normalise, and say what became of it."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
import stat
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from davylamp.errors import CaseError, DavylampError, MemoryLimitError, SourceError, UnitError
from davylamp.ingest.decompress import Decompressed
from davylamp.ingest.normalize import as_binary, normalize_rows, normalize_sql
from davylamp.ingest.parts import Normalized
from davylamp.ingest.read_ahead import ReadAhead
from davylamp.ingest.walk import STANDARD_INPUT, Found, shown_path
from davylamp.kit.engine import Engine
from davylamp.kit.sample import SAMPLE_BYTES, Sample
from davylamp.kit.source import EvidenceFile, RowSource, Source, SqlPlan, SqlSource
from davylamp.model.coverage import PARTIAL, READ, UNREADABLE, UNRECOGNIZED, FileCoverage

RECOGNIZED = 0.5
_PARQUET_MAGIC = b"PAR1"
_SPOOL_NAME = "spooled.parquet"


@dataclass
class FileResult:
    """One file's outcome: coverage, and the parts still in scratch.

    Args:
        sha256: of its raw bytes; empty where they were not all read, so that the file is read again next time.
        short_of_memory: with more memory it may be read.
    """

    coverage: FileCoverage
    sha256: str = ""
    size_bytes: int = 0
    normalized: Normalized | None = None
    short_of_memory: bool = False


def digest_of(path: str, first_bytes: int | None = None) -> str:
    """Hex SHA-256 of a file, or of its first bytes."""
    digest = hashlib.sha256()
    left = first_bytes
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20 if left is None else min(1 << 20, left)):
            digest.update(block)
            if left is not None:
                left -= len(block)
    return digest.hexdigest()


def read_file(found: Found, sources: Sequence[Source], engine: Engine, scratch: Path, memory_bytes: int) -> FileResult:
    """Reads one path; whatever is wrong with the file ends in its coverage row."""
    if found.refusal:
        return FileResult(FileCoverage(found.shown, None, UNREADABLE, found.refusal))
    try:
        with ExitStack() as stack:
            if found.path == STANDARD_INPUT:
                raw: BinaryIO = sys.stdin.buffer
                modified_at = datetime.now(UTC)
            else:
                raw = stack.enter_context(_opened(found.path))
                status = os.fstat(raw.fileno())
                if not stat.S_ISREG(status.st_mode):
                    return FileResult(FileCoverage(found.shown, None, UNREADABLE, "is no file any more"))
                modified_at = datetime.fromtimestamp(status.st_mtime, UTC)
            return _read(found.path, raw, modified_at, sources, engine, scratch, memory_bytes)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise CaseError("the case cannot be written", where=str(scratch), why=reason, hint="df -h") from error
        return FileResult(FileCoverage(found.shown, None, UNREADABLE, reason))
    finally:
        (scratch / _SPOOL_NAME).unlink(missing_ok=True)


def _opened(path: str) -> BinaryIO:
    """The file, opened without waiting: what was one when the folder was walked may be a pipe nobody writes to."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb", buffering=0)


def _read(
    path: str,
    raw: BinaryIO,
    modified_at: datetime,
    sources: Sequence[Source],
    engine: Engine,
    scratch: Path,
    memory_bytes: int,
) -> FileResult:
    data = Decompressed(raw)
    stream = as_binary(data)
    head = _head(stream)
    if not head:
        reason = data.partial_reason or "the file is empty"
        state = UNREADABLE if data.partial_reason else READ
        return FileResult(FileCoverage(shown_path(path), None, state, reason), data.finish_digest(), data.raw_bytes)
    if head.startswith(_PARQUET_MAGIC) and (path == STANDARD_INPUT or data.compression):
        # Parquet is read from its end, so a stream of it must lie on the disk first.
        stream = stream_with(head, stream)
        sample = Sample(_spooled(stream, scratch), head, whole=len(head) < SAMPLE_BYTES)
    else:
        sample = Sample(path, head, whole=len(head) < SAMPLE_BYTES)
    path = shown_path(path)
    try:
        source = recognize(sample, sources)
    except Exception as error:  # noqa: BLE001 - a defect of one source costs one file, and says so
        reason = f"recognition failed: {type(error).__name__}: {error}".splitlines()[0]
        return FileResult(FileCoverage(path, None, UNREADABLE, reason), data.finish_digest(), data.raw_bytes)
    if source is None:
        coverage = FileCoverage(path, None, UNRECOGNIZED, "no source recognises its content")
        return FileResult(coverage, data.finish_digest(), data.raw_bytes)
    try:
        with _ahead(sample, stream) as further:
            normalized = _normalize(
                source, sample, path, stream_with(head, further), modified_at, engine, scratch, memory_bytes
            )
    except MemoryLimitError as error:
        reason = f"while {source.meta.uid} read it {error.what}; now: {error.hint}"
        return FileResult(FileCoverage(path, source.meta.uid, UNREADABLE, reason), short_of_memory=True)
    except (CaseError, OSError):
        raise
    except SourceError as error:
        reason = ": ".join(part for part in (error.what, error.why) if part)
        return FileResult(FileCoverage(path, source.meta.uid, UNREADABLE, reason), data.finish_digest(), data.raw_bytes)
    except Exception as error:  # noqa: BLE001 - a defect of one reader costs one file, and says so
        reason = error.what if isinstance(error, DavylampError) else f"{type(error).__name__}: {error}".splitlines()[0]
        coverage = FileCoverage(path, source.meta.uid, UNREADABLE, f"the {source.meta.uid} reader failed: {reason}")
        return FileResult(coverage, data.finish_digest(), data.raw_bytes)
    return FileResult(_coverage(path, source, normalized, data), data.finish_digest(), data.raw_bytes, normalized)


def _ahead(sample: Sample, stream: BinaryIO) -> AbstractContextManager[Any]:
    """What follows the sample, read ahead; but not a pipe, at which a reader may wait for ever."""
    return nullcontext(stream) if sample.whole or sample.path == STANDARD_INPUT else ReadAhead(stream)


def _head(stream: BinaryIO) -> bytes:
    head = b""
    while len(head) < SAMPLE_BYTES and (more := stream.read(SAMPLE_BYTES - len(head))):
        head += more
    return head


def _spooled(stream: BinaryIO, scratch: Path) -> str:
    target = scratch / _SPOOL_NAME
    with target.open("wb") as file:
        shutil.copyfileobj(stream, file, 1 << 20)
    return str(target)


def stream_with(head: bytes, rest: BinaryIO) -> BinaryIO:
    """A stream of the bytes already read followed by those still to come."""
    return as_binary(_Joined(head, rest))


class _Joined(io.RawIOBase):
    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._head[: len(buffer)] if self._head else self._rest.read(len(buffer))
        self._head = self._head[len(data) :]
        buffer[: len(data)] = data
        return len(data)


def recognize(sample: Sample, sources: Sequence[Source]) -> Source | None:
    """The source that is surest of the sample, or None when none is sure enough."""
    scored = [(source.recognize(sample), source) for source in sources]
    best = max((score for score, _ in scored), default=0.0)
    if best < RECOGNIZED:
        return None
    return next(source for score, source in scored if score == best)


def _normalize(
    source: Source,
    sample: Sample,
    path: str,
    stream: BinaryIO,
    modified_at: datetime,
    engine: Engine,
    scratch: Path,
    memory_bytes: int,
) -> Normalized:
    if isinstance(source, SqlSource):
        plan = _plan(source, sample, modified_at)
        return normalize_sql(engine, plan, sample.path, sample.head, stream, scratch, path)
    assert isinstance(source, RowSource)
    return normalize_rows(engine, source, EvidenceFile(path, stream, memory_bytes), scratch)


def _plan(source: SqlSource, sample: Sample, modified_at: datetime) -> SqlPlan:
    try:
        return source.plan(sample, modified_at)
    except OSError as error:
        # A file of the unit's own is missing: that is no fault of the evidence.
        raise UnitError(f"a file of the source is missing: {error.filename}") from error


def _coverage(path: str, source: Source, normalized: Normalized, data: Decompressed) -> FileCoverage:
    reasons = [reason for reason in (data.partial_reason, normalized.partial_reason) if reason]
    rejects = normalized.rejects
    if rejects.count and not reasons:
        first = f", the first because: {rejects.kept[0].reason}" if rejects.kept else ""
        reasons.append(f"{rejects.count} records could not be read{first}")
    return FileCoverage(
        path=path,
        source=source.meta.uid,
        state=PARTIAL if reasons else READ,
        reason="; ".join([*reasons, *normalized.notes]),
        event_classes={part.event_class: part.rows_count for part in normalized.parts},
        rejected_count=rejects.count,
        rejects=tuple(rejects.kept),
    )


def relabelled(coverage: FileCoverage, path: str, reason: str) -> FileCoverage:
    """Coverage of a second path with the same content: nothing is counted twice."""
    return replace(coverage, path=path, reason=reason, event_classes={})
