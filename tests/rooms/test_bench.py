"""The benchmark harness runs: every kind of evidence is made, recognised by its own source, and measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench.__main__ import NAMES, main
from bench.evidence import GENERATORS
from bench.floors import floors

SOURCES = {
    "flow_text": "aws_vpc_flow",
    "flow_parquet": "aws_vpc_flow",
    "resolver_json": "aws_route53_resolver",
    "zeek_dns": "zeek",
    "dns_log": "dns_query_log",
    "trail_files": "aws_cloudtrail",
    "trail_lines": "aws_cloudtrail",
    "sshd": "sshd_syslog",
    "capture": "pcap",
}


@pytest.mark.slow
def test_every_measurement_runs_at_a_tiny_scale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out" / "results.json"
    main(["--scale", "0.0005", "--folder", str(tmp_path / "evidence"), "--output", str(output)])
    results = json.loads(output.read_text(encoding="utf-8"))["results"]
    assert set(results) == {*NAMES, "help"}
    for name in NAMES:
        assert results[name]["rows_count"] >= 1_000
        assert results[name]["scan"]["cpu_s"] > 0
        assert results[name]["floors"]
    assert "| CPU ratio |" in capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_evidence_is_the_same_for_one_seed_and_is_recognised(name: str, tmp_path: Path) -> None:
    from davylamp.app.scan import ScanRequest, scan

    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        GENERATORS[name](folder, 0.0001)
    first, second = (sorted(path for path in folder.rglob("*") if path.is_file()) for folder in folders)
    if name != "flow_parquet":  # its pages may be cut differently
        assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    rows = scan(ScanRequest([str(folders[0])], case_folder=tmp_path / "case")).document["coverage"]
    # A syslog of name servers may hold sshd's lines too, and is read for both.
    beside = {("sshd_syslog", 0)} if name == "dns_log" else set()
    assert {(row["source"], row["rejected_count"]) for row in rows} == {(SOURCES[name], 0)} | beside
    assert floors(name, folders[0], 2)
