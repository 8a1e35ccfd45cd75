"""The machine's CPU in one window: spent in all, spent by processes, and spent by the processes that show."""

from __future__ import annotations

import os

from davylamp.agent import procfs
from davylamp.agent.processes import Table
from davylamp.agent.procfs import MachineTime
from davylamp.agent.record import Recorder

# Inode of the first pid namespace (PROC_PID_INIT_INO, include/linux/proc_ns.h).
FIRST_PID_NAMESPACE = "pid:[4026531836]"


def visible_ticks(table: Table) -> int:
    """Ticks of all processes that are here and of all that they have reaped: it only grows."""
    return sum(stat.ticks + stat.reaped_ticks for stat in table.stats.values())


def record_machine(recorder: Recorder, began_at: float, last: MachineTime, now: MachineTime, visible_s: float) -> None:
    """Writes the window between two readings; what interrupts took belongs to no process.

    Args:
        visible_s: CPU seconds that the processes in the listing spent in the window.
    """
    there_was_s = now.all_s - last.all_s
    if there_was_s <= 0:
        return
    period_s = now.at_s - last.at_s
    used = {"cpu": now.spent_s - last.spent_s}
    # In a container `/proc/stat` counts the whole machine, and the listing does not.
    if procfs.link_of("/proc/self/ns/pid") == FIRST_PID_NAMESPACE:
        used["cpu_of_processes"] = now.processes_s - last.processes_s
        used["cpu_of_visible_processes"] = max(0.0, visible_s)
    for metric, spent_s in used.items():
        recorder.record(
            "resource_usage",
            began_at,
            metric=metric,
            period_s=period_s,
            cpu_count=os.cpu_count(),
            used_ratio=spent_s / there_was_s,
        )
