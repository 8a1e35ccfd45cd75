"""`davylamp baseline`: approve, show, diff."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from davylamp.errors import UsageError


def run_baseline(options: argparse.Namespace) -> int:
    """Runs one of the actions."""
    from davylamp.app.baseline_file import default_place, found_baseline

    approving = options.action == "approve"
    file = Path(options.file) if options.file else (default_place() if approving else found_baseline())
    return _ACTIONS[options.action](options, file or default_place())


def _approve(options: argparse.Namespace, file: Path) -> int:
    from davylamp.app.baseline import propose
    from davylamp.app.baseline_file import read_baseline, restore_previous, write_baseline
    from davylamp.cli.progress import progress_on
    from davylamp.report.terminal import console_for
    from davylamp.report.terminal.baseline import render_changes

    if options.previous:
        back = restore_previous(file)
        sys.stdout.write(f"in place again: the baseline approved at {back.approved_at}, in {file}\n")
        return 0
    old = read_baseline(file) if file.is_file() else None
    with progress_on(sys.stderr) as progress:
        proposal = propose(old, Path(options.case) if options.case else None, options.now, progress)
    render_changes(proposal.changes, proposal.refused, proposal.baseline.device_name, console_for(sys.stdout))
    if old is not None and not proposal.changes:
        sys.stdout.write(f"nothing to approve: {file} says so already\n")
        return 0
    if not options.yes and not _agreed(file):
        sys.stdout.write("nothing was approved\n")
        return 0
    write_baseline(file, proposal.baseline)
    named = f" --file {options.file}" if options.file else ""
    undo = f"\nundo: davylamp baseline approve --previous{named}" if old is not None else ""
    sys.stdout.write(f"approved: {file}{undo}\n")
    return 0


def _agreed(file: Path) -> bool:
    if not sys.stdin.isatty():
        raise UsageError(
            "nobody can be asked",
            why="standard input is no terminal",
            hint="davylamp baseline approve --yes",
        )
    sys.stdout.write(f"\nApprove this as what the host needs, in {file}? [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _show(options: argparse.Namespace, file: Path) -> int:
    from davylamp.app.baseline_file import read_baseline
    from davylamp.report.terminal import console_for
    from davylamp.report.terminal.baseline import render_baseline

    render_baseline(read_baseline(file), console_for(sys.stdout))
    return 0


def _diff(options: argparse.Namespace, file: Path) -> int:
    from davylamp.app.baseline import drift_of
    from davylamp.app.baseline_file import read_baseline
    from davylamp.app.exit_codes import NOT_AS_EXPECTED, READ_ALL
    from davylamp.cli.progress import progress_on
    from davylamp.report.document import dump_document
    from davylamp.report.drift import drift_document
    from davylamp.report.terminal import console_for
    from davylamp.report.terminal.baseline import render_drift

    baseline = read_baseline(file)
    with progress_on(sys.stderr) as progress:
        drift = drift_of(baseline, file, Path(options.case) if options.case else None, options.now, progress)
    if options.format == "json":
        sys.stdout.writelines(dump_document(drift_document(baseline, drift.findings, drift.gone, drift.refused)))
    else:
        render_drift(baseline, drift.findings, drift.gone, drift.refused, console_for(sys.stdout))
    return NOT_AS_EXPECTED if drift.findings else READ_ALL


_ACTIONS: dict[str, Callable[[argparse.Namespace, Path], int]] = {"approve": _approve, "show": _show, "diff": _diff}
