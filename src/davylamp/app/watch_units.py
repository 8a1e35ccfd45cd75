"""The units that a judging of one host needs; loading the others would be half of its cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import davylamp
from davylamp.app.watch_places import WatchPlaces
from davylamp.kit import registry
from davylamp.kit.detection import indispensable_class

# What a watch writes and forwards, and what was approved.
WATCH_SOURCES = frozenset({"host_live", "sshd_syslog", "journald_export", "pcap", "host_baseline"})
_OF_LOGS = frozenset({"sshd_syslog", "journald_export"})
_OF_PACKETS = frozenset({"pcap"})
# Of a cloud's control plane a host's own evidence says nothing.
NEVER_HERE = "api_activity"


def watch_sources(places: WatchPlaces) -> frozenset[str]:
    """The sources of what lies there: on most hosts neither forwarded logs nor packets of a suspect."""
    logs = places.logs.is_dir() and any(places.logs.iterdir())
    return WATCH_SOURCES - (frozenset() if logs else _OF_LOGS) - (frozenset() if places.captures() else _OF_PACKETS)


def watch_units(kept: Path) -> Mapping[str, str]:
    """Detections that read something of what these sources give; found once for each version, and kept.

    Args:
        kept: file that holds them between judgings.

    Returns:
        Unit -> the event class without which it cannot look, empty where it decides for itself.
    """
    try:
        known = json.loads(kept.read_text(encoding="utf-8"))
        if known["version"] == _version():
            return {str(uid): str(needed) for uid, needed in known["needs"].items()}
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        pass  # none yet, or cut by a stop: found anew below
    classes = {name for source in registry.sources(WATCH_SOURCES) for name in source.meta.event_classes}
    needs = {
        unit.meta.uid: indispensable_class(unit)
        for unit in registry.detections()
        # What follows other findings links two machines, and here is one.
        if classes & set(unit.meta.reads) and NEVER_HERE not in unit.meta.reads and not unit.meta.follows_findings
    }
    draft = kept.with_name(kept.name + ".draft")
    draft.write_text(json.dumps({"version": _version(), "needs": needs}), encoding="utf-8")
    draft.replace(kept)
    return needs


def _version() -> str:
    """The program's version with the names of its units, as a unit may be added without a new version."""
    return f"{davylamp.__version__} {','.join(folder.name for folder in registry.unit_folders('detections'))}"
