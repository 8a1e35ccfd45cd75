"""Who changed something and when, as far as rows say: the same words in every unit that reports a change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from davylamp.kit.detection import Facts, Row
from davylamp.kit.findings import instant
from davylamp.model.finding import AssetRef
from davylamp.units import format_duration

SHOWN_ANCESTORS_COUNT = 3


def moment(value: object) -> str:
    """An instant for people, to the second; empty when there is none.

    >>> moment(datetime(2026, 3, 14, 2, 9, 0, 250000)), moment(None)
    ('2026-03-14 02:09:00', '')
    """
    return instant(value).strftime("%Y-%m-%d %H:%M:%S") if isinstance(value, datetime) else ""


def compared_with(row: Row) -> str:
    """What the host was compared with: `the baseline that anna approved at ...`, or the first look at it."""
    if isinstance(row.get("approved_at"), datetime):
        by = f" {row['approved_by']}" if row.get("approved_by") else ""
        return f"the baseline approved{' by' + by if by else ''} at {moment(row['approved_at'])}"
    return f"the look at {moment(row.get('first_at'))}"


def started_by(row: Row) -> str:
    """Who started a process and when: `started 2026-03-14 02:09:00 as root by bash in a log-in session of anna`.

    Args:
        row: columns of `process_activity`, and `source` with `login_at` where a log-in fits.
    """
    words = [f"started {moment(row['process_started_at'])}" if row.get("process_started_at") else "started"]
    if row.get("user_name"):
        words.append(f"as {row['user_name']}")
    ancestors = _ancestors(row)
    if ancestors:
        words.append(f"by {' below '.join(ancestors)}")
    if row.get("login_user_name"):
        words.append(f"in a log-in session of {row['login_user_name']}")
    if row.get("source"):
        words.append(f"(logged in from {row['source']} at {moment(row['login_at'])})")
    return " ".join(words) if len(words) > 1 or row.get("process_started_at") else ""


def _ancestors(row: Row) -> list[str]:
    lineage = row.get("lineage")
    named = [str(each).partition(" ")[2] for each in lineage] if isinstance(lineage, list) else []
    return [name for name in named[:SHOWN_ANCESTORS_COUNT] if name]


def login_entities(row: Row) -> list[str]:
    """Links to the address somebody logged in from."""
    return [f"ip:{row['source']}"] if row.get("source") else []


def host_asset(row: Row) -> AssetRef:
    """The host alone."""
    return AssetRef("host", str(row["asset"]))


def new_since(rows: Sequence[Row], *names: str) -> datetime:
    """Since when something is there that was not: the earliest of these columns' instants.

    Never before what it was compared with, where it was not there, or its age alone would date an incident back; never
    after it was seen.
    """
    seen = min(instant(row["time"]) for row in rows)
    known = [instant(row[name]) for row in rows for name in names if isinstance(row.get(name), datetime)]
    compared = [row.get("approved_at") or row.get("first_at") for row in rows]
    floor = max((instant(each) for each in compared if isinstance(each, datetime)), default=seen)
    return min(seen, max(min([*known, seen]), floor))


def no_baseline(facts: Facts, event_class: str) -> str:
    """Why a host cannot be compared with itself: no approved baseline, and no second look; empty when it can."""
    if facts.has_rows("declared_need") or facts.looks_count(event_class) > 1:
        return ""
    return "no approved baseline and no second look: davylamp baseline approve"


def changed_by(row: Row, what: str = "its file") -> str:
    """Who changed a file and when: `its file was written at ... by vi (process 7) as root, 3 min after anna logged in`.

    Args:
        row: `changed_at`; `written_at` and `writer_*` where a change was seen; `source`, `login_at` and `login_name`
            of the last log-in shortly before.
    """
    if isinstance(row.get("written_at"), datetime):
        words = [f"{what} was written at {moment(row['written_at'])}"]
        if row.get("writer_name") or row.get("writer_pid"):
            pid = f" (process {row['writer_pid']})" if row.get("writer_pid") else ""
            words.append(f"by {row.get('writer_name') or 'a process'}{pid}")
        if row.get("writer_user_name"):
            words.append(f"as {row['writer_user_name']}")
        if row.get("writer_login_user_name"):
            words.append(f"in a log-in session of {row['writer_login_user_name']}")
    elif isinstance(row.get("changed_at"), datetime):
        words = [f"{what} changed last at {moment(row['changed_at'])}"]
    else:
        return ""
    return " ".join(words) + _shortly_after(row)


def _shortly_after(row: Row) -> str:
    if not row.get("source") or not isinstance(row.get("login_at"), datetime):
        return ""
    changed = row.get("written_at") or row.get("changed_at")
    after_s = (instant(changed) - instant(row["login_at"])).total_seconds()
    user = row.get("login_name") or "somebody"
    return f", {format_duration(max(0.0, after_s))} after {user} logged in from {row['source']}"
