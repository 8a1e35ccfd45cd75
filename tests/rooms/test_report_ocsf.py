"""OCSF: every line is an event of class 2004 or 2005 that the published model takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from py_ocsf_models.events.findings.detection_finding import DetectionFinding
from py_ocsf_models.objects.finding_info import FindingInformation
from py_ocsf_models.objects.metadata import Metadata
from py_ocsf_models.objects.mitre_attack import MITREAttack

from davylamp.report.ocsf import render_ocsf

EXAMPLE = Path(__file__).parents[1] / "data/scan_example.json"
# Of the class 2005: events/findings/incident_finding.json of ocsf-schema, and its base_event.
INCIDENT_REQUIRED = {
    "activity_id", "category_uid", "class_uid", "finding_info_list", "metadata", "severity_id", "status_id", "time",
    "type_uid",
}  # fmt: skip
INCIDENT_KNOWN = INCIDENT_REQUIRED | {
    "activity_name", "assignee_group", "attacks", "category_name", "class_name", "confidence_score", "desc",
    "end_time", "is_suspected_breach", "message", "severity", "start_time", "status", "type_name", "unmapped",
}  # fmt: skip


@pytest.fixture
def scan() -> Any:
    return json.loads(EXAMPLE.read_text(encoding="utf-8"))


@pytest.fixture
def events(scan: Any) -> list[Any]:
    text = render_ocsf(scan)
    assert text.isascii()
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_for_each_finding_then_each_incident(scan: Any, events: list[Any]) -> None:
    uids = [item["uid"] for item in scan["findings"] + scan["incidents"]]
    assert [event["metadata"]["uid"] for event in events] == uids
    assert [event["class_uid"] for event in events] == [2004] * len(scan["findings"]) + [2005] * len(scan["incidents"])


def test_detection_findings_are_taken_by_the_model_and_lose_nothing(events: list[Any]) -> None:
    for event in events:
        if event["class_uid"] == 2004:
            taken = json.loads(DetectionFinding.model_validate(event).model_dump_json(exclude_none=True))
            for evidence in taken["evidences"]:
                evidence.pop("verdict_id")
            assert set(taken) == set(event)
            assert taken["finding_info"] == event["finding_info"]
            assert taken["observables"] == event["observables"]
            assert len(taken["evidences"]) == len(event["evidences"])


def test_incident_findings_keep_their_class(events: list[Any]) -> None:
    incidents = [event for event in events if event["class_uid"] == 2005]
    assert len(incidents) == 2
    for event in incidents:
        assert set(event) >= INCIDENT_REQUIRED
        assert set(event) <= INCIDENT_KNOWN
        assert event["type_uid"] == 200501
        assert event["finding_info_list"]
        Metadata.model_validate(event["metadata"])
        for info in event["finding_info_list"]:
            FindingInformation.model_validate(info)
        for attack in event["attacks"]:
            MITREAttack.model_validate(attack)
        assert event["unmapped"]["cost"]["run_rate_usd_per_hour"] > 0


def test_values_stand_where_ocsf_looks_for_them(events: list[Any]) -> None:
    dialogue = next(event for event in events if event["metadata"]["uid"] == "e7a4402c9d61f8b3")
    assert dialogue["severity_id"] == 5
    assert dialogue["confidence_id"] == 3
    assert dialogue["count"] == 312
    assert dialogue["finding_info"]["attacks"] == [
        {
            "version": "18",
            "technique": {"uid": "T1496", "name": "Resource Hijacking"},
            "sub_technique": {"uid": "T1496.001", "name": "Compute Hijacking"},
        }
    ]
    assert [(item["type_id"], item["type"], item["value"]) for item in dialogue["observables"]] == [
        (2, "IP Address", "198.51.100.9"),
        (99, "port", "3333"),
    ]
    assert dialogue["resources"][0]["uid"] == "i-0abc"
    assert dialogue["resources"][0]["region"] == "us-east-1"
    assert dialogue["evidences"][0]["data"]["frame"] == 2041
