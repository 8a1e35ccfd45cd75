"""The baseline of a host: approve what it has, show it, tell what is new against it."""

from __future__ import annotations

import getpass
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from davylamp.agent.record import this_host
from davylamp.app.baseline_compare import Change, changes_between, gone_from
from davylamp.app.baseline_needs import could_not_look, hosts_in, needs_in
from davylamp.app.engine_of_case import prepare_engine
from davylamp.app.ingest_evidence import ingest_evidence
from davylamp.app.join_assets import kept_declaration, with_recorders
from davylamp.app.places import last_case
from davylamp.app.progress import Progress, Silent
from davylamp.app.scan import DEFAULT_MEMORY_BYTES, ScanRequest, scan
from davylamp.app.scan_host import take_look
from davylamp.cost.price_book import PriceBook
from davylamp.detect.run import run_detections
from davylamp.errors import UsageError
from davylamp.kit import registry
from davylamp.model.baseline import Baseline
from davylamp.model.finding import Finding
from davylamp.store.case import Case
from davylamp.store.engine import DuckEngine

# What a baseline holds does not move; the look needs no window.
LOOK_S = 1.0
STATE_CLASSES = ("listening_port", "service_state", "host_setting", "startup_item")


@dataclass(frozen=True)
class Proposal:
    """What would be approved.

    Args:
        changes: against the baseline before; against an empty one where there is none.
        refused: what could not be looked at: name and reason.
    """

    baseline: Baseline
    changes: tuple[Change, ...]
    refused: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Drift:
    """How a host differs from its baseline.

    Args:
        findings: what is new, with who did it and when.
        gone: what the baseline has and the newest look did not see.
    """

    baseline: Baseline
    findings: tuple[Finding, ...]
    gone: tuple[Change, ...]
    refused: tuple[tuple[str, str], ...]


def propose(old: Baseline | None, case_folder: Path | None, now: bool, progress: Progress | None = None) -> Proposal:
    """The baseline that the newest look at this host would make.

    Args:
        case_folder: a case with a look; None for the last scan's.
        now: look at the host now instead.

    Raises:
        UsageError: the case tells of no host, or of several, none of which is this one.
        CaseError: the case cannot be used.
    """
    with _looked(case_folder, now, progress) as case, _engine(case) as engine:
        prepare_engine(engine, case, kept_declaration(case), PriceBook.load(None))
        asset = _host(hosts_in(engine), case)
        made = Baseline(
            device_name=asset,
            approved_at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            approved_by=os.environ.get("SUDO_USER") or getpass.getuser(),
            entries=needs_in(engine, asset),
        )
        refused = tuple(could_not_look(engine, asset))
    return Proposal(made, tuple(changes_between(old, made)), refused)


def drift_of(
    baseline: Baseline, file: Path, case_folder: Path | None, now: bool, progress: Progress | None = None
) -> Drift:
    """How this host differs from its baseline, as the detections that read baselines say.

    Args:
        file: the baseline's file.

    Raises:
        UsageError, CaseError: as `propose`.
    """
    watch = progress or Silent()
    units = [unit for unit in registry.detections() if "declared_need" in unit.meta.reads]
    with (
        _looked(case_folder, now, progress) as case,
        tempfile.TemporaryDirectory(prefix="davylamp-baseline-") as scratch,
        _engine(case) as engine,
    ):
        beside = Case(Path(scratch) / "case", create=True)
        ingest_evidence([str(file)], beside, engine, registry.sources(), DEFAULT_MEMORY_BYTES, watch)
        declared = kept_declaration(case)
        host = _host(_hosts(engine, case), case)
        prepared = prepare_engine(
            engine, case, with_recorders((tuple(declared[0]), declared[1]), {str(file): host}), PriceBook.load(None),
            beside=beside,
        )  # fmt: skip
        found = run_detections(units, registry.query_of, engine, prepared.facts, watch.judging)
        if found.failures:
            raise RuntimeError(found.failures[0])
        gone = tuple(gone_from(baseline, needs_in(engine, host)))
        refused = tuple(could_not_look(engine, host))
    findings = tuple(each for each in found.findings if any(asset.name == host for asset in each.assets))
    return Drift(baseline, findings, gone, refused)


def _hosts(engine: DuckEngine, case: Case) -> list[str]:
    prepare_engine(engine, case, kept_declaration(case), PriceBook.load(None))
    return hosts_in(engine)


def _host(hosts: list[str], case: Case) -> str:
    """The host that is spoken of: this one, or the only one."""
    if len(hosts) == 1:
        return hosts[0]
    if this_host() in hosts:
        return this_host()
    raise UsageError(
        "it is not clear which host is meant" if hosts else "this case tells of no host's state",
        where=str(case.root),
        why=f"it tells of {', '.join(hosts[:5])}" if hosts else "nobody looked at a host",
        hint="davylamp baseline diff --now",
    )


@contextmanager
def _engine(case: Case) -> Iterator[DuckEngine]:
    engine = DuckEngine(DEFAULT_MEMORY_BYTES, case.scratch)
    try:
        yield engine
    finally:
        engine.close()


@contextmanager
def _looked(case_folder: Path | None, now: bool, progress: Progress | None) -> Iterator[Case]:
    """A case with a look at the host: the one named, the last scan's, or a new one that is removed afterwards."""
    if not now and case_folder is not None:
        yield from _closed(Case(case_folder, create=False))
        return
    if not now and (last_case() / "case.json").is_file():
        case = Case(last_case(), create=False)
        if any(case.parts(name) for name in STATE_CLASSES):
            yield from _closed(case)
            return
        case.close()
    with tempfile.TemporaryDirectory(prefix="davylamp-look-") as folder:
        evidence, _, logs = take_look(Path(folder) / "host", LOOK_S, progress, False)
        made = Path(folder) / "case"
        scan(ScanRequest(paths=(str(evidence), *logs), case_folder=made, units=frozenset()), progress)
        yield from _closed(Case(made, create=False))


def _closed(case: Case) -> Iterator[Case]:
    try:
        yield case
    finally:
        case.close()
