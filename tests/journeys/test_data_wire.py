"""Captures and Zeek logs: mining is seen on the wire in every capture of it, and in nothing else."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.conftest import Scans

pytestmark = pytest.mark.slow
MINING = "net_zeek_cryptomining"
WIRE = ("mining_dialogue", "mining_message_rhythm")


def remotes(found: dict[str, Any]) -> set[str]:
    return {item["value"].rsplit(":", 1)[0] for item in found["observables"] if item["type"] in ("ip", "endpoint")}


def wire_findings(scans: Scans) -> list[dict[str, Any]]:
    return [found for unit in WIRE for found in scans.findings(MINING, unit)]


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream, delimiter="\t")


@pytest.mark.parametrize("capture", ["bitcoin-mining-in-progress", "bitcoin-mining", "coinhive-stratum", "coinhive"])
def test_every_capture_of_mining_shows_it_on_the_wire(capture: str, scans: Scans) -> None:
    cited = {Path(each["path"]).stem for found in wire_findings(scans) for each in found["evidence"]}
    assert capture in cited


def test_the_pools_are_those_that_the_origin_names(scans: Scans, data: Path) -> None:
    notices = "".join(path.read_text(encoding="utf-8") for path in (data / MINING / "expected").iterdir())
    flows = list(rows_of(data / MINING / "flow_index.tsv"))
    mining = {flow["b_ip"] if flow["a_ip"].startswith("10.") else flow["a_ip"] for flow in flows if spoken_in(flow)}
    found = {address for each in scans.findings(MINING, "mining_dialogue") for address in remotes(each)}
    assert mining == found - {"10.0.2.15"}
    assert all(address in notices for address in mining)
    assert all(each["assets"] == [{"kind": "host", "name": "10.0.2.15"}] for each in wire_findings(scans))


def spoken_in(flow: dict[str, str]) -> bool:
    """Whether the index found mining words in the flow; a name or a certificate is no dialogue."""
    return any(word in flow["first_match"] for word in ("mining.", "getwork", "getblocktemplate", '"login"'))


def test_mining_on_a_machine_is_an_incident_on_that_machine(scans: Scans) -> None:
    incidents = scans.document(MINING)["incidents"]
    assert incidents
    assert {asset["name"] for each in incidents for asset in each["assets"]} == {"10.0.2.15"}
    assert all(each["probability"] >= 0.99 for each in incidents)


def test_ndpi_says_no_flow_mines_and_so_do_we(scans: Scans, data: Path) -> None:
    truth = list(rows_of(data / "net_ndpi" / "truth.tsv"))
    assert {row["mining_flows"] for row in truth} == {"0"}
    assert scans.document("net_ndpi")["findings"] == []
    read = {Path(row["path"]).name for row in scans.document("net_ndpi")["coverage"] if row["source"] == "pcap"}
    assert {row["pcap"] for row in truth} == read


@pytest.mark.parametrize("name", ["net_zeek_traces", "net_suricata_verify", "net_arkime"])
def test_captures_without_mining_have_no_finding_at_all(name: str, scans: Scans) -> None:
    assert [each["because"] for each in scans.document(name)["findings"]] == []
    unread = [row for row in scans.document(name)["coverage"] if row["source"] is None]
    assert [Path(row["path"]).name for row in unread] == ["LICENSE.txt"]


def test_flow_records_alone_give_candidates_and_never_more(scans: Scans) -> None:
    found = scans.document("zeek_stratosphere")["findings"]
    assert {each["unit"] for each in found} <= {"mining_flow_candidate"}
    assert all(each["llr"] <= 1.0 and each["severity"] in ("informational", "low") for each in found)


def test_zeek_rows_are_as_many_as_its_lines(scans: Scans, data: Path) -> None:
    kept = scans.rows("zeek_stratosphere", "SELECT path, count(*) AS rows_count FROM network_activity GROUP BY path")
    counted = {row["path"]: row["rows_count"] for row in kept}
    logs = [
        path for path in (data / "zeek_stratosphere").rglob("*") if path.name.startswith(("conn.", "labeled", "http."))
    ]
    assert len(logs) == 5
    for path in logs:
        lines = path.read_text(encoding="utf-8").splitlines()
        assert counted[str(path)] == sum(1 for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("log", ["ssl", "ssh"])
def test_both_forms_of_a_zeek_log_say_the_same(log: str, scans: Scans) -> None:
    columns = "time, src_ip, src_port, dst_ip, dst_port, protocol, server_name"
    forms = [f"zeek-default/{log}.log.gz", f"zeek-json/{log}.json.gz"]
    rows = [
        scans.rows("zeek_wrccdc", f"SELECT {columns} FROM network_activity WHERE path LIKE '%{form}' ORDER BY ALL")
        for form in forms
    ]
    assert rows[0]
    assert rows[0] == rows[1]
