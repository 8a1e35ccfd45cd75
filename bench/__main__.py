"""Measures whole scans beside the floors of their formats: `python -m bench [NAME ...] [--scale 1]`."""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import davylamp
from bench.floors import floors
from bench.measure import Measured, measure
from bench.peers import peers
from bench.table import figures, standing, write_into

HERE = Path(__file__).parent
NAMES = (
    "flow_text",
    "flow_parquet",
    "resolver_json",
    "zeek_dns",
    "dns_log",
    "trail_files",
    "trail_lines",
    "sshd",
    "capture",
)
HELP = "help"
# 0 is a whole scan, 4 a scan whose coverage is partial.
SCANNED = (0, 4)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join((*NAMES, HELP))}; all when none is named")
    parser.add_argument("--scale", type=float, default=0.01, help="1 is 20 million flows, 1 GB of pcap (default 0.01)")
    parser.add_argument("--folder", type=Path, help="where evidence is written and kept (default: a temporary folder)")
    parser.add_argument("--runs", type=int, default=1, help="runs of each command; the median is reported")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "last.json", help="results as JSON")
    parser.add_argument("--peer-python", help="interpreter with nfstream and pysigma-backend-sqlite, for the peers")
    parser.add_argument("--crowdsec", type=Path, help="folder into which Debian's crowdsec package was unpacked")
    parser.add_argument("--suricata", help="Suricata's command; with '-c FILE' where its configuration lies elsewhere")
    parser.add_argument("--suricata-rules", type=Path, help="the rules that --suricata is given, as one file")
    parser.add_argument("--write-readme", action="store_true", help="put the figures into bench/README.md")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.names) - {*NAMES, HELP}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    if bool(chosen.suricata) != bool(chosen.suricata_rules):
        parser.error("--suricata and --suricata-rules are given together")
    return chosen


def _machine() -> dict[str, Any]:
    return {
        "cores_count": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "duckdb": version("duckdb"),
        "pyarrow": version("pyarrow"),
        "load": os.getloadavg()[0],
    }


def _evidence(name: str, folder: Path, scale: float) -> tuple[Path, int]:
    """The evidence file (or folder of files) and how many rows it has; made once for a folder and scale."""
    home = folder / f"{name}-{scale:g}"
    counted = home / "rows_count"
    if not counted.is_file():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        # A process of its own: a child's peak memory counts what its parent held when it was started.
        command = (sys.executable, "-m", "bench.evidence", name, str(home), str(scale))
        made = subprocess.run(command, check=True, capture_output=True, text=True, cwd=HERE.parent)
        counted.write_text(made.stdout, encoding="utf-8")
    found = next(path for path in sorted(home.iterdir()) if path != counted)
    return found, int(counted.read_text(encoding="utf-8"))


def _size_bytes(evidence: Path) -> int:
    files = evidence.rglob("*") if evidence.is_dir() else (evidence,)
    return sum(file.stat().st_size for file in files)


def _scan(evidence: Path, runs_count: int) -> Measured:
    with tempfile.TemporaryDirectory(dir=evidence.parent.parent) as scratch:
        output = Path(scratch) / "scan.json"
        command = ["davylamp", "scan", str(evidence), "--format", "json", "--output", str(output)]
        runs = []
        for number in range(runs_count):
            case = Path(scratch) / f"case-{number}"
            runs.append([sys.executable, "-m", *command, "--case", str(case)])
        measured = [measure(run, allowed_codes=SCANNED) for run in runs]
        document = json.loads(output.read_text(encoding="utf-8"))
        states = {row["state"] for row in document["coverage"]}
        if states - {"read", "partial"}:
            raise RuntimeError(f"{evidence} was not read: {states}")
    order = sorted(measured, key=lambda run: run.wall_s)
    middle = order[len(order) // 2]
    peak_bytes = max(run.peak_bytes for run in measured)
    return Measured(" ".join(["davylamp", *command[1:3]]), middle.wall_s, middle.cpu_s, peak_bytes, runs_count)


def _one(name: str, chosen: argparse.Namespace, folder: Path) -> dict[str, Any]:
    if name == HELP:
        nothing = measure((sys.executable, "-c", "pass"), max(5, chosen.runs))
        helped = measure((sys.executable, "-m", "davylamp", "--help"), max(5, chosen.runs))
        return {"python -c pass": asdict(nothing), "davylamp --help": asdict(helped)}
    evidence, rows_count = _evidence(name, folder, chosen.scale)
    beside = floors(name, evidence, len(os.sched_getaffinity(0)))
    suricata = (chosen.suricata, chosen.suricata_rules) if chosen.suricata else None
    rivals = peers(name, evidence, chosen.peer_python, chosen.crowdsec, suricata)
    return {
        "rows_count": rows_count,
        "size_bytes": _size_bytes(evidence),
        "scan": asdict(_scan(evidence, chosen.runs)),
        "floors": {what: asdict(measure(command, chosen.runs)) for what, command in beside.items()},
        "peers": {what: asdict(measure(command)) for what, command in rivals.items()},
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what was asked for and writes results as JSON and markdown."""
    chosen = _arguments(arguments)
    compileall.compile_dir(str(Path(davylamp.__file__).parent), quiet=1)
    document = _earlier(chosen) | {"machine": _machine(), "scale": chosen.scale, "runs_count": chosen.runs}
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        for name in chosen.names or (*NAMES, HELP):
            document["results"][name] = _one(name, chosen, folder)
            # After each, so that a failure late in a long run costs nothing that was measured.
            _keep(chosen, document, folder)
    kept = json.loads(chosen.output.read_text(encoding="utf-8"))
    print(standing(kept), figures(kept), sep="\n\n")
    if chosen.write_readme:
        write_into(HERE / "README.md", kept)


def _earlier(chosen: argparse.Namespace) -> dict[str, Any]:
    """Results of the same scale that are there already: naming one kind of evidence measures that one anew."""
    if chosen.names and chosen.output.is_file():
        earlier: dict[str, Any] = json.loads(chosen.output.read_text(encoding="utf-8"))
        if earlier["scale"] == chosen.scale:
            return earlier
    return {"results": {}}


def _keep(chosen: argparse.Namespace, document: dict[str, Any], folder: Path) -> None:
    """Keeps the results without this machine's own paths."""
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, indent=1).replace(str(folder), "FOLDER").replace(str(HERE), "bench")
    elsewhere = {
        "PEER_PYTHON": chosen.peer_python,
        "CROWDSEC": chosen.crowdsec,
        "SURICATA": chosen.suricata,
        "RULES": chosen.suricata_rules,
    }
    for shown, path in elsewhere.items():
        if path:
            text = text.replace(str(path), shown)
    chosen.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
