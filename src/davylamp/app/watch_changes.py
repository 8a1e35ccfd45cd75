"""Which incidents have opened, changed or closed between two judgings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

# An incident of which nothing was seen for so long has ended: a miner throttled to a tenth of a core burns and talks
# every few minutes, and judging itself comes every five.
CLOSED_AFTER = timedelta(minutes=15)


@dataclass(frozen=True)
class Change:
    """One line of a watch.

    Args:
        change: opened, changed or closed.
        incident, findings: as in the scan document.
    """

    at: datetime
    change: str
    incident: Mapping[str, Any]
    findings: tuple[Mapping[str, Any], ...]


@dataclass
class KnownIncidents:
    """Incidents that were told, by uid, with what was told of them."""

    entries: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> KnownIncidents:
        """What an earlier judging kept; nothing where there was none, or where it was cut by a stop."""
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return cls()
        return cls(kept if isinstance(kept, dict) else {})

    def save(self, path: Path) -> None:
        """Keeps it, whole or not at all."""
        draft = path.with_name(path.name + ".draft")
        draft.write_text(json.dumps(self.entries), encoding="utf-8")
        draft.replace(path)


def changes_of(document: Mapping[str, Any], known: KnownIncidents, now: datetime) -> list[Change]:
    """Compares a judging with what was told before, and keeps what is told now.

    An incident whose uid is new and which shares a finding with one that is gone is the same, with more known of it.
    """
    findings = {finding["uid"]: finding for finding in document["findings"]}
    open_now = {
        incident["uid"]: incident
        for incident in document["incidents"]
        if now - _instant(incident["last_seen"]) <= CLOSED_AFTER
    }
    told: list[Change] = []
    before = dict(known.entries)
    for uid, incident in open_now.items():
        own = tuple(findings[each] for each in incident["findings"] if each in findings)
        earlier = before.pop(uid, None) or _taken(before, open_now, incident)
        if earlier is None or earlier["digest"] != _digest(incident):
            told.append(Change(now, "opened" if earlier is None else "changed", incident, own))
    for entry in before.values():
        told.append(Change(now, "closed", entry["incident"], tuple(entry["findings"])))
    known.entries = {
        uid: {
            "digest": _digest(incident),
            "incident": incident,
            "findings": [findings[each] for each in incident["findings"] if each in findings],
        }
        for uid, incident in open_now.items()
    }
    return told


def _taken(
    before: dict[str, dict[str, Any]], open_now: Mapping[str, Any], incident: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The earlier incident that lives on in this one under another uid."""
    for uid, entry in before.items():
        if uid not in open_now and set(entry["incident"]["findings"]) & set(incident["findings"]):
            return before.pop(uid)
    return None


def _digest(incident: Mapping[str, Any]) -> str:
    """What makes an incident worth telling again; sums that grow with time are not."""
    said = [incident["title"], incident["severity"], round(incident["probability"], 2)]
    said += [sorted(incident["findings"]), sorted(str(asset) for asset in incident["assets"])]
    said += [bool(incident["entry_point"]), len(incident["follow_on"])]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
