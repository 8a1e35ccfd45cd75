"""One command, measured from outside: wall clock, CPU and peak memory as the kernel counts them."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True, slots=True)
class Measured:
    """What one command took; several runs give the median of each figure."""

    command: str
    wall_s: float
    cpu_s: float
    peak_bytes: int
    runs_count: int = 1


def shown(command: Sequence[str]) -> str:
    """The command as a reader would type it."""
    return shlex.join(Path(word).name if word == sys.executable else word for word in command)


# Installed programs have their modules compiled; a shell that forbids writing them would have each run compile anew.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _once(command: Sequence[str], allowed_codes: Sequence[int]) -> Measured:
    began_s = time.perf_counter()
    with subprocess.Popen(command, env=_ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.perf_counter() - began_s
    if process.returncode not in allowed_codes:
        raise RuntimeError(
            f"{' '.join(command)} ended with {process.returncode}: {said.decode(errors='replace')[-500:]}"
        )
    return Measured(shown(command), wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def measure(command: Sequence[str], runs_count: int = 1, allowed_codes: Sequence[int] = (0,)) -> Measured:
    """Runs a command and measures it, its children included."""
    runs = [_once(command, allowed_codes) for _ in range(runs_count)]
    return Measured(
        command=runs[0].command,
        wall_s=median(run.wall_s for run in runs),
        cpu_s=median(run.cpu_s for run in runs),
        peak_bytes=max(run.peak_bytes for run in runs),
        runs_count=runs_count,
    )
