"""The units that a judging of one host needs; loading the others would be half of its cost."""

from __future__ import annotations

import json
from pathlib import Path

import davylamp
from davylamp.kit import registry

# What a watch writes and forwards, and what was approved.
WATCH_SOURCES = frozenset({"host_live", "sshd_syslog", "journald_export", "pcap", "host_baseline"})
# Of a cloud's control plane a host's own evidence says nothing.
NEVER_HERE = "api_activity"


def watch_units(kept: Path) -> frozenset[str]:
    """Detections that read something of what these sources give; found once for each version, and kept.

    Args:
        kept: file that holds them between judgings.
    """
    try:
        known = json.loads(kept.read_text(encoding="utf-8"))
        if known["version"] == _version():
            return frozenset(known["units"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        pass  # none yet, or cut by a stop: found anew below
    classes = {name for source in registry.sources(WATCH_SOURCES) for name in source.meta.event_classes}
    units = sorted(
        unit.meta.uid
        for unit in registry.detections()
        if classes & set(unit.meta.reads) and NEVER_HERE not in unit.meta.reads
    )
    draft = kept.with_name(kept.name + ".draft")
    draft.write_text(json.dumps({"version": _version(), "units": units}), encoding="utf-8")
    draft.replace(kept)
    return frozenset(units)


def _version() -> str:
    """The program's version with the names of its units, as a unit may be added without a new version."""
    return f"{davylamp.__version__} {','.join(folder.name for folder in registry.unit_folders('detections'))}"
