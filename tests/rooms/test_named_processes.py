"""Findings that name a process cite its record, and what they cost is what that process was measured to use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from davylamp.app.scan import ScanRequest, scan
from tests.catalog.make_host_cases import BEGAN_AT, POOL, HostFile, mining

ARGUMENTS = "./worker -o stratum+tcp://pool.test:3333 -u " + "4" + "A" * 94 + " -p x"


def scanned(made: HostFile, folder: Path) -> dict[str, Any]:
    path = folder / "host.jsonl"
    path.write_text("".join(made.lines), encoding="ascii")
    return scan(ScanRequest((str(path),), case_folder=folder / "case")).document


def test_a_miner_known_by_its_arguments_costs_what_it_was_measured_to_use(tmp_path: Path) -> None:
    made = HostFile()
    made.burns(900, made.process(900, "worker", command_line=ARGUMENTS, cpu_user_s=600.0, cpu_system_s=0.0), cpus=1.0)
    made.burns(901, made.process(901, "worker", command_line=ARGUMENTS, cpu_user_s=600.0, cpu_system_s=0.0), cpus=2.0)
    [incident] = scanned(made, tmp_path)["incidents"]
    said = " ".join(incident["cost"]["basis"])
    assert "process 900 (worker) used 1.00 of 4 CPUs" in said
    assert "process 901 (worker) used 2.00 of 4 CPUs" in said
    assert "not measured" not in said
    # Ten minutes at a quarter before the look, three quarters now.
    hourly = incident["cost"]["run_rate_usd_per_hour"]
    assert incident["cost"]["capacity_lost_usd"] > hourly * 600 / 3600 * 0.3


def test_what_ended_costs_nothing_any_more(tmp_path: Path) -> None:
    made = HostFile()
    started_at = made.process(900, "worker", command_line=ARGUMENTS, cpu_user_s=600.0, cpu_system_s=0.0)
    made.burns(900, started_at, cpus=1.0)
    made.recorder.record(
        "process_activity", BEGAN_AT + 10, activity="terminate", process_pid=900, process_started_at=started_at
    )
    for second in range(7200, 7210):
        made.recorder.record("resource_usage", BEGAN_AT + second, metric="cpu", used_ratio=0.5, period_s=1.0)
    [incident] = scanned(made, tmp_path)["incidents"]
    assert incident["cost"]["run_rate_usd_per_hour"] == 0


def test_a_finding_whose_evidence_says_nothing_of_the_process_cites_its_record_first(tmp_path: Path) -> None:
    made = HostFile()
    started_at = made.process(900, "worker", lineage=["1@2026-11-27T00:00:00Z init"])
    made.burns(900, started_at, cpus=1.0)
    made.connection(900, started_at, mining(20, 3), POOL)
    findings = scanned(made, tmp_path)["findings"]
    assert findings
    for found in findings:
        assert found["evidence"][0]["columns"]["image_path"] == "/usr/local/bin/worker"
