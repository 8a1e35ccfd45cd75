"""How long after an emulated miner's start `davylamp watch` opens its incident.

    python -m bench.watch_delay [--share-gap 8] [--job-period 30] [--tls] [--level 1.0] [--seeds 1] [--longest 300]

As root, one miner after the other, each on loopback in a watch of its own. Right is an incident whose findings name
the miner's own process. Other load on the machine delays both, so the load average is stated.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from davylamp.kit.emulation.stage import Stage

ROOT = Path(__file__).resolve().parents[1]
START_UP_S = 20.0


def delay_s(options: argparse.Namespace, seed: int) -> float | None:
    """Seconds from the worker's start to the incident; None where none was opened within `--longest`."""
    with (
        tempfile.TemporaryDirectory(prefix="davylamp-bench-") as folder,
        _watch(Path(folder) / "case", START_UP_S + options.longest + 15) as watch,
        Stage(options.longest + 10, seed) as stage,
    ):
        time.sleep(START_UP_S)
        began_s = time.monotonic()
        pid = _play(stage, options)
        signal.alarm(int(options.longest))
        try:
            assert watch.stdout is not None
            for line in watch.stdout:
                if _names(json.loads(line), pid):
                    return time.monotonic() - began_s
        except TimeoutError:
            return None
        finally:
            signal.alarm(0)
    return None


def _play(stage: Stage, options: argparse.Namespace) -> int:
    port = 443 if options.tls else 14444
    told = {"host": stage.host, "port": port, "share_gap_s": options.share_gap, "job_period_s": options.job_period}
    served: dict[str, Any] = {}
    if options.tls:
        certificate, key = stage.certificate()
        served = {"certificate": str(certificate), "key": str(key)}
    stage.role("pool", **told, **served)
    burning = {"level_ratio": options.level, "period_s": 1.0, "tls": options.tls}
    return stage.role("worker", program="lib/session-agent", shown_name="session-agent", **told, **burning)


def _names(line: dict[str, Any], pid: int) -> bool:
    """Whether a line of the watch is an incident with that process among its assets."""
    if line["kind"] != "incident":
        return False
    assets = line["incident"]["assets"]
    return any(each["kind"] == "process" and each["name"].partition("@")[0] == str(pid) for each in assets)


@contextmanager
def _watch(case: Path, longest_s: float) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "davylamp", "watch", "--case", str(case), "--format", "jsonl"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    whole = [*command, "--for", f"{longest_s:.0f}s"]
    with subprocess.Popen(whole, stdout=subprocess.PIPE, env=environment, text=True) as child:
        try:
            yield child
        finally:
            child.terminate()


def _too_long(*_: object) -> None:
    raise TimeoutError


def main() -> None:
    """Prints a line a run, and least, median and most."""
    parser = argparse.ArgumentParser(prog="python -m bench.watch_delay", description=__doc__)
    parser.add_argument("--share-gap", type=float, default=8.0, help="mean seconds between shares")
    parser.add_argument("--job-period", type=float, default=30.0, help="seconds between jobs")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--level", type=float, default=1.0, help="share of a core that is burnt, each second")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--longest", type=float, default=300.0, help="seconds after which it counts as missed")
    options = parser.parse_args()
    signal.signal(signal.SIGALRM, _too_long)
    found = []
    for seed in range(1, options.seeds + 1):
        taken_s = delay_s(options, seed)
        said = "missed" if taken_s is None else f"incident after {taken_s:.0f} s"
        print(f"seed {seed}: {said}, load {os.getloadavg()[0]:.1f}", flush=True)
        if taken_s is not None:
            found.append(taken_s)
    if found:
        least, median, most = min(found), statistics.median(found), max(found)
        print(f"{len(found)} of {options.seeds}: {least:.0f} / {median:.0f} / {most:.0f} s")


if __name__ == "__main__":
    main()
