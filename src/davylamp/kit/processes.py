"""Findings about processes: how a process is named, linked and cited, the same way in every unit.

Rows are rows of `process_activity`, or of another class with the same columns for its process. A process is its
pid together with its start (docs/decisions/0007-host-evidence.md); pids are used again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from davylamp.kit.detection import Row
from davylamp.kit.findings import build_finding, evidence_of, instant
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import AssetRef, Evidence, Finding, Observable, Series
from davylamp.model.severity import Confidence, Severity
from davylamp.model.usage import ComputeUsage
from davylamp.units import format_instant

EVIDENCE_COLUMNS = (
    "process_pid",
    "process_started_at",
    "parent_process_pid",
    "process_name",
    "image_path",
    "command_line",
    "user_name",
)
_INSTANTS = ("time", "process_started_at", "parent_process_started_at")
# A sentence is read, a command line may be made to be unreadable: 160 characters are two lines of a terminal.
COMMAND_SHOWN_COUNT = 160


def process_started_at(row: Row) -> datetime | None:
    """When the process started; the record's own instant for a launch that does not say.

    An audit log tells when a program was executed, not when its process was made; they are milliseconds apart for
    a shell's child.
    """
    started_at = row.get("process_started_at")
    if not isinstance(started_at, datetime) and row.get("activity") == "launch":
        started_at = row.get("time")
    return instant(started_at) if isinstance(started_at, datetime) else None


def process_asset(row: Row) -> AssetRef:
    """The process as an asset: `PID@START`, the start in whole seconds; `PID` alone where no start is known."""
    pid = row.get("process_pid")
    name = str(pid) if isinstance(pid, int) else "unknown"
    started_at = process_started_at(row)
    if started_at is None:
        return AssetRef("process", name)
    return AssetRef("process", f"{name}@{format_instant(started_at.astimezone(UTC).replace(microsecond=0))}")


def process_assets(row: Row) -> tuple[AssetRef, AssetRef]:
    """The host and the process."""
    return AssetRef("host", str(row["asset"])), process_asset(row)


def process_observables(row: Row) -> set[Observable]:
    """The process's own pid; parents and peers are never named so."""
    pid = row.get("process_pid")
    return {Observable("process.pid", str(pid))} if isinstance(pid, int) else set()


def connection_assets(host: str, row: Row, ours: bool = True) -> list[AssetRef]:
    """The host, and the process that holds the connection where the host's own sensor saw it.

    Args:
        ours: whether the row's process is on the side that the finding is about.
    """
    own = [process_asset(row)] if ours and isinstance(row.get("process_pid"), int) else []
    return [AssetRef("host", host), *own]


def speaker_named(host: str, row: Row, ours: bool = True) -> str:
    """Who holds a connection, for a sentence: the process where the host's sensor saw it, else the host."""
    known = ours and isinstance(row.get("process_pid"), int)
    return f"{process_named(row)} on {host}" if known else host


def process_named(row: Row) -> str:
    """The process as a sentence names it: `process 4242 (kworker/0:1)`."""
    name, pid = row.get("process_name"), row.get("process_pid")
    # The record that names the pid may be lost; what was executed is known all the same.
    return (f"process {pid}" if pid is not None else "a process") + (f" ({name})" if name else "")


def parents_said(row: Row, most: int = 4) -> str:
    """Its ancestors for a sentence, the nearest first: `started by bash (2401) of sshd (910)`; empty where unknown.

    Takes the column `lineage`, whose entries read `PID@START NAME`.
    """
    lineage = row.get("lineage")
    named = [str(entry).partition(" ") for entry in lineage] if isinstance(lineage, list) else []
    told = [f"{name or 'an unnamed process'} ({place.partition('@')[0]})" for place, _, name in named]
    # The first process is everybody's ancestor: it says something only where it is the parent.
    told = [each for number, each in enumerate(told) if number == 0 or not named[number][0].startswith("1@")]
    return f"started by {' of '.join(told[:most])}" if told else ""


def shown_command(row: Row) -> str:
    """The command line, cut for a sentence."""
    command = str(row.get("command_line") or "")
    return command if len(command) <= COMMAND_SHOWN_COUNT else command[: COMMAND_SHOWN_COUNT - 3] + "..."


def process_finding(
    meta: DetectionMeta,
    rows: Sequence[Row],
    *,
    because: str,
    llr: float,
    fact_key: str = "",
    columns: Sequence[str] = (),
    first_seen: datetime | None = None,
    observables: Iterable[Observable] = (),
    entities: Iterable[str] = (),
    severity: Severity | None = None,
    title: str | None = None,
    fact: bool = False,
    evidence_count: int | None = None,
    compute: Sequence[ComputeUsage] = (),
    series: Sequence[Series] = (),
) -> Finding:
    """A finding about one process, named, linked and cited the same way in every unit.

    Args:
        rows: records that say so, at least one; the first one names the process.
        fact_key: tells this fact from the unit's others about the same process.
        columns: evidence columns beyond `EVIDENCE_COLUMNS`.
        first_seen: since when it holds; the first record's instant when not given. What is true of a process since
            its start (its image, its arguments) began at `process_started_at(row)`.

    Confidence follows the evidence: high from a likelihood ratio of about 50 (llr 4) on, low below about 8 (llr 2).
    """
    first = rows[0]
    instants = [instant(row["time"]) for row in rows]
    return build_finding(
        meta,
        fact_key=fact_key,
        assets=process_assets(first),
        because=because,
        first_seen=min(instants) if first_seen is None else first_seen,
        last_seen=max(instants),
        llr=round(llr, 2),
        confidence=Confidence.HIGH if fact or llr >= 4 else Confidence.MEDIUM if llr >= 2 else Confidence.LOW,
        evidence=process_evidence(rows, columns),
        evidence_count=evidence_count,
        observables=process_observables(first) | set(observables),
        entities=entities,
        severity=severity,
        title=title,
        fact=fact,
        compute=compute,
        series=series,
    )


def process_evidence(rows: Iterable[Row], columns: Sequence[str] = ()) -> tuple[Evidence, ...]:
    """Evidence of records of a process, with what names it and the further columns as plain values."""
    return evidence_of((_cited(row) for row in rows), (*EVIDENCE_COLUMNS, *columns))


def _cited(row: Row) -> Row:
    written = {name: format_instant(instant(row[name])) for name in _INSTANTS if isinstance(row.get(name), datetime)}
    return {**row, **written}
