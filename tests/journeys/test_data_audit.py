"""CloudTrail of known techniques and of rule tests: what corresponds to a detection of ours is found, no more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from davylamp.app.scan import ScanRequest, scan
from tests.journeys.conftest import Scans

pytestmark = pytest.mark.slow
STRATUS = {
    "aws.defense-evasion.cloudtrail-delete.json": "audit_trail_impaired",
    "aws.persistence.iam-create-admin-user.json": "identity_persistence",
}
# Rules of the origin that ask what a detection of ours asks. Left out are rules about other acts (S3 objects, RDS,
# Lambda code), rules that need an allow list, and rules whose positive is no act of its own (any new user, any call
# on Macie, a permission on a function without whom it was given to).
OURS = {
    "AWS.CloudTrail.AttemptToLeaveOrg": "audit_trail_impaired",
    "AWS.CloudTrail.EventSelectorsDisabled": "audit_trail_impaired",
    "AWS.CloudTrail.Stopped": "audit_trail_impaired",
    "AWS.ConfigService.DisabledDeleted": "audit_trail_impaired",
    "AWS.S3.DisableBucketLogging": "audit_trail_impaired",
    "AWS.VPCFlow.LogsDeleted": "audit_trail_impaired",
    "AWS.CloudTrail.LoginProfileCreatedOrModified": "identity_persistence",
    "AWS.CloudTrail.RootAccessKeyCreated": "identity_persistence",
    "AWS.IAM.AttachAdminUserPolicy": "identity_persistence",
    "AWS.IAM.Backdoor.User.Keys": "identity_persistence",
    "AWS.User.Login.Profile.Modified": "identity_persistence",
}
# The origin's rule asks something narrower or else, and its negative is a positive of ours.
OTHERWISE = {
    ("AWS.CloudTrail.RootAccessKeyCreated", "Root Created Access Key For User"): "a key for another user all the same",
}


def rule_tests(data: Path) -> list[dict[str, Any]]:
    text = (data / "rule_tests_panther" / "aws_cloudtrail_rules.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def units_by_line(document: Mapping[str, Any]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for each in document["findings"]:
        for cited in each["evidence"]:
            found.setdefault(cited["line"], set()).add(each["unit"])
    return found


def test_each_rule_test_that_corresponds_holds(scans: Scans, data: Path) -> None:
    found = units_by_line(scans.document("rule_tests_panther_apart"))
    wrong = []
    looked_at = dict.fromkeys(OURS, 0)
    for line, test in enumerate(rule_tests(data), start=1):
        if (unit := OURS.get(test["rule_id"])) is None:
            continue
        looked_at[test["rule_id"]] += 1
        expected = test["expected"] or (test["rule_id"], test["test"]) in OTHERWISE
        if (unit in found.get(line, set())) is not expected:
            wrong.append(f"line {line}: {test['rule_id']} / {test['test']}: {unit} should be {expected}")
    assert all(looked_at.values()), looked_at
    assert wrong == []


def test_nothing_is_found_but_what_is_asked_for_or_reasoned(scans: Scans, data: Path) -> None:
    tests = rule_tests(data)
    beyond = {
        (tests[line - 1]["rule_id"], unit)
        for line, units in units_by_line(scans.document("rule_tests_panther_apart")).items()
        for unit in units
        if OURS.get(tests[line - 1]["rule_id"]) != unit
    }
    assert beyond == {
        # A dry run by a person, told as one; the EKS service's own dry run in the same rule tests stays quiet.
        ("AWS.Modify.Cloud.Compute.Infrastructure", "launch_dry_run"),
        # The negative of a rule that asks for creation is a deletion.
        ("AWS.ConfigService.Created", "audit_trail_impaired"),
        # The same bucket logs, asked about by a second rule.
        ("AWS.S3.SecurityControlDisabling", "audit_trail_impaired"),
        # The trail is narrowed, which the origin's rule reports for where the call came from.
        ("AWS.CloudTrail.VPCE.SensitiveAPICalls", "audit_trail_impaired"),
    }


def test_techniques_that_correspond_are_found_and_the_others_quiet(scans: Scans) -> None:
    found = {
        Path(each["evidence"][0]["path"]).name: each["unit"]
        for each in scans.document("cloudtrail_stratus")["findings"]
    }
    assert found == STRATUS


def test_no_detection_rests_on_the_user_agent(scans: Scans, data: Path, tmp_path: Path) -> None:
    for path in (data / "cloudtrail_stratus").glob("*.json"):
        events = json.loads(path.read_text(encoding="utf-8"))
        for event in events:
            event["userAgent"] = "Boto3/1.34.0"
        (tmp_path / path.name).write_text(json.dumps(events), encoding="utf-8")
    again = scan(ScanRequest(paths=(str(tmp_path),), case_folder=tmp_path / "case")).document
    usual = scans.document("cloudtrail_stratus")
    assert [each["because"] for each in again["findings"]] == [each["because"] for each in usual["findings"]]


def test_events_that_are_no_cloudtrail_are_rejected_one_by_one(scans: Scans, data: Path) -> None:
    needed = {"eventName", "eventSource", "eventTime"}
    unread = [
        line
        for line, test in enumerate(rule_tests(data), start=1)
        if not needed <= set(test["event"] or {}) or not test["event"]["eventTime"][:4].isdigit()
    ]
    [row] = scans.document("rule_tests_panther_apart")["coverage"]
    assert [each["line"] for each in row["rejects"]] == unread
