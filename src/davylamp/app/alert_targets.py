"""Where alerts may go: the journal, a file, or what apprise knows how to reach."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from davylamp.errors import UsageError

JOURNAL = "journald"
FILE = "file:"


def check_targets(targets: Sequence[str]) -> None:
    """Refuses what could not be sent to, before the watch begins.

    Raises:
        UsageError: a target is none, or needs what is not installed.
    """
    for target in targets:
        if target == JOURNAL or (target.startswith(FILE) and len(target) > len(FILE)):
            continue
        if "://" not in target:
            raise UsageError(
                "this is no target of alerts",
                where=target,
                why="expected journald, file:PATH, or an apprise URL such as slack://...",
                hint="davylamp watch --alert journald",
            )
        if find_spec("apprise") is None:
            raise UsageError(
                "webhooks and chats need one more package",
                where=target.partition("://")[0],
                why="apprise is not installed",
                hint="pip install 'davylamp[alerts]'",
            )
