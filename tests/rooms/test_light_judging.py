"""What makes a judging of the watch light changes nothing of what it says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from davylamp.app.look_again import _image_of, look_again
from davylamp.app.scan import ScanRequest, scan
from davylamp.app.watch_places import WatchPlaces
from davylamp.app.watch_units import WATCH_SOURCES, watch_sources, watch_units
from davylamp.catalog.sources.host_live.unit import HostLive
from davylamp.ingest.normalize import normalize_sql
from davylamp.kit.sample import Sample
from davylamp.store.engine import DuckEngine

DETECTIONS = Path(__file__).parents[2] / "src/davylamp/catalog/detections"
EVIDENCE = tuple(
    DETECTIONS / each
    for each in (
        "steady_compute_thin_socket/cases/fires_on_unknown_name_and_pool.jsonl",
        "fetching_persistence/cases",
        "resolver_drift/cases/fires_on_rewritten_resolv_conf",
        "ssh_login_after_guessing/cases/fires_on_right_guess.log",
    )
)
FILES_OF_A_SENSOR = [
    case
    for case in sorted(DETECTIONS.glob("*/cases/fires_on_*.jsonl"))
    if b"davylamp.host/1" in case.read_bytes()[:200]
]
MEMORY_BYTES = 128 << 20


def scanned(folder: Path, **asked: Any) -> dict[str, Any]:
    document = scan(ScanRequest(tuple(map(str, EVIDENCE)), case_folder=folder, **asked)).document
    return {name: document[name] for name in ("findings", "incidents", "looks", "coverage")}


def test_a_light_judging_says_what_a_whole_scan_of_the_same_units_says(tmp_path: Path) -> None:
    """Units that cannot look are not loaded, and small classes are kept: each is said as it was."""
    needs = watch_units(tmp_path / "units.json")
    assert any(needs.values())
    whole = scanned(tmp_path / "whole", units=frozenset(needs), sources=WATCH_SOURCES)
    light = scanned(tmp_path / "light", units=frozenset(needs), needs=needs, sources=WATCH_SOURCES, sparing=True)
    assert light == whole
    assert whole["findings"]
    assert {look["outcome"] for look in whole["looks"]} == {"yes", "no", "could_not_look"}


def test_units_that_are_kept_are_those_that_were_found(tmp_path: Path) -> None:
    kept = tmp_path / "units.json"
    assert watch_units(kept) == watch_units(kept)
    kept.write_text(json.dumps({"version": json.loads(kept.read_text())["version"], "units": ["of an older form"]}))
    assert "steady_compute_thin_socket" in watch_units(kept)


@pytest.mark.parametrize("case", FILES_OF_A_SENSOR[::7], ids=lambda case: case.name)
def test_classes_that_no_record_names_are_left_out_and_nothing_else(case: Path, tmp_path: Path) -> None:
    source = HostLive()
    data = case.read_bytes()
    sample = Sample(str(case), data[:65536], whole=len(data) < 65536)
    stated = source.plan(sample, datetime.fromtimestamp(case.stat().st_mtime, UTC))
    said = []
    for plan in (stated, replace(stated, class_column=None)):
        scratch = tmp_path / str(plan.class_column)
        scratch.mkdir()
        engine = DuckEngine(MEMORY_BYTES, scratch)
        with case.open("rb") as stream:
            made = normalize_sql(engine, plan, str(case), data[:65536], stream, scratch)
        rows = {part.event_class: engine.rows(f"SELECT * FROM '{part.written}'") for part in made.parts}
        said.append((rows, made.rejects.count, made.rejects.kept, made.notes))
        engine.close()
    assert said[0] == said[1]
    assert said[0][0]


def test_sources_are_those_of_what_lies_there(tmp_path: Path) -> None:
    places = WatchPlaces(tmp_path)
    assert watch_sources(places) == {"host_live", "host_baseline"}
    (places.root / "packets").mkdir(parents=True)
    (places.root / "packets/1.pcap").write_bytes(b"")
    assert watch_sources(places) == {"host_live", "host_baseline", "pcap"}
    places.logs.mkdir()
    assert "sshd_syslog" not in watch_sources(places)
    (places.logs / "auth.log").write_bytes(b"")
    assert watch_sources(places) == WATCH_SOURCES


def test_a_judging_loads_nothing_that_it_does_not_use(tmp_path: Path) -> None:
    """Each of these was a thirtieth to a tenth of what a judging costs; pandas, where it is installed, half of it."""
    places = WatchPlaces(tmp_path / "case")
    program = (
        "import sys\nfrom davylamp.app.judge_spool import main\n"
        f"main(['--case', {str(tmp_path / 'case')!r}, *sys.argv[1:]])\n"
        "print(*(name for name in ('numpy.ma', 'pandas', 'pyarrow.compute', 'pyarrow.parquet', 'davylamp.agent.state',"
        " 'davylamp.catalog.sources.pcap.unit', 'davylamp.catalog.detections.mining_dialogue.unit')"
        " if name in sys.modules), sep=',', file=sys.stderr)"
    )

    def judged(*options: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([sys.executable, "-c", program, *options], capture_output=True, check=True, timeout=120)

    judged("--prepare")
    for folder in (places.root / "spool", places.state):
        folder.mkdir(parents=True)
    shutil.copy(EVIDENCE[0], places.state / "state-0000000001.jsonl")
    os.utime(places.state / "state-0000000001.jsonl")
    judged()  # finds the units that a watch needs, and keeps them
    more = b'{"record": "sensor_state", "time": 1}\n'
    (places.root / "spool/host-0000000001.jsonl").write_bytes(EVIDENCE[0].read_bytes() + more)
    ended = judged()
    assert ended.stderr.decode().strip() == ""
    assert b"usd_per_vcpu_hour" in ended.stdout


def test_the_package_of_a_burners_image_is_asked_for_once_and_anew_when_it_runs_another(tmp_path: Path) -> None:
    """A suspect is judged two or three times within its first minute; each question reads the package database."""
    places = WatchPlaces(tmp_path)
    places.state.mkdir(parents=True)
    shutil.copy(EVIDENCE[0], places.state / "state-0000000001.jsonl")
    os.utime(places.state / "state-0000000001.jsonl")

    def told() -> list[Path]:
        look_again(places, "a process has begun to burn CPU", [burner.pid], None)
        return sorted(places.state.glob("burners-*.jsonl"))

    with subprocess.Popen(["sh", "-c", "read word; exec sleep 60"], stdin=subprocess.PIPE) as burner:
        assert burner.stdin is not None
        try:
            before = _image_of(burner.pid)
            assert len(told()) == len(told()) == 1
            burner.stdin.write(b"\n")
            burner.stdin.close()
            deadline = time.monotonic() + 10
            while _image_of(burner.pid) == before and time.monotonic() < deadline:
                time.sleep(0.01)
            assert len(told()) == len(told()) == 2
            assert '"image_path"' in told()[-1].read_text()
        finally:
            burner.kill()
