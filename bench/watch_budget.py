"""What `davylamp watch` costs: CPU and memory by processes and sockets, and under a storm of short processes.

    python -m bench.watch_budget [--processes 100 300 1000] [--sockets 100 200 1000] [--seconds 60] [--storm]

Idle processes and quiet connections are made, the watch is given 20 s to start, then what its lasting process used is
read from `/proc`; what judging used is read from the watch's own children's clock (cutime). Other load on the machine
is seen by the watch too and costs it events, so the load average is stated.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
START_UP_S = 20.0
STORM = "import os, sys, time\nend = time.monotonic() + float(sys.argv[1])\n" + (
    "while time.monotonic() < end:\n"
    "  for _ in range(20):\n"
    "    if os.posix_spawn('/bin/true', ['true'], {}): pass\n"
    "  try:\n"
    "    while os.waitpid(-1, os.WNOHANG)[0]: pass\n"
    "  except ChildProcessError: pass\n"
    "  time.sleep(max(0.0, 20 / float(sys.argv[2]) - 0.005))\n"
)


@dataclass(frozen=True)
class Cost:
    """What one run measured; ratios are of one core.

    Args:
        starts_per_s: processes that started on the machine, as the kernel counts them.
    """

    processes_count: int
    sockets_count: int
    seconds: float
    lasting_cpu_ratio: float
    judging_cpu_ratio: float
    resident_bytes: int
    proportional_bytes: int
    starts_per_s: float
    load: float
    lost_count: int
    judging_peak_bytes: int


@contextmanager
def idle_processes(count: int) -> Iterator[None]:
    """So many sleeping processes."""
    made = [subprocess.Popen(["sleep", "3600"]) for _ in range(count)]
    try:
        yield
    finally:
        for each in made:
            each.kill()
        for each in made:
            each.wait()


@contextmanager
def quiet_connections(count: int) -> Iterator[None]:
    """So many sockets, both ends of half as many connections on the loopback address."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, count + 512), most))
    with ExitStack() as kept:
        server = kept.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1024))
        for _ in range(count // 2):
            kept.enter_context(socket.create_connection(server.getsockname()))
            kept.enter_context(server.accept()[0])
        yield


@contextmanager
def storm(seconds: float, per_s: float) -> Iterator[None]:
    """Short processes for a bounded time."""
    child = subprocess.Popen([sys.executable, "-S", "-c", STORM, str(seconds), str(per_s)])
    try:
        yield
    finally:
        child.kill()
        child.wait()


def measured(processes_count: int, sockets_count: int, seconds: float, storm_per_s: float, cap: str) -> Cost:
    """One run."""
    with ExitStack() as kept:
        folder = kept.enter_context(tempfile.TemporaryDirectory(prefix="davylamp-bench-"))
        kept.enter_context(idle_processes(processes_count))
        kept.enter_context(quiet_connections(sockets_count))
        if storm_per_s:
            kept.enter_context(storm(START_UP_S + seconds + 5, storm_per_s))
        watch = kept.enter_context(_watch(Path(folder), cap))
        time.sleep(START_UP_S)
        before, started_count = _cpu_s(watch.pid), _starts_count()
        began = time.monotonic()
        time.sleep(seconds)
        after, lasted_s = _cpu_s(watch.pid), time.monotonic() - began
        rollup = Path(f"/proc/{watch.pid}/smaps_rollup").read_text(encoding="ascii")
        cost = Cost(
            processes_count=processes_count,
            sockets_count=sockets_count,
            seconds=round(lasted_s, 1),
            lasting_cpu_ratio=round((after[0] - before[0]) / lasted_s, 5),
            judging_cpu_ratio=round((after[1] - before[1]) / lasted_s, 5),
            resident_bytes=_kib(rollup, "Rss"),
            proportional_bytes=_kib(rollup, "Pss"),
            starts_per_s=round((_starts_count() - started_count) / lasted_s, 1),
            load=os.getloadavg()[0],
            lost_count=0,
            judging_peak_bytes=0,
        )
        watch.terminate()
        out, _ = watch.communicate(timeout=60)
    said = [json.loads(line) for line in out.splitlines()]
    lost_count = sum(line["sensor"].get("lost_count", 0) for line in said if line["kind"] == "sensor")
    peak_bytes = max((line["cost"].get("judging_peak_bytes", 0) for line in said if line["kind"] == "cost"), default=0)
    return replace(cost, lost_count=lost_count, judging_peak_bytes=peak_bytes)


@contextmanager
def _watch(folder: Path, cap: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "davylamp", "watch", "--case", str(folder / "case"), "--format", "jsonl"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    # An installed program is compiled once; a shell that forbids it would have each judging compile anew.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with subprocess.Popen([*command, "--cpu-cap", cap], stdout=subprocess.PIPE, env=environment) as child:
        try:
            yield child
        finally:
            child.kill()


def _cpu_s(pid: int) -> tuple[float, float]:
    """CPU seconds of a process, and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    own, children = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
    return own / TICKS_PER_S, children / TICKS_PER_S


def _starts_count() -> int:
    lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("processes "))


def _kib(rollup: str, name: str) -> int:
    return next(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith(f"{name}:"))


def main() -> None:
    """Prints one row a run, as a table and as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.watch_budget", description=__doc__)
    parser.add_argument("--processes", type=int, nargs="*", default=[100, 300, 1000])
    parser.add_argument("--sockets", type=int, nargs="*", default=[100, 200, 1000])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--storm", type=float, default=0.0, metavar="PER_S", help="short processes a second")
    parser.add_argument("--cpu-cap", default="2")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    costs = []
    print("| processes | sockets | s | lasting CPU | judging CPU | judging peak | RSS | PSS | starts/s | load | lost |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for processes_count, sockets_count in zip(options.processes, options.sockets, strict=True):
        cost = measured(processes_count, sockets_count, options.seconds, options.storm, options.cpu_cap)
        costs.append(cost)
        print(
            f"| {cost.processes_count} | {cost.sockets_count} | {cost.seconds:.0f} | {cost.lasting_cpu_ratio:.2%} "
            f"| {cost.judging_cpu_ratio:.2%} | {cost.judging_peak_bytes / 2**20:.0f} MiB "
            f"| {cost.resident_bytes / 2**20:.1f} MiB | {cost.proportional_bytes / 2**20:.1f} MiB "
            f"| {cost.starts_per_s} | {cost.load:.1f} | {cost.lost_count} |",
            flush=True,
        )
    if options.output:
        options.output.write_text(json.dumps([asdict(cost) for cost in costs], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
