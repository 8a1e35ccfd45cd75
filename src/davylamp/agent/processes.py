"""Processes of the host, in views that do not rest on each other, so that one that hides from a listing shows."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from davylamp.agent import procfs
from davylamp.agent.details import Reader
from davylamp.agent.procfs import Stat
from davylamp.agent.record import Look, plain

# Ancestors told with a process: deeper lines of descent are shells in shells.
LINEAGE_COUNT = 8
# What the sweep and the walk over control groups may take: pids go to 4,194,304 at most (include/linux/threads.h).
CONTROL_GROUPS_COUNT = 20000
CONTROL_GROUP_FOLDER = "/sys/fs/cgroup"

OwnerOf = Callable[[str], tuple[str | None, str]]


@dataclass
class Table:
    """Processes known so far: what is asked of them once is kept by pid and start.

    Args:
        owner_of: package and its state of an image, or None when packages are not looked at.
    """

    reader: Reader
    owner_of: OwnerOf | None = None
    stats: dict[int, Stat] = field(default_factory=dict)
    told: dict[int, int] = field(default_factory=dict)

    def refresh(self) -> set[int]:
        """Reads every listed process's stat anew; returns those that are new (or have the pid of another)."""
        new = set()
        fresh: dict[int, Stat] = {}
        for pid in procfs.listed_pids(self.reader.proc):
            known = procfs.stat_of(pid, self.reader.proc)
            if known is None:
                continue
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


def hidden_pids(proc: str = "/proc") -> set[int]:
    """Processes that answer a signal or stand in a control group, and that a listing does not show.

    A process may start or end between two looks: one is hidden only when the listings before and after lack it,
    it is there at both, and its own status says that it is a process and not a thread of one.

    Raises:
        PermissionError: `/proc` hides others' processes from us by its own setting; nothing can be said.
    """
    if procfs.hides_processes(proc) and os.geteuid() != 0:
        raise PermissionError("/proc is mounted with hidepid; CAP_SYS_PTRACE would show other users' processes")
    before = procfs.listed_pids(proc)
    seen = {pid for pid in _sweep(_last_pid(proc, before)) if pid not in before}
    seen |= {pid for pid in control_group_pids() if pid not in before}
    seen = {pid for pid in seen if _is_process(pid, proc)}
    after = procfs.listed_pids(proc) if seen else before
    return {pid for pid in seen if pid not in after and _is_process(pid, proc)}


def _last_pid(proc: str, listed: set[int]) -> int:
    """The highest pid worth asking for: the last one given out, or the highest that is listed."""
    try:
        last = int(procfs.read_bytes(f"{proc}/loadavg").split()[4])
    except (OSError, ValueError, IndexError):
        last = 0
    return max(last, max(listed, default=1)) + 64


def _sweep(last: int) -> set[int]:
    """Pids that exist, by asking for each: signal 0 changes nothing."""
    found = set()
    for pid in range(1, last + 1):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            continue
        except OSError:
            pass  # it exists and is another user's
        found.add(pid)
    return found


def control_group_pids(folder: str = CONTROL_GROUP_FOLDER) -> set[int]:
    """Pids that control groups hold."""
    found: set[int] = set()
    for count, (place, _, files) in enumerate(os.walk(folder)):
        if "cgroup.procs" in files:
            try:
                found |= {int(line) for line in procfs.read_bytes(f"{place}/cgroup.procs").split()}
            except (OSError, ValueError):
                continue
        if count >= CONTROL_GROUPS_COUNT:
            break
    return found - {0}


def _is_process(pid: int, proc: str) -> bool:
    """Whether the pid is a process's own; a thread of a listed process answers signals too.

    Where `/proc/PID` itself is kept from us nothing says that it is a thread, so the signal's word stands.
    """
    try:
        status = procfs.status_fields(procfs.read_bytes(f"{proc}/{pid}/status"))
    except OSError:
        return _answers(pid)
    return status.get("Tgid", str(pid)) == str(pid)


def _answers(pid: int) -> bool:
    """A second question, since the process may have ended after the first."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def collect_hidden(look: Look, table: Table) -> None:
    """Records processes that hide from listings, as far as they can still be read."""
    try:
        hidden = hidden_pids(table.reader.proc)
    except PermissionError as error:
        look.could_not_look("hidden processes", str(error))
        return
    for pid in sorted(hidden):
        known = procfs.stat_of(pid, table.reader.proc)
        if known is None:
            name = plain(_name_of(pid, table.reader.proc))
            look.record(
                "process_activity",
                activity="snapshot",
                process_pid=pid,
                process_name=name or None,
                seen_by=["sweep"],
                hidden_from=["list"],
            )
            continue
        table.stats[pid] = known
        table.tell(look, [pid], "snapshot", seen_by=["sweep"], hidden_from=["list"])


def _name_of(pid: int, proc: str) -> bytes:
    try:
        return procfs.read_bytes(f"{proc}/{pid}/comm").strip()
    except OSError:
        return b""
