"""Processes of the host, as the listing shows them; what is asked of each once is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from davylamp.agent import procfs
from davylamp.agent.details import Reader
from davylamp.agent.procfs import Stat
from davylamp.agent.record import Look

# Ancestors told with a process: deeper lines of descent are shells in shells.
LINEAGE_COUNT = 8

OwnerOf = Callable[[str], tuple[str | None, str]]


@dataclass
class Table:
    """Processes known so far: what is asked of them once is kept by pid and start.

    Args:
        owner_of: package and its state of an image, or None when packages are not looked at.
        covered: processes that a listing of `/proc` shows nothing of, and that the reader reads all the same.
    """

    reader: Reader
    owner_of: OwnerOf | None = None
    stats: dict[int, Stat] = field(default_factory=dict)
    told: dict[int, int] = field(default_factory=dict)
    covered: frozenset[int] = frozenset()

    def shown(self) -> dict[int, Stat]:
        """Those that a listing of `/proc` shows, as they were read last."""
        return (
            {pid: stat for pid, stat in self.stats.items() if pid not in self.covered} if self.covered else self.stats
        )

    def refresh(self) -> set[int]:
        """Reads every listed process's stat anew; returns those that are new (or have the pid of another)."""
        new = set()
        fresh: dict[int, Stat] = {}
        for pid in procfs.listed_pids(self.reader.proc):
            known = procfs.stat_of(pid, self.reader.proc)
            if known is None or known.pid != pid:
                continue  # it has ended, or somebody has laid another process's folder over it
            fresh[pid] = known
            if self.told.get(pid) != known.start_ticks:
                new.add(pid)
        self.stats = fresh
        return new

    def tell(self, look: Look, pids: Iterable[int], activity: str, **views: object) -> None:
        """Records what is known of these processes."""
        for pid in sorted(pids):
            known = self.stats.get(pid) or procfs.stat_of(pid, self.reader.proc)
            columns = None if known is None else self.reader.columns(known)
            if known is None or columns is None:
                continue
            self.told[pid] = known.start_ticks
            parent = self.stats.get(known.parent_pid)
            columns["parent_process_started_at"] = parent and procfs.started_at(parent, self.reader.boot)
            columns["lineage"] = self.lineage(known) or None
            columns |= self._package(columns)
            look.record("process_activity", activity=activity, **columns, **views)

    def lineage(self, known: Stat) -> list[str]:
        """Ancestors as `PID@START NAME`, the parent first."""
        line: list[str] = []
        while known.parent_pid and len(line) < LINEAGE_COUNT:
            parent = self.stats.get(known.parent_pid)
            if parent is None:
                break
            at = time.gmtime(procfs.started_at(parent, self.reader.boot))
            line.append(f"{parent.pid}@{time.strftime('%Y-%m-%dT%H:%M:%SZ', at)} {parent.name}")
            known = parent
        return line

    def _package(self, columns: dict[str, object]) -> dict[str, object]:
        path = columns.get("image_path")
        inside = any(str(each).startswith("mnt:") for each in _listed(columns.get("namespace_uids")))
        if self.owner_of is None or inside or not isinstance(path, str) or columns.get("image_state") == "memory":
            return {}
        package, state = self.owner_of(path)
        return {"image_package": package, "image_package_state": state}


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []
