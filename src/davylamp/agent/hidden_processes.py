"""Processes that hide, found by views that do not rest on each other."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace

from davylamp.agent import procfs
from davylamp.agent.own_procfs import own_procfs
from davylamp.agent.processes import Table
from davylamp.agent.record import Look, plain

PROC = "/proc"
# What the walk over control groups may take.
CONTROL_GROUPS_COUNT = 20000
CONTROL_GROUP_FOLDER = "/sys/fs/cgroup"


def hidden_pids(proc: str = PROC) -> set[int]:
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


def covered_pids(proc: str = PROC) -> set[int]:
    """Processes that a listing names and whose folder is empty or another process's: something was laid over it.

    A process may end between the listing and the reading: one is covered only when it is so twice and still answers.
    What we may not read (hidepid, a security module) is not covered.
    """
    seen = {pid for pid in procfs.listed_pids(proc) if _is_covered(pid, proc)}
    return {pid for pid in seen if _is_covered(pid, proc) and _answers(pid)}


def _is_covered(pid: int, proc: str) -> bool:
    try:
        known = procfs.parse_stat(procfs.read_bytes(f"{proc}/{pid}/stat"))
    except PermissionError:
        return False
    except (OSError, ValueError):
        return True
    return known is None or known.pid != pid


@contextlib.contextmanager
def uncovered(look: Look) -> Iterator[tuple[str, frozenset[int]]]:
    """Where to read processes from, and which of them are covered: `/proc`, or a view of our own where any are.

    A covered process is then looked at like any other: what it runs, what it uses, whom it talks to.
    """
    covered = frozenset(covered_pids())
    with contextlib.ExitStack() as stack:
        proc = PROC
        if covered:
            try:
                proc = stack.enter_context(own_procfs())
            except OSError as error:
                reason = f"no view of our own onto processes ({error.strerror}); CAP_SYS_ADMIN would allow one"
                look.could_not_look("details of hidden processes", reason)
        yield proc, covered


def collect_hidden(look: Look, table: Table) -> None:
    """Records processes that hide from listings or from their details, as far as they can still be read."""
    try:
        hidden = {pid: ("list", ["sweep"]) for pid in hidden_pids()}
    except PermissionError as error:
        look.could_not_look("hidden processes", str(error))
        return
    with uncovered(look) as (proc, covered):
        hidden |= {pid: ("details", ["list", "sweep"]) for pid in covered}
        _tell(look, replace(table, reader=replace(table.reader, proc=proc)), hidden)


def _tell(look: Look, table: Table, hidden: dict[int, tuple[str, list[str]]]) -> None:
    for pid, (hidden_from, seen_by) in sorted(hidden.items()):
        views = {"seen_by": seen_by, "hidden_from": [hidden_from]}
        known = procfs.stat_of(pid, table.reader.proc)
        if known is None or known.pid != pid:
            name = None if known is not None else _name_of(pid, table.reader.proc)
            look.record("process_activity", activity="snapshot", process_pid=pid, process_name=name, **views)
            continue
        table.stats[pid] = known
        table.tell(look, [pid], "snapshot", **views)


def _name_of(pid: int, proc: str) -> str | None:
    try:
        return plain(procfs.read_bytes(f"{proc}/{pid}/comm").strip()) or None
    except OSError:
        return None
