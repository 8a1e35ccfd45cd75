"""Sends changes of incidents where the operator wants them; a target that fails stops nothing and is said."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from davylamp.agent.journal_entry import send_entry
from davylamp.app.alert_targets import FILE, JOURNAL
from davylamp.app.watch_changes import Change
from davylamp.app.watch_lines import change_as_json, change_as_text

# Priorities of syslog (RFC 5424): what an operator filters by.
PRIORITIES = {"critical": 2, "high": 3, "medium": 4, "low": 5, "informational": 6}


def send_alerts(targets: Sequence[str], changes: Sequence[Change], case_folder: Path) -> None:
    """Sends each change to each target."""
    for target in targets:
        try:
            for change in changes:
                _send(target, change, case_folder)
        except (OSError, RuntimeError) as error:
            sys.stderr.write(f"davylamp watch: an alert could not be sent to {target.partition('://')[0]}: {error}\n")


def _send(target: str, change: Change, case_folder: Path) -> None:
    if target == JOURNAL:
        send_entry(
            {
                "MESSAGE": change_as_text(change, case_folder),
                "PRIORITY": str(
                    PRIORITIES.get(str(change.incident["severity"]), 4) if change.change != "closed" else 5
                ),
                "SYSLOG_IDENTIFIER": "davylamp",
                "DAVYLAMP_CHANGE": change.change,
                "DAVYLAMP_INCIDENT": str(change.incident["uid"]),
            }
        )
    elif target.startswith(FILE):
        with Path(target[len(FILE) :]).open("a", encoding="utf-8") as out:
            out.write(change_as_json(change, case_folder) + "\n")
    else:
        _notify(target, change, case_folder)


def _notify(url: str, change: Change, case_folder: Path) -> None:
    """Hands one message to apprise, which is imported for nothing else.

    Raises:
        RuntimeError: apprise does not know the URL, or could not deliver.
    """
    import apprise

    sender = apprise.Apprise()
    if not sender.add(url):
        raise RuntimeError("apprise does not know this kind of URL")
    title = f"Davylamp: {change.incident['title']} ({change.change})"
    if not sender.notify(body=change_as_text(change, case_folder), title=title):
        raise RuntimeError("apprise could not deliver it")
