"""Watch: the sensor runs in this process, judging in short-lived ones; nothing heavy is imported here."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from davylamp.agent.sensor import DEFAULT_CPU_CAP_RATIO, Sensor, SensorConfig
from davylamp.agent.spool import DEFAULT_TOTAL_BYTES, SpoolInUseError
from davylamp.app.watch_lines import said_as_json, said_as_text
from davylamp.errors import CaseError

JUDGE_MODULE = "davylamp.app.judge_spool"


@dataclass(frozen=True)
class WatchRequest:
    """What a watch is asked to do.

    Args:
        for_s: how long; 0 until it is told to stop.
        cpu_cap_ratio: of one core, for all that the watch does.
        alerts: where changes of incidents are sent besides standard output.
    """

    case_folder: str
    for_s: float = 0.0
    format: str = "text"
    cpu_cap_ratio: float = DEFAULT_CPU_CAP_RATIO
    spool_bytes: int = DEFAULT_TOTAL_BYTES
    prices_file: str = ""
    assets_file: str = ""
    alerts: tuple[str, ...] = ()


def watch(request: WatchRequest, out: TextIO) -> int:
    """Watches this host until it is told to stop, or the time is over.

    Returns:
        The exit code: 0, or that of the preparation which said on standard error why it failed.

    Raises:
        CaseError: another watch uses the case, or it cannot be written.
    """
    if code := _prepare(request):
        return code
    say, forward = _voices(request.format, out)
    config = SensorConfig(
        folder=str(Path(request.case_folder) / "watch"),
        spool_bytes=request.spool_bytes,
        cpu_cap_ratio=request.cpu_cap_ratio,
        judge_command=judge_command(request),
        for_s=request.for_s,
    )
    try:
        sensor = Sensor(config, say, forward)
    except SpoolInUseError as error:
        raise CaseError(
            "another watch uses this case",
            where=request.case_folder,
            why="its spool is locked",
            hint="davylamp watch --case DIR",
        ) from error
    except OSError as error:
        raise CaseError(
            "the spool cannot be written",
            where=str(error.filename or config.folder),
            why=(error.strerror or str(error)).lower(),
            hint=f"df -h {request.case_folder}; ls -ld {request.case_folder}",
        ) from error
    sensor.run()
    return 0


def judge_command(request: WatchRequest) -> tuple[str, ...]:
    """The command of one judging."""
    command = [sys.executable, "-m", JUDGE_MODULE, "--case", request.case_folder, "--format", request.format]
    for option, value in (("--prices", request.prices_file), ("--assets", request.assets_file)):
        command += [option, value] if value else []
    for alert in request.alerts:
        command += ["--alert", alert]
    return tuple(command)


def _prepare(request: WatchRequest) -> int:
    """Has a short-lived process make the case, for making one needs what this process does without."""
    if (Path(request.case_folder) / "case.json").is_file():
        return 0
    command = [*judge_command(request), "--prepare"]
    _, status = os.waitpid(os.posix_spawn(command[0], command, os.environ), 0)
    return os.waitstatus_to_exitcode(status)


def _voices(form: str, out: TextIO) -> tuple[Callable[[str, dict[str, object]], None], Callable[[bytes], None]]:
    render = said_as_json if form == "jsonl" else said_as_text

    def say(kind: str, columns: dict[str, object]) -> None:
        out.write(render(kind, columns) + "\n")
        out.flush()

    def forward(line: bytes) -> None:
        out.write(line.decode("utf-8", "replace") + "\n")
        out.flush()

    return say, forward
