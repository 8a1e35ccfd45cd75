"""What a thief launched is billed from its launch to its end, at list price, in whatever way it was launched."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from davylamp.app.scan import ScanRequest, scan
from tests.catalog.audit_campaign import START, Caller, Record, aws_service, own_work, thief

BEGIN = START + timedelta(days=14, hours=3)
# List price of us-east-1, 2026-07-20.
G5_12XLARGE_USD = 5.672
MINUTE = timedelta(minutes=1)


def _ids(record: Record) -> list[str]:
    answer: Any = record["responseElements"]
    return [str(item["instanceId"]) for item in answer["instancesSet"]["items"]]


def _changed(who: Caller, after_minutes: int, operation: str, ids: list[str], region: str) -> Record:
    items = {"instancesSet": {"items": [{"instanceId": one} for one in ids]}}
    return who.call(BEGIN + after_minutes * MINUTE, "ec2", operation, region, items, items)


def _intrusion(region: str) -> tuple[list[Record], list[str]]:
    """A dry run, twelve GPU machines, each protected at once."""
    who = thief()
    asked = {"dryRun": True, "instanceType": "g5.12xlarge"}
    tried = who.call(BEGIN - 5 * MINUTE, "ec2", "RunInstances", region, asked, None, "Client.DryRunOperation")
    launched = who.run_instances(BEGIN, "g5.12xlarge", 12, region)
    ids = _ids(launched)
    protect = {"disableApiTermination": {"value": True}}
    protected = [
        who.call(BEGIN + MINUTE, "ec2", "ModifyInstanceAttribute", region, {"instanceId": one, **protect})
        for one in ids
    ]
    return [tried, launched, *protected], ids


def _incident(tmp_path: Path, records: list[Record]) -> dict[str, Any]:
    evidence = tmp_path / "trail.json"
    evidence.write_text(json.dumps({"Records": records}))
    document = scan(ScanRequest([str(evidence)], case_folder=tmp_path / "case")).document
    (incident,) = document["incidents"]
    return dict(incident)


@pytest.mark.parametrize("operation", ["TerminateInstances", "StopInstances"])
def test_what_was_ended_costs_nothing_any_more(tmp_path: Path, operation: str) -> None:
    theirs, ids = _intrusion("us-east-1")
    owner = Caller("arn:aws:iam::123456789012:user/oncall", "AKIAEXAMPLEONCALL001", "203.0.113.6")
    later = owner.call(BEGIN + 600 * MINUTE, "ec2", "DescribeInstances")
    ended = _changed(owner, 120, operation, ids, "us-east-1")
    cost = _incident(tmp_path, [*own_work(), *theirs, ended, later])["cost"]
    assert cost["billed_extra_usd"] == pytest.approx(12 * 2 * G5_12XLARGE_USD, rel=0.001)
    assert cost["run_rate_usd_per_hour"] == 0.0


def test_a_machine_that_was_started_again_runs_on(tmp_path: Path) -> None:
    theirs, ids = _intrusion("us-east-1")
    changes = [
        _changed(thief(), minutes, operation, ids, "us-east-1")
        for minutes, operation in ((30, "StopInstances"), (60, "StartInstances"))
    ]
    cost = _incident(tmp_path, [*theirs, *changes])["cost"]
    assert cost["run_rate_usd_per_hour"] == pytest.approx(12 * G5_12XLARGE_USD, rel=0.001)


def test_a_group_in_a_new_region_is_priced_once(tmp_path: Path) -> None:
    who, region = thief(), "eu-north-1"
    template = {"LaunchTemplateName": "t", "LaunchTemplateData": {"InstanceType": "g5.12xlarge"}}
    group = {"autoScalingGroupName": "g0", "minSize": 20, "maxSize": 999, "desiredCapacity": 20}
    asked = {"dryRun": True, "instanceType": "g5.12xlarge"}
    service = aws_service("autoscaling", "AWSServiceRoleForAutoScaling")
    started = service.run_instances(BEGIN, "g5.12xlarge", 20, region, group="g0")
    protect = {"disableApiTermination": {"value": True}}
    records = [
        who.call(BEGIN - 9 * MINUTE, "ec2", "RunInstances", region, asked, None, "Client.DryRunOperation"),
        who.call(BEGIN - 5 * MINUTE, "ec2", "CreateLaunchTemplate", region, {"CreateLaunchTemplateRequest": template}),
        who.call(
            BEGIN - MINUTE,
            "autoscaling",
            "CreateAutoScalingGroup",
            region,
            {**group, "launchTemplate": {"launchTemplateName": "t"}},
        ),
        started,
        *(
            who.call(BEGIN + MINUTE, "ec2", "ModifyInstanceAttribute", region, {"instanceId": one, **protect})
            for one in _ids(started)
        ),
    ]
    cost = _incident(tmp_path, [*own_work(), *records])["cost"]
    # The machine that was tried by a dry run is one of those that were then started; the group may grow to its limit.
    usd_each = cost["run_rate_usd_per_hour"] / 20
    assert cost["exposure_24h_usd"] == pytest.approx(24 * usd_each * 999, rel=0.001)
    (limit,) = [sentence for sentence in cost["basis"] if "may grow" in sentence]
    assert limit.startswith("g0 may grow to 999, 979 more x g5.12xlarge $")
    assert not any("instance type unknown" in sentence for sentence in cost["basis"]), cost["basis"]
