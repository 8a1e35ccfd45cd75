"""One judging of what the sensor has written: a scan of its spool, and what has changed since the last one.

Runs in a short-lived process (`python -m davylamp.app.judge_spool`), so that the engine's memory is given back.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from davylamp.agent.journal_export import JournalExport
from davylamp.agent.log_tail import LinesFolder
from davylamp.agent.record import this_host
from davylamp.app.baseline_file import found_baseline
from davylamp.app.look_again import look_again
from davylamp.app.scan import ScanRequest, ScanResult, scan
from davylamp.app.watch_changes import Change, KnownIncidents, changes_of
from davylamp.app.watch_lines import change_as_json, change_as_text
from davylamp.app.watch_places import WatchPlaces
from davylamp.app.watch_units import watch_sources, watch_units
from davylamp.cost.price_book import PriceBook
from davylamp.errors import DavylampError, MemoryLimitError
from davylamp.store.case import Case

# Judging stays small beside what it watches; what does not fit (an engine needs some room for each column) is tried
# again with more.
MEMORY_BYTES = (128 << 20, 512 << 20, 2 << 30)


JOURNAL_PREFIX = "journal-"


@dataclass(frozen=True)
class JudgeRequest:
    """What one judging is asked to do.

    Args:
        why: as the sensor's trigger says it.
        pids: processes that have begun to burn; whose packages their images are is told of them.
        boot_at: when the machine booted, as the sensor knows it: it names processes by it.
    """

    case_folder: Path
    why: str = ""
    pids: tuple[int, ...] = ()
    boot_at: float | None = None
    prices_file: Path | None = None
    assets_file: Path | None = None


@dataclass(frozen=True)
class Judged:
    """What one judging gave.

    Args:
        known: what has been told once these changes are told; to be saved then, and not before.
        usd_per_vcpu_hour: the price of an hour of one vCPU of this host.
    """

    changes: list[Change]
    known: KnownIncidents
    usd_per_vcpu_hour: float


def judge(request: JudgeRequest) -> Judged:
    """Looks at what does not move, scans, and compares with what has been told.

    Raises:
        CaseError: the case cannot be used or written.
    """
    places = WatchPlaces(request.case_folder)
    prepare(request.case_folder)
    look_again(places, request.why, request.pids, request.boot_at)
    _export_journal(places)
    _forget_what_is_gone(request.case_folder, places)
    made = _scanned(request, places)
    known = KnownIncidents.load(places.known)
    changes = changes_of(made, known, datetime.now(UTC))
    return Judged(changes, known, usd_per_vcpu_hour(made, PriceBook.load(request.prices_file)))


def _scanned(request: JudgeRequest, places: WatchPlaces) -> dict[str, Any]:
    declared = [str(path) for path in (found_baseline(),) if path is not None]
    needs = watch_units(places.units)
    asked = ScanRequest(
        paths=(*places.evidence(), *declared),
        case_folder=request.case_folder,
        assets_file=request.assets_file,
        prices_file=request.prices_file,
        sources=watch_sources(places),
        units=frozenset(needs),
        needs=needs,
        recorded_by={path: this_host() for path in (*places.captures(), *declared)},
        sparing=True,
    )
    *smaller, largest = MEMORY_BYTES
    for memory_bytes in smaller:
        try:
            result = scan(replace(asked, memory_bytes=memory_bytes))
        except MemoryLimitError:
            continue
        if not result.short_of_memory:
            return _with_failures(result)
    return _with_failures(scan(replace(asked, memory_bytes=largest)))


def _with_failures(result: ScanResult) -> dict[str, Any]:
    for failure in result.failures:
        sys.stderr.write(f"davylamp watch: a unit failed, its look is missing: {failure}\n")
    return result.document


def prepare(case_folder: Path) -> None:
    """Makes the case, so that the sensor's spool can lie in its folder.

    Raises:
        CaseError: the folder cannot become a case.
    """
    Case(case_folder, create=True).close()


def usd_per_vcpu_hour(document: dict[str, Any], book: PriceBook) -> float:
    """What an hour of one vCPU of this host costs; the book's fallback where the host's type is not known."""
    own = next((asset for asset in document["assets"] if asset.get("name") == this_host()), None)
    if own is None or not own.get("instance_type"):
        return book.rate_usd("fallback_vcpu_hour")
    price = book.price(str(own["instance_type"]), str(own.get("region") or ""))
    return price.usd_per_hour / price.vcpu if price.vcpu else book.rate_usd("fallback_vcpu_hour")


def _export_journal(places: WatchPlaces) -> None:
    """On a host whose log files the sensor follows, the journal would say everything twice."""
    if places.logs.is_dir() and any(not path.name.startswith(JOURNAL_PREFIX) for path in places.logs.iterdir()):
        return
    folder = LinesFolder(str(places.logs), JOURNAL_PREFIX, ".jsonl", continued=True)
    if why := JournalExport(folder, f"{places.logs}.journal.cursor").forward():
        sys.stderr.write(f"davylamp watch: sshd's entries of the journal could not be read: {why}\n")


def _forget_what_is_gone(case_folder: Path, places: WatchPlaces) -> None:
    """The spool is bounded, so the case is: what the sensor has dropped goes from it too."""
    case = Case(case_folder, create=False)
    inside = str(places.root)
    for record in case.records():
        if record.coverage.path.startswith(inside) and not Path(record.coverage.path).exists():
            case.drop(record)
    case.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the judging process: prints changes, and the price for the sensor's own cost."""
    options = _parser().parse_args(arguments)
    folder = Path(options.case)
    try:
        if options.prepare:
            prepare(folder)
            return 0
        request = JudgeRequest(
            folder,
            options.why,
            tuple(options.pid),
            options.boot_at,
            Path(options.prices) if options.prices else None,
            Path(options.assets) if options.assets else None,
        )
        judged = judge(request)
    except DavylampError as error:
        sys.stderr.write(f"davylamp watch: {error}\n")
        return 2
    render = change_as_json if options.format == "jsonl" else change_as_text
    try:
        _tell(judged, folder, render, options.alert)
    except BrokenPipeError:
        # The sensor was killed meanwhile; what is left in the buffer would be tried again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    judged.known.save(WatchPlaces(folder).known)
    return 0


def _tell(judged: Judged, folder: Path, render: Callable[[Change, Path], str], alert: Sequence[str]) -> None:
    """Says what has changed and sends it; a stop in the midst of it leaves all of it to the next judging."""
    for change in judged.changes:
        sys.stdout.write(render(change, folder) + "\n")
    sys.stdout.write(f"usd_per_vcpu_hour {judged.usd_per_vcpu_hour}\n")
    sys.stdout.flush()
    if alert and judged.changes:
        from davylamp.app.alerts import send_alerts

        send_alerts(alert, judged.changes, folder)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m davylamp.app.judge_spool")
    parser.add_argument("--case", required=True)
    parser.add_argument("--format", choices=("text", "jsonl"), default="text")
    parser.add_argument("--prices")
    parser.add_argument("--assets")
    parser.add_argument("--alert", action="append", default=[])
    parser.add_argument("--why", default="")
    parser.add_argument("--pid", type=int, action="append", default=[])
    parser.add_argument("--boot-at", type=float)
    parser.add_argument("--prepare", action="store_true", help="only make the case")
    return parser


def _run() -> None:
    """The process's whole life: it ends at once, for taking an engine and its modules apart costs a twentieth of it."""
    gc.disable()  # lives a second or two; what it leaves in circles goes with it
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _run()
