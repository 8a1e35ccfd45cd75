"""Which machine a row speaks of, through the real sources: joined on grounds, kept apart without."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from davylamp.app.events import write_events
from davylamp.app.scan import ScanRequest, scan

FLOW = "2 {account} eni-{account} 10.0.0.5 198.51.100.9 49152 443 6 10 4000 1772589600 1772589660 ACCEPT OK\n"


def rows(folder: Path, event_class: str, assets_file: Path | None = None) -> list[dict[str, Any]]:
    case = folder.parent / f"case-{event_class}"
    scan(ScanRequest(paths=(str(folder),), case_folder=case, assets_file=assets_file, units=frozenset()))
    out = io.StringIO()
    write_events(event_class, case, "jsonl", out, None)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def launch(account: str, instance: str, at: str = "2026-03-04T01:00:00Z") -> str:
    item = {
        "instanceId": instance,
        "instanceType": "c5.large",
        "privateIpAddress": "10.0.0.5",
        "placement": {"availabilityZone": "us-east-1a"},
        "networkInterfaceSet": {"items": [{"networkInterfaceId": f"eni-{account}", "privateIpAddress": "10.0.0.5"}]},
    }
    event = {
        "eventVersion": "1.09",
        "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::{account}:user/ops", "accountId": account},
        "eventTime": at,
        "eventSource": "ec2.amazonaws.com",
        "eventName": "RunInstances",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "192.0.2.10",
        "requestParameters": {},
        "responseElements": {"instancesSet": {"items": [item]}},
        "eventID": f"launch-{instance}",
        "recipientAccountId": account,
    }
    return json.dumps(event) + "\n"


def test_one_private_address_in_two_accounts_is_two_assets(tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    for account in ("111111111111", "222222222222"):
        (evidence / f"{account}.log").write_text(FLOW.format(account=account), encoding="utf-8")
    assert len({row["asset"] for row in rows(evidence, "network_activity")}) == 2


def test_a_launch_names_the_interface_and_the_address_of_its_account_alone(tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    for account in ("111111111111", "222222222222"):
        (evidence / f"{account}.log").write_text(FLOW.format(account=account), encoding="utf-8")
    (evidence / "trail.json").write_text(launch("111111111111", "i-0abc"), encoding="utf-8")
    by_account = {row["account_uid"]: row["asset"] for row in rows(evidence, "network_activity")}
    assert by_account["111111111111"] == "i-0abc"
    assert by_account["222222222222"] != "i-0abc"


def test_what_reaches_an_interface_was_sent_by_another_machine(tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    account = "111111111111"
    out = FLOW.format(account=account)
    inward = out.replace("10.0.0.5 198.51.100.9 49152 443", "10.0.0.9 10.0.0.5 49152 22")
    container = out.replace("10.0.0.5 ", "10.0.0.77 ")
    (evidence / "flow.log").write_text(out + inward + container, encoding="utf-8")
    (evidence / "trail.json").write_text(launch(account, "i-0abc"), encoding="utf-8")
    by_source = {row["src_ip"]: row["asset"] for row in rows(evidence, "network_activity")}
    assert by_source == {"10.0.0.5": "i-0abc", "10.0.0.9": "10.0.0.9", "10.0.0.77": "i-0abc"}


def test_a_declared_instance_gives_its_name_to_flows_seen_at_its_interface(tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    (evidence / "flow.log").write_text(FLOW.format(account="111111111111"), encoding="utf-8")
    (evidence / "trail.json").write_text(launch("111111111111", "i-0abc"), encoding="utf-8")
    (evidence / "davylamp.toml").write_text('[[asset]]\nname = "web1"\ninstance_id = "i-0abc"\n', encoding="utf-8")
    assert {row["asset"] for row in rows(evidence, "network_activity")} == {"web1"}


def test_a_lease_that_went_to_another_machine_names_each_in_its_time(tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    lines = [
        "Mar  4 01:00:00 dnsmasq-dhcp[1]: DHCPACK(eth0) 10.0.0.5 aa:aa:aa:aa:aa:aa laptop",
        "Mar  4 02:00:00 dnsmasq[1]: query[A] a.example from 10.0.0.5",
        "Mar  4 08:00:00 dnsmasq-dhcp[1]: DHCPACK(eth0) 10.0.0.5 bb:bb:bb:bb:bb:bb printer",
        "Mar  4 09:00:00 dnsmasq[1]: query[A] b.example from 10.0.0.5",
    ]
    (evidence / "dnsmasq.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    named = {row["query_name"]: row["asset"] for row in rows(evidence, "dns_activity")}
    assert named == {"a.example": "laptop", "b.example": "printer"}


def test_sshd_that_states_its_address_joins_its_host_to_packets_and_names(tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    stamp = "2026-03-04T01:00:00+00:00 web1 sshd[7]:"
    (evidence / "auth.log").write_text(
        f'{stamp} Connection from 203.0.113.7 port 40000 on 10.0.0.5 port 22 rdomain ""\n'
        f"{stamp} Failed password for root from 203.0.113.7 port 40000 ssh2\n",
        encoding="utf-8",
    )
    (evidence / "dnsmasq.log").write_text(
        "Mar  4 02:00:00 dnsmasq[1]: query[A] a.example from 10.0.0.5\n", encoding="utf-8"
    )
    assert {row["asset"] for row in rows(evidence, "dns_activity")} == {"web1"}


def test_a_bare_series_is_named_for_its_file_and_a_declared_one_for_its_asset(tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    for name in ("db-7.csv", "cpu-web1.csv"):
        text = "timestamp,value\n" + "".join(f"2026-03-04 01:{m:02d}:00,{10 + m / 7 + len(name)}\n" for m in range(30))
        (evidence / name).write_text(text, encoding="utf-8")
    (evidence / "davylamp.toml").write_text('[[asset]]\nname = "web1"\npaths = ["cpu*.csv"]\n', encoding="utf-8")
    assert {row["asset"] for row in rows(evidence, "resource_usage")} == {"db-7", "web1"}


def test_a_log_that_several_programs_write_is_read_for_each_of_them(tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    (evidence / "syslog").write_text(
        "2026-03-04T01:00:00+00:00 web1 sshd[7]: Failed password for root from 203.0.113.7 port 40000 ssh2\n"
        "2026-03-04T01:00:01+00:00 web1 dnsmasq[1]: query[A] a.example from 10.0.0.5\n"
        "2026-03-04T01:00:02+00:00 web1 CRON[9]: (root) CMD (true)\n",
        encoding="utf-8",
    )
    assert len(rows(evidence, "authentication")) == 1
    assert len(rows(evidence, "dns_activity")) == 1
