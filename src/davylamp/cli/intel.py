"""`davylamp intel`: what the indicator sets say, and how they grow."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from davylamp.app.intel import all_indicators, check_indicator, import_indicators, lint_indicators


def run_intel(options: argparse.Namespace) -> int:
    """Checks, lists, imports or lints; gives the exit code."""
    return _ACTIONS[options.action](options)


def _check(options: argparse.Namespace) -> int:
    check = check_indicator(options.indicator)
    found = check.match
    if found is None and check.ports:
        ports = ", ".join(map(str, check.ports))
        sys.stdout.write(f"{options.indicator}: not listed as a whole, but with port {ports}\n")
        return 0
    if found is None:
        sys.stdout.write(f"{options.indicator}: not listed (the name was not resolved)\n")
        return 0
    port = f" port {found.port}" if found.port else ""
    sys.stdout.write(
        f"{options.indicator}: {found.indicator_class}\n"
        f"  entry      {found.value}{port}\n"
        f"  source     {found.source} at {found.reference} ({found.licence})\n"
        f"  seen       {found.first_seen or 'unknown'} to {found.last_seen or 'unknown'}\n"
        f"  expires    {found.expires or 'never'}\n"
    )
    return 0


def _list(_: argparse.Namespace) -> int:
    for entry in all_indicators().list():
        row = {name: getattr(entry, name) for name in entry.__dataclass_fields__}
        sys.stdout.write(json.dumps(row, default=str) + "\n")
    return 0


def _import(options: argparse.Namespace) -> int:
    imported, size = import_indicators(Path(options.file), options.indicator_class)
    for reject in imported.rejects:
        sys.stderr.write(f"{options.file}:{reject.line}: {reject.reason}\n")
    sys.stdout.write(
        f"{imported.format}: {len(imported.entries)} entries read, {len(imported.rejects)} refused; "
        f"the imported set now holds {size}\n"
    )
    return 0 if not imported.rejects else 4


def _lint(options: argparse.Namespace) -> int:
    problems = lint_indicators(Path(options.file) if options.file else None)
    for problem in problems:
        sys.stdout.write(f"{problem.value}: {problem.rule}: {problem.text}\n")
    sys.stdout.write(f"{len(problems)} problems\n")
    return 4 if problems else 0


_ACTIONS: dict[str, Callable[[argparse.Namespace], int]] = {
    "check": _check,
    "list": _list,
    "import": _import,
    "lint": _lint,
}
