"""The `watch` command: checks its options and calls one use case; stays small, for it is what lasts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from davylamp.errors import UsageError
from davylamp.units import parse_bytes, parse_duration


def run_watch(options: argparse.Namespace) -> int:
    """Watches, or writes or removes the unit that does."""
    from davylamp.app.alert_targets import check_targets
    from davylamp.app.watch import WatchRequest, watch

    if options.dry_run and options.action is None:
        raise UsageError(
            "--dry-run belongs to install and uninstall",
            why="a watch changes nothing on the host",
            hint="davylamp watch install --dry-run",
        )
    check_targets(options.alert)
    request = WatchRequest(
        case_folder=str(Path(options.case or _default_case(options.action)).absolute()),
        for_s=parse_duration(options.for_) if options.for_ else 0.0,
        format=options.format,
        cpu_cap_ratio=_cap(options.cpu_cap),
        spool_bytes=parse_bytes(options.spool),
        prices_file=str(Path(options.prices).absolute()) if options.prices else "",
        assets_file=str(Path(options.assets).absolute()) if options.assets else "",
        alerts=tuple(options.alert),
    )
    if options.action is not None:
        from davylamp.app.watch_unit import install, uninstall

        act = install if options.action == "install" else uninstall
        sys.stdout.write(act(request, dry_run=options.dry_run))
        return 0
    return watch(request, sys.stdout)


def _default_case(action: str | None) -> str:
    from davylamp.app.places import state_folder

    return "/var/lib/davylamp" if action else str(state_folder() / "watch")


def _cap(text: str) -> float:
    """A percentage of one core as a ratio.

    Raises:
        UsageError: it is no number between 0.1 and 100.
    """
    try:
        percent = float(text.rstrip("% "))
    except ValueError:
        percent = 0.0
    if not 0.1 <= percent <= 100:
        raise UsageError(
            "this is no CPU cap",
            where=text,
            why="expected a percentage of one core between 0.1 and 100",
            hint="davylamp watch --cpu-cap 2",
        )
    return percent / 100
