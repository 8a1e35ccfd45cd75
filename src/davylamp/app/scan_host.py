"""Scan of this host: the sensor looks for a while, and what it wrote is scanned as any evidence is."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from davylamp.agent.capture import Capture, remove_if_empty
from davylamp.agent.look import look_at_host
from davylamp.agent.packages import Packages
from davylamp.agent.processes import OwnerOf
from davylamp.agent.record import Look, Recorder, this_host
from davylamp.agent.state import collect_startup_items, collect_state
from davylamp.app.host_logs import login_logs
from davylamp.app.places import state_folder
from davylamp.app.progress import Progress
from davylamp.app.scan import ScanRequest, ScanResult, scan
from davylamp.app.suspect_images import look_into_images
from davylamp.errors import CaseError
from davylamp.store.case import Case

DEFAULT_OBSERVE_S = 20.0
# A pool's jobs are up to a minute apart (knowledge base, detection methods 2.3): while somebody computes and keeps a
# quiet connection, a look whose length nobody chose goes on for as long.
SUSPECT_OBSERVE_S = 60.0
# Looks kept of scans that named no case; each is about a megabyte.
KEPT_LOOKS_COUNT = 5


def scan_host(
    request: ScanRequest,
    observe_s: float | None = None,
    progress: Progress | None = None,
    metadata: bool = False,
    baseline: Path | None = None,
    roots: Sequence[Path] = (),
) -> ScanResult:
    """Looks at this host and scans what was seen, with the host's own logs.

    Args:
        observe_s: how long to look; None for 20 s, and up to a minute while a suspect is listened to.
        metadata: ask the cloud's metadata service what this machine is; otherwise nothing leaves the host.
        baseline: what this host is meant to have, whichever host it names; None to compare with nothing.
        roots: further folders that stand for `/`, in which what starts by itself is looked for.

    Raises:
        CaseError: what was seen cannot be written.
    """
    if request.case_folder is not None:
        Case(request.case_folder, create=True).close()
    folder = (request.case_folder or state_folder()) / "host"
    evidence, packets, logs = take_look(folder, observe_s, progress, metadata, roots)
    if request.case_folder is None:
        _forget_older(folder)
    captures = [str(packets)] if packets.exists() else []
    declared = [str(path) for path in (baseline,) if path is not None]
    own = {path: this_host() for path in (*captures, *declared)}
    paths = (str(evidence), *captures, *logs, *declared, *request.paths)
    return scan(replace(request, paths=paths, recorded_by=own), progress)


def take_look(
    folder: Path, observe_s: float | None, progress: Progress | None, metadata: bool, roots: Sequence[Path] = ()
) -> tuple[Path, Path, list[str]]:
    """Lets the sensor write its records and its capture, and finds the host's logs.

    Args:
        folder: where they are written; made where it is not there.
        observe_s, metadata, roots: as in `scan_host`.

    Returns:
        The records, the capture (which may not exist), and the logs.

    Raises:
        CaseError: they cannot be written.
    """
    target = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.jsonl"
    packets = target.with_suffix(".pcap")
    length_s, longest_s = (observe_s, observe_s) if observe_s is not None else (DEFAULT_OBSERVE_S, SUSPECT_OBSERVE_S)
    tick: Callable[[float], None] = _nothing if progress is None else _drawing(progress, length_s)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _stopped_by_terminate(), target.open("w", encoding="ascii") as out, packets.open("wb") as kept:
            recorder = Recorder(out.write)
            look_at_host(recorder, Capture(kept), length_s, longest_s, partial(_state, metadata, roots), tick)
            logs = login_logs(Look(recorder, time.time()), target.with_suffix(".journal.json"))
        remove_if_empty(str(packets))
        look_into_images(target)
    except OSError as error:
        raise CaseError(
            "what the host shows cannot be kept",
            where=str(error.filename or target),
            why=(error.strerror or str(error)).lower(),
            hint=f"df -h {folder}; davylamp scan host --case DIR",
        ) from error
    return target, packets, logs


@contextmanager
def _stopped_by_terminate() -> Iterator[None]:
    """Lets SIGTERM end the look as Ctrl-C does: what was seen until then is kept and judged."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # Whoever runs us may have a say in it already (a drill does); only the system's own way, to die, is replaced.
    before = signal.getsignal(signal.SIGTERM)
    if before is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _state(metadata: bool, roots: Sequence[Path], look: Look) -> OwnerOf:
    packages = Packages(look)
    collect_state(look, packages, metadata)
    for root in roots:
        elsewhere = replace(look, root=str(root))
        collect_startup_items(elsewhere, Packages(elsewhere))
    return packages.owner


def _nothing(_: float) -> None:
    return None


def _drawing(progress: Progress, observe_s: float) -> Callable[[float], None]:
    def tick(elapsed_s: float) -> None:
        progress.observing(elapsed_s, observe_s)

    tick(0.0)
    return tick


def _forget_older(folder: Path) -> None:
    for suffix in ("jsonl", "pcap", "journal.json"):
        for old in sorted(folder.glob(f"*.{suffix}"))[:-KEPT_LOOKS_COUNT]:
            old.unlink(missing_ok=True)
