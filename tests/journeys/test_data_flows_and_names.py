"""Flow records say what the documentation says of them; names of pools are found and popular names are not."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tools.recut_data import flow_cases, machine_of, pool_names, popular_names

from davylamp.intel.indicators import Indicators
from tests.journeys.conftest import Scans

pytestmark = pytest.mark.slow
FLOWS = "aws_log_examples_as_files"


@pytest.fixture(scope="module")
def flows(scans: Scans, data: Path) -> dict[str, dict[str, Any] | str]:
    """Case of the documentation -> its row, or why there is none."""
    rows = {(row["path"], row["line"]): row for row in scans.rows(FLOWS, "SELECT * FROM network_activity")}
    said: dict[str, dict[str, Any] | str] = {}
    coverage = {Path(row["path"]).name: row for row in scans.document(FLOWS)["coverage"]}
    for number, records in enumerate(flow_cases(data / "aws_log_examples").values()):
        covered = coverage[f"format{number}.log"]
        rejects = {each["line"]: each["reason"] for each in covered["rejects"]}
        for line, record in enumerate(records, start=2):
            said[record["case"]] = rows.get((covered["path"], line)) or rejects.get(line, "nothing")
    assert len(said) == 21
    return said


@pytest.mark.parametrize(
    ("case", "source", "destination", "port", "action"),
    [
        ("ssh_accepted", "172.31.16.139", "172.31.16.21", 22, "accept"),
        ("rdp_rejected", "172.31.9.69", "172.31.9.12", 3389, "reject"),
        ("ping_in_accepted", "203.0.113.12", "172.31.16.139", 0, "accept"),
        ("ping_out_rejected", "172.31.16.139", "203.0.113.12", 0, "reject"),
        ("ipv6_ssh", "2001:db8:1234:a100:8d6e:3477:df66:f105", "2001:db8:1234:a102:3304:8879:34cf:4071", 22, "accept"),
        ("tcp_flags_1", "52.213.180.42", "10.0.0.62", 5001, "accept"),
        ("tcp_flags_short_server", "10.0.0.62", "52.213.180.42", 43638, "accept"),
        ("v5_ingress", "52.95.128.179", "10.0.0.71", 34210, "accept"),
        ("v5_egress", "10.0.0.71", "52.95.128.179", 80, "accept"),
    ],
)
def test_a_flow_is_what_the_documentation_says(
    flows: dict[str, Any], case: str, source: str, destination: str, port: int, action: str
) -> None:
    row = flows[case]
    assert (row["src_ip"], row["dst_ip"], row["dst_port"], row["action"]) == (source, destination, port, action)
    assert row["one_way"] is True


def test_flags_tell_the_server_although_it_is_the_source(flows: dict[str, Any]) -> None:
    """18 is SYN and ACK, 19 with FIN: who sends that has answered."""
    assert {case: int(row["state"]) & 18 == 18 for case, row in flows.items() if case.startswith("tcp_flags")} == {
        "tcp_flags_1": False,
        "tcp_flags_2": True,
        "tcp_flags_3": False,
        "tcp_flags_short_client": False,
        "tcp_flags_short_server": True,
    }


def test_nothing_recorded_is_no_row_and_a_lost_interval_is_said(flows: dict[str, Any]) -> None:
    assert flows["no_data"] == "nothing"
    assert flows["skip_data"].startswith("SKIPDATA")


def test_records_without_time_are_rejected_and_said(flows: dict[str, Any]) -> None:
    """The documentation's NAT and transit gateway formats have neither start nor end: no use as evidence."""
    timeless = [case for case in flows if case.startswith(("nat_", "tgw_"))]
    assert len(timeless) == 7
    assert {flows[case] for case in timeless} == {"no start and no end: the record has no time"}


def test_a_blocked_query_is_read_as_blocked(scans: Scans) -> None:
    [row] = scans.rows("aws_log_examples", "SELECT query_name, query_type, answers, action, src_ip FROM dns_activity")
    assert (row["query_name"], row["query_type"], row["action"]) == ("15.3.4.32.in-addr.arpa", "PTR", "block")
    assert (row["answers"], row["src_ip"]) == (["203.0.113.9"], "4.5.64.102")


def test_popular_names_raise_nothing(scans: Scans, data: Path) -> None:
    name = "benign_domains_misp_looked_up"
    [counted] = scans.rows(name, "SELECT count(DISTINCT query_name) AS names_count FROM dns_activity")
    assert counted["names_count"] == len(popular_names(data / "benign_domains_misp")) > 10_000
    assert scans.document(name)["findings"] == []


def test_every_listed_endpoint_is_found_on_the_machine_that_asked(scans: Scans, data: Path) -> None:
    indicators = Indicators.load(at=date(2026, 3, 1))
    asked = {machine_of(number): name for number, name in enumerate(pool_names(data / "pools_maltrail"))}
    found = {
        asset["name"]
        for each in scans.findings("pools_maltrail_looked_up", "pool_domain_lookup")
        for asset in each["assets"]
    }
    listed = {
        machine
        for machine, name in asked.items()
        if (entry := indicators.match_domain(name)) and entry.indicator_class in ("pool_endpoint", "browser_miner")
    }
    assert len(listed) > 200
    assert found == listed
