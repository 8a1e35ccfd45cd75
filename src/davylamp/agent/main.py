"""The sensor alone: `python -m davylamp.agent FOLDER` writes a spool and judges nothing."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from davylamp.agent.sensor import DEFAULT_CPU_CAP_RATIO, Sensor, SensorConfig
from davylamp.agent.spool import DEFAULT_TOTAL_BYTES


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the sensor until it is told to stop; what it states of itself goes to standard output as JSON lines."""
    options = _parser().parse_args(arguments)
    config = SensorConfig(
        folder=options.folder,
        spool_bytes=options.spool_bytes,
        cpu_cap_ratio=options.cpu_cap / 100,
        for_s=options.for_s,
    )
    try:
        sensor = Sensor(config, _say, lambda line: None)
    except OSError as error:
        sys.stderr.write(f"davylamp.agent: the spool cannot be used\n  where: {options.folder}\n  why: {error}\n")
        return 2
    sensor.run()
    return 0


def _say(kind: str, columns: dict[str, object]) -> None:
    sys.stdout.write(json.dumps({"said": kind, **columns}))
    sys.stdout.write("\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m davylamp.agent", description=__doc__)
    parser.add_argument("folder", help="the spool is written below it; scan it with `davylamp scan FOLDER/spool`")
    parser.add_argument("--for", dest="for_s", type=float, default=0.0, metavar="SECONDS", help="end after so long")
    parser.add_argument("--cpu-cap", type=float, default=DEFAULT_CPU_CAP_RATIO * 100, metavar="PERCENT")
    parser.add_argument("--spool-bytes", type=int, default=DEFAULT_TOTAL_BYTES)
    return parser
