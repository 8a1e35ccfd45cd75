"""What processes use, window by window: CPU, threads, switches, bytes."""

from __future__ import annotations

import os
from dataclasses import dataclass

from davylamp.agent import procfs
from davylamp.agent.procfs import TICKS_PER_S, Stat, read_bytes, status_fields

# Threads looked at one by one in a busy process; RandomX runs one a core, and no machine on sale has more.
THREADS_COUNT = 512
BUSY_RATIO = 0.5


@dataclass(slots=True)
class Counters:
    """A process's counters at one instant; None where they could not be read."""

    stat: Stat
    thread_ticks: dict[int, int] | None = None
    voluntary_count: int | None = None
    involuntary_count: int | None = None
    transferred_bytes: int | None = None
    storage_bytes: int | None = None
    waited_ns: int | None = None


def counters_of(stat: Stat, proc: str = "/proc") -> Counters:
    """Reads all counters of a process."""
    made = Counters(stat)
    place = f"{proc}/{stat.pid}"
    try:
        fields = status_fields(read_bytes(f"{place}/io"))
        made.transferred_bytes = int(fields["rchar"]) + int(fields["wchar"])
        made.storage_bytes = int(fields["read_bytes"]) + int(fields["write_bytes"])
    except (OSError, KeyError, ValueError):
        pass  # another user's; the columns stay empty
    ticks: dict[int, int] = {}
    voluntary = involuntary = waited_ns = 0
    try:
        threads = os.listdir(f"{place}/task")[:THREADS_COUNT]
        for thread in threads:
            known = procfs.stat_of(int(thread), f"{place}/task")
            if known is not None:
                ticks[known.pid] = known.ticks
            switches = status_fields(read_bytes(f"{place}/task/{thread}/status"))
            voluntary += int(switches.get("voluntary_ctxt_switches", "0"))
            involuntary += int(switches.get("nonvoluntary_ctxt_switches", "0"))
            # Ran, waited for a CPU, and how often (Documentation/scheduler/sched-stats.rst).
            waited_ns += int(read_bytes(f"{place}/task/{thread}/schedstat").split()[1])
    except (OSError, ValueError, IndexError):
        return made  # it ended, or a thread of it did, while we read
    made.thread_ticks, made.voluntary_count, made.involuntary_count = ticks, voluntary, involuntary
    made.waited_ns = waited_ns
    return made


def window_columns(before: Counters, after: Counters, length_s: float) -> dict[str, object]:
    """Columns of `process_usage` for the window between two readings of one process."""
    old, new = before.stat, after.stat
    waited_ns = _difference(before.waited_ns, after.waited_ns)
    return {
        "process_pid": new.pid,
        "cpu_user_s": (new.user_ticks - old.user_ticks) / TICKS_PER_S,
        "cpu_system_s": (new.system_ticks - old.system_ticks) / TICKS_PER_S,
        "cpu_wait_s": None if waited_ns is None else waited_ns / 1e9,
        "thread_count": new.thread_count,
        "busy_thread_count": _busy_threads(before, after, length_s),
        "voluntary_switches_count": _difference(before.voluntary_count, after.voluntary_count),
        "involuntary_switches_count": _difference(before.involuntary_count, after.involuntary_count),
        "transferred_bytes": _difference(before.transferred_bytes, after.transferred_bytes),
        "storage_bytes": _difference(before.storage_bytes, after.storage_bytes),
        "memory_bytes": new.resident_pages * procfs.PAGE_BYTES,
    }


def _busy_threads(before: Counters, after: Counters, length_s: float) -> int | None:
    if before.thread_ticks is None or after.thread_ticks is None:
        return None
    busy = BUSY_RATIO * length_s * TICKS_PER_S
    return sum(ticks - before.thread_ticks.get(thread, 0) > busy for thread, ticks in after.thread_ticks.items())


def _difference(old: int | None, new: int | None) -> int | None:
    # A thread that ended takes its switches along, so the sum may fall.
    return None if old is None or new is None else max(0, new - old)


def cpu_allowed_count(pid: int, cgroup_path: str | None) -> float:
    """CPUs a process may use: its affinity, and the quota of its control group and those above."""
    try:
        allowed = float(len(os.sched_getaffinity(pid)))
    except OSError:
        allowed = float(os.cpu_count() or 1)
    place = (cgroup_path or "").rstrip("/")
    while place:
        quota = _quota(place)
        if quota:
            allowed = min(allowed, quota)
        place = place.rpartition("/")[0]
    return round(allowed, 3)


def group_of(pid: int) -> str | None:
    """The control group that limits a process's CPU."""
    try:
        lines = read_bytes(f"/proc/{pid}/cgroup").decode("utf-8", "backslashreplace").splitlines()
    except OSError:
        return None
    groups = [parts for line in lines if len(parts := line.split(":", 2)) == 3]
    version_1 = [path for _, names, path in groups if "cpu" in names.split(",")]
    version_2 = [path for _, names, path in groups if not names]
    return next(iter(version_1 + version_2), None)


def _quota(place: str) -> float | None:
    """CPUs a control group may use: `cpu.max` (version 2), else `cpu.cfs_quota_us` (version 1)."""
    try:
        quota, period = read_bytes(f"/sys/fs/cgroup{place}/cpu.max").split()
        return None if quota == b"max" else int(quota) / int(period)
    except (OSError, ValueError):
        pass
    try:
        folder = f"/sys/fs/cgroup/cpu{place}"
        limit, span = int(read_bytes(f"{folder}/cpu.cfs_quota_us")), int(read_bytes(f"{folder}/cpu.cfs_period_us"))
    except (OSError, ValueError):
        return None
    return limit / span if limit > 0 and span > 0 else None
