"""One function per command: options in, one use case called, its result rendered."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from davylamp.errors import CaseError, UsageError

# The word that stands for this machine among the paths; a folder of that name is `./host`.
HOST = "host"


def run(options: argparse.Namespace) -> int:
    """Runs the command named in the options."""
    command: Callable[[argparse.Namespace], int] = _COMMANDS[options.command]
    return command(options)


def _scan(options: argparse.Namespace) -> int:
    from davylamp.app.scan import ScanRequest, scan
    from davylamp.app.scan_host import scan_host
    from davylamp.cli.progress import progress_on
    from davylamp.units import parse_memory, parse_window

    since, until = parse_window(options.since, options.until, now=datetime.now(UTC))
    host = not options.paths or options.paths[0] == HOST
    request = ScanRequest(
        paths=tuple(options.paths[1:] if host else options.paths),
        case_folder=_path(options.case),
        assets_file=_path(options.assets),
        prices_file=_path(options.prices),
        since=since,
        until=until,
        memory_bytes=parse_memory(options.memory),
        by_severity=options.exit_code,
    )
    with progress_on(sys.stderr) as progress:
        if host:
            result = scan_host(request, _seconds(options.observe), progress, options.metadata, _declared(options))
        else:
            result = scan(request, progress)
    with _output(options.output) as out:
        _render(result.document, options.format, out)
    for failure in result.failures:
        sys.stderr.write(f"davylamp: a unit failed, its look is missing: {failure}\n")
    if options.output:
        sys.stderr.write(f"wrote {options.output}\n")
    return result.exit_code


def _declared(options: argparse.Namespace) -> Path | None:
    """The baseline that was named, which must be one, or what was approved for this host."""
    from davylamp.app.baseline_file import found_baseline, read_baseline

    if options.baseline is None:
        return found_baseline()
    read_baseline(Path(options.baseline))
    return Path(options.baseline)


def _drill(options: argparse.Namespace) -> int:
    from dataclasses import asdict

    from davylamp.app.drill import chosen_drills, run_drill
    from davylamp.app.exit_codes import NOT_AS_EXPECTED, READ_ALL
    from davylamp.cli.progress import progress_on
    from davylamp.kit.emulation.leftovers import remove_leftovers
    from davylamp.report.terminal.drills import outcome_line, summary_line

    drills = chosen_drills(options.drills)
    if options.list:
        for drill in drills:
            sys.stdout.write(f"{drill.meta.letter}  {drill.meta.uid:<26} {drill.meta.title}\n")
        return READ_ALL
    for folder in remove_leftovers():
        sys.stderr.write(f"removed what a drill that was killed had left: {folder}\n")
    outcomes = []
    for drill in drills:
        with progress_on(sys.stderr) as progress:
            outcomes.append(run_drill(drill, _seconds(options.observe), options.seed, progress))
        if options.format == "text":
            sys.stdout.write(outcome_line(outcomes[-1]))
            sys.stdout.flush()
    if options.format == "json":
        sys.stdout.write(json.dumps([asdict(each) for each in outcomes], indent=2) + "\n")
    else:
        sys.stdout.write(summary_line(outcomes))
    return READ_ALL if all(each.as_expected for each in outcomes) else NOT_AS_EXPECTED


def _baseline(options: argparse.Namespace) -> int:
    from davylamp.cli.baseline import run_baseline

    return run_baseline(options)


def _render(document: dict[str, Any], report_format: str, out: TextIO) -> None:
    if report_format == "json":
        from davylamp.report.document import dump_document

        out.writelines(dump_document(document))
    elif report_format == "html":
        from davylamp.report.html import render_html

        out.write(render_html(document))
    elif report_format == "ocsf":
        from davylamp.report.ocsf import render_ocsf

        out.write(render_ocsf(document))
    else:
        from davylamp.report.terminal import console_for, render_scan

        render_scan(document, console_for(out))


def _watch(options: argparse.Namespace) -> int:
    from davylamp.cli.watch import run_watch

    return run_watch(options)


def _show(options: argparse.Namespace) -> int:
    from davylamp.app.saved_case import saved_document
    from davylamp.report.terminal import console_for, render_incident

    document = saved_document(_path(options.case))
    uids = [incident["uid"] for incident in document["incidents"] if incident["uid"].startswith(options.incident)]
    if len(uids) != 1:
        known = ", ".join(incident["uid"] for incident in document["incidents"]) or "none"
        raise UsageError(
            "there is no such incident" if not uids else "more than one incident begins like this",
            where=options.incident,
            why=f"this case holds: {known}",
            hint="davylamp scan PATH",
        )
    render_incident(document, uids[0], console_for(sys.stdout))
    return 0


def _explain(options: argparse.Namespace) -> int:
    from davylamp.app.units import unit_page
    from davylamp.report.terminal import console_for, render_unit_page

    page = unit_page(options.unit)
    render_unit_page(page.meta, page.docstring, page.params, console_for(sys.stdout))
    return 0


def _units(options: argparse.Namespace) -> int:
    from davylamp.app.units import unit_pages
    from davylamp.report.terminal import console_for, render_units

    render_units([page.meta for page in unit_pages(options.kind)], console_for(sys.stdout))
    return 0


def _coverage(options: argparse.Namespace) -> int:
    from davylamp.app.saved_case import saved_document
    from davylamp.report.terminal import console_for, render_coverage

    render_coverage(saved_document(_path(options.case)), console_for(sys.stdout))
    return 0


def _assets(options: argparse.Namespace) -> int:
    from davylamp.app.saved_case import saved_document
    from davylamp.report.terminal import console_for, render_assets

    render_assets(saved_document(_path(options.case)), console_for(sys.stdout))
    return 0


def _events(options: argparse.Namespace) -> int:
    from davylamp.app.events import write_events

    target = _path(options.output)
    if options.format == "parquet":
        write_events(options.event_class, _path(options.case), "parquet", sys.stdout, target)
        return 0
    with _output(options.output) as out:
        write_events(options.event_class, _path(options.case), options.format, out, target)
    return 0


def _intel(options: argparse.Namespace) -> int:
    from davylamp.cli.intel import run_intel

    return run_intel(options)


def _seconds(text: str | None) -> float | None:
    from davylamp.units import parse_duration

    return parse_duration(text) if text else None


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


@contextmanager
def _output(target: str | None) -> Iterator[TextIO]:
    if target is None:
        yield sys.stdout
        return
    try:
        with Path(target).open("w", encoding="utf-8") as out:
            yield out
    except OSError as error:
        raise CaseError(
            "the output cannot be written",
            where=target,
            why=(error.strerror or str(error)).lower(),
            hint=f"ls -ld {Path(target).parent}",
        ) from error


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "scan": _scan,
    "drill": _drill,
    "watch": _watch,
    "baseline": _baseline,
    "show": _show,
    "explain": _explain,
    "units": _units,
    "coverage": _coverage,
    "assets": _assets,
    "events": _events,
    "intel": _intel,
}
