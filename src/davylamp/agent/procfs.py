"""Reading `/proc`: short, without surprises, and without a word where a process has gone meanwhile."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from davylamp.agent.record import plain

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# PF_KTHREAD of the kernel's include/linux/sched.h: set for threads of the kernel, and not to be had by a program.
KERNEL_THREAD_FLAG = 0x00200000
READ_BYTES = 1 << 20
# Mount options under which others' processes do not show, by their names and by their numbers.
_HIDING = frozenset(b"hidepid=" + kind for kind in (b"1", b"2", b"4", b"noaccess", b"invisible", b"ptraceable"))


@dataclass(slots=True)
class Stat:
    """What `/proc/PID/stat` says of a process; times in clock ticks."""

    pid: int
    name: str
    state: str
    parent_pid: int
    terminal: int
    flags: int
    user_ticks: int
    system_ticks: int
    reaped_ticks: int
    thread_count: int
    start_ticks: int
    resident_pages: int

    @property
    def kernel_thread(self) -> bool:
        """Whether it is a thread of the kernel itself."""
        return bool(self.flags & KERNEL_THREAD_FLAG)

    @property
    def ticks(self) -> int:
        """Clock ticks of CPU time it spent itself."""
        return self.user_ticks + self.system_ticks


def read_bytes(path: str, limit_bytes: int = READ_BYTES) -> bytes:
    """The beginning of a file, in one open and as few reads as it gives.

    Raises:
        OSError: it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        data = os.read(descriptor, min(limit_bytes, 65536))
        if len(data) < 4096:
            return data  # files of /proc come whole, or in pages of at least this much
        parts = [data]
        size = len(data)
        while size < limit_bytes and (more := os.read(descriptor, min(65536, limit_bytes - size))):
            parts.append(more)
            size += len(more)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def parse_stat(data: bytes) -> Stat | None:
    """Parses `/proc/PID/stat`; the name may hold anything, so it ends at the last parenthesis."""
    opened, closed = data.find(b"("), data.rfind(b")")
    fields = data[closed + 2 :].split()
    if opened < 1 or closed < opened or len(fields) < 22:
        return None
    return Stat(
        pid=int(data[:opened]),
        name=plain(data[opened + 1 : closed]),
        state=plain(fields[0]),
        parent_pid=int(fields[1]),
        terminal=int(fields[4]),
        flags=int(fields[6]),
        user_ticks=int(fields[11]),
        system_ticks=int(fields[12]),
        reaped_ticks=int(fields[13]) + int(fields[14]),
        thread_count=int(fields[17]),
        start_ticks=int(fields[19]),
        resident_pages=int(fields[21]),
    )


def stat_of(pid: int, proc: str = "/proc") -> Stat | None:
    """A process's stat, or None when it is gone (or hidden)."""
    try:
        return parse_stat(read_bytes(f"{proc}/{pid}/stat"))
    except (OSError, ValueError):
        return None


def listed_pids(proc: str = "/proc") -> set[int]:
    """The processes that listing `/proc` shows."""
    return {int(name) for name in os.listdir(proc) if name.isdecimal()}


def status_fields(data: bytes) -> dict[str, str]:
    """`Name: value` lines of `/proc/PID/status`, `io` and `smaps_rollup`."""
    # Text is made of the whole at once: sixty lines, at the start of every process of the host.
    parted = [line.partition(":") for line in plain(data).split("\n")]
    return {name: value.strip() for name, found, value in parted if found}


def link_of(path: str) -> str | None:
    """Where a link of `/proc` points, or None."""
    try:
        target = os.readlink(path)
    except OSError:
        return None
    return target if target.isascii() else plain(os.fsencode(target))


def boot_at(proc: str = "/proc") -> float:
    """When the machine booted, as the kernel states it: whole seconds since 1970."""
    for line in read_bytes(f"{proc}/stat").split(b"\n"):
        if line.startswith(b"btime "):
            return float(line.split()[1])
    raise OSError("no btime in /proc/stat")


def started_at(stat: Stat, boot: float) -> float:
    """When a process started, seconds since 1970, to a hundredth."""
    return round(boot + stat.start_ticks / TICKS_PER_S, 2)


@dataclass(frozen=True, slots=True)
class MachineTime:
    """CPU seconds of the whole machine since boot.

    Args:
        at_s: monotonic clock at the reading.
        processes_s: spent by processes (user, nice, system); what interrupts took belongs to none of them.
        spent_s: spent on anything.
        all_s: spent and idle together, so all that there was.
        started_count: processes and threads made since boot.
    """

    at_s: float
    processes_s: float
    spent_s: float
    all_s: float
    started_count: int = 0


def machine_time(proc: str = "/proc") -> MachineTime:
    """Reads `/proc/stat`; stolen time is somebody else's work, guests' time is in user time."""
    data = read_bytes(f"{proc}/stat")
    line = data.split(b"\n", 1)[0].split()
    user, nice, system, idle, wait, interrupt, soft, steal = ([int(field) for field in line[1:]] + [0] * 8)[:8]
    processes = user + nice + system
    spent = processes + interrupt + soft
    started = data.partition(b"\nprocesses ")[2].split(b"\n", 1)[0]
    return MachineTime(
        time.monotonic(),
        processes / TICKS_PER_S,
        spent / TICKS_PER_S,
        (spent + idle + wait + steal) / TICKS_PER_S,
        int(started) if started.isdigit() else 0,
    )


def hides_processes(proc: str = "/proc") -> bool:
    """Whether `/proc` is mounted with hidepid, so that others' processes are not shown to us.

    Of mounts over one another, as a service manager lays them for its services, the last is the one that is seen.
    """
    try:
        mounts = read_bytes(f"{proc}/self/mounts")
    except OSError:
        return False
    options: list[bytes] = []
    for line in mounts.split(b"\n"):
        fields = line.split(b" ")
        if len(fields) > 3 and fields[1] == os.fsencode(proc):
            options = fields[3].split(b",") if fields[2] == b"proc" else []
    return any(option in _HIDING for option in options)
