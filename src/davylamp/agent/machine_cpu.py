"""The machine's CPU in one window: spent in all, spent by processes, and spent by the processes that show."""

from __future__ import annotations

import os
from collections.abc import Mapping

from davylamp.agent import procfs
from davylamp.agent.procfs import MachineTime, Stat
from davylamp.agent.record import Look, Recorder

# Inode of the first pid namespace (PROC_PID_INIT_INO, include/linux/proc_ns.h).
FIRST_PID_NAMESPACE = "pid:[4026531836]"


def why_incomparable() -> str:
    """Why CPU that was spent cannot be compared with CPU of the processes that show; empty where it can."""
    if procfs.link_of("/proc/self/ns/pid") != FIRST_PID_NAMESPACE:
        return (
            "this is a container: /proc/stat counts the whole machine and the listing does not; "
            "`davylamp scan host` on the machine itself would compare them"
        )
    if os.geteuid() != 0 and procfs.hides_processes():
        return "/proc is mounted with hidepid, so that other users' processes are not listed; root sees them"
    return ""


def state_comparison(look: Look) -> None:
    """Says so where CPU that was spent cannot be compared with CPU of the processes that show."""
    if reason := why_incomparable():
        look.could_not_look("CPU of hidden processes", reason)


def visible_ticks(before: Mapping[int, Stat], after: Mapping[int, Stat]) -> int:
    """Ticks that the processes which show spent between two readings of all of them.

    What a process used after it was last seen alive is found in its parent's count of those it has reaped, together
    with all that it had used before. Where the parent ignores its children's ends nobody counts that.
    """
    own = reaped = vanished = 0
    for pid, stat in after.items():
        old = before.get(pid)
        same = old is not None and old.start_ticks == stat.start_ticks
        own += stat.ticks - (old.ticks if old is not None and same else 0)
        reaped += stat.reaped_ticks - (old.reaped_ticks if old is not None and same else 0)
    for pid, old in before.items():
        stat_now = after.get(pid)
        if stat_now is None or stat_now.start_ticks != old.start_ticks:
            vanished += old.ticks + old.reaped_ticks
    return max(0, own) + max(0, reaped - vanished)


def record_machine(
    recorder: Recorder,
    began_at: float,
    last: MachineTime,
    now: MachineTime,
    before: Mapping[int, Stat],
    after: Mapping[int, Stat],
) -> None:
    """Writes the window between two readings; what interrupts took belongs to no process.

    Args:
        before, after: the processes in the listing at both readings.
    """
    there_was_s = now.all_s - last.all_s
    if there_was_s <= 0:
        return
    used = {"cpu": now.spent_s - last.spent_s}
    if not why_incomparable():
        used["cpu_of_processes"] = now.processes_s - last.processes_s
        used["cpu_of_visible_processes"] = visible_ticks(before, after) / procfs.TICKS_PER_S
    for metric, spent_s in used.items():
        recorder.record(
            "resource_usage",
            began_at,
            metric=metric,
            period_s=now.at_s - last.at_s,
            cpu_count=os.cpu_count(),
            used_ratio=spent_s / there_was_s,
            started_count=now.started_count - last.started_count,
        )
