"""OCSF 1.5 events as JSON lines: a Detection Finding (2004) per finding, an Incident Finding (2005) per incident."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from davylamp.model.severity import Severity
from davylamp.report.wording import Record, instant_of, place

OCSF_VERSION = "1.5.0"
_CREATE, _NEW = 1, 1
_CONFIDENCE_IDS = {"low": 1, "medium": 2, "high": 3}
_OTHER = (99, "Other")
# Types that OCSF has no number for go as Other under our own name, which `type` is for.
_OBSERVABLE_TYPES = {
    "domain": (1, "Hostname"),
    "host": (1, "Hostname"),
    "host_name": (1, "Hostname"),
    "server_name": (1, "Hostname"),
    "ip": (2, "IP Address"),
    "mac": (3, "MAC Address"),
    "user_name": (4, "User Name"),
    "principal": (4, "User Name"),
    "url": (6, "URL String"),
    "file_name": (7, "File Name"),
    "hash": (8, "Hash"),
    "process_name": (9, "Process Name"),
    "instance": (10, "Resource UID"),
    "instance_id": (10, "Resource UID"),
    "resource": (10, "Resource UID"),
}


def render_ocsf(scan: Record) -> str:
    """One JSON object a line: every finding, then every incident, in the document's order."""
    findings = {finding["uid"]: finding for finding in scan["findings"]}
    events = [_detection_finding(finding, scan) for finding in scan["findings"]]
    events += [_incident_finding(incident, findings, scan) for incident in scan["incidents"]]
    return "".join(json.dumps(event, ensure_ascii=True, allow_nan=False) + "\n" for event in events)


def _base(record: Record, class_uid: int, class_name: str, scan: Record) -> dict[str, Any]:
    return {
        "activity_id": _CREATE,
        "activity_name": "Create",
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": class_uid,
        "class_name": class_name,
        "type_uid": class_uid * 100 + _CREATE,
        "type_name": f"{class_name}: Create",
        "severity_id": int(Severity[record["severity"].upper()]),
        "severity": record["severity"].capitalize(),
        "status_id": _NEW,
        "status": "New",
        "time": _epoch_ms(record["last_seen"]),
        "start_time": _epoch_ms(record["first_seen"]),
        "end_time": _epoch_ms(record["last_seen"]),
        "metadata": {
            "version": OCSF_VERSION,
            "uid": record["uid"],
            "product": {"name": "Davylamp", "vendor_name": "Davylamp", "version": scan["run"]["version"]},
        },
    }


def _detection_finding(finding: Record, scan: Record) -> dict[str, Any]:
    return {
        **_base(finding, 2004, "Detection Finding", scan),
        "message": finding["because"],
        "confidence_id": _CONFIDENCE_IDS[finding["confidence"]],
        "confidence": finding["confidence"].capitalize(),
        "count": max(1, finding["evidence_count"]),
        "finding_info": _finding_info(finding),
        "resources": [_resource(asset, scan) for asset in finding["assets"]],
        "observables": [_observable(number, observable) for number, observable in enumerate(finding["observables"])],
        "evidences": [_evidence(cited) for cited in finding["evidence"]],
        "unmapped": {
            "llr": finding["llr"],
            "evidence_group": finding["group"],
            "stage": finding["stage"],
            "fact": finding["fact"],
        },
    }


def _incident_finding(incident: Record, findings: Mapping[str, Record], scan: Record) -> dict[str, Any]:
    mine = [findings[uid] for uid in incident["findings"] if uid in findings]
    attacks = {json.dumps(attack, sort_keys=True): attack for item in mine for attack in _attacks(item)}
    return {
        **_base(incident, 2005, "Incident Finding", scan),
        "message": incident["title"],
        "desc": " ".join(line["text"] for line in incident["story"]) or incident["title"],
        "confidence_score": round(100 * incident["probability"]),
        "attacks": [attacks[key] for key in sorted(attacks)],
        "finding_info_list": [_finding_info(item) for item in mine],
        "is_suspected_breach": True,
        # The class asks for an assignee or a group; a scan assigns nobody.
        "assignee_group": {"name": "unassigned"},
        "unmapped": {
            "probability": incident["probability"],
            "resources": [_resource(asset, scan) for asset in incident["assets"]],
            "cost": incident["cost"],
            "story": incident["story"],
            "entry_point": incident["entry_point"],
            "follow_on": incident["follow_on"],
            "next_steps": incident["next_steps"],
        },
    }


def _finding_info(finding: Record) -> dict[str, Any]:
    return {
        "uid": finding["uid"],
        "title": finding["title"],
        "desc": finding["because"],
        "types": [finding["group"]],
        "analytic": {"uid": finding["unit"], "name": finding["unit"], "type_id": 1, "type": "Rule"},
        "attacks": _attacks(finding),
        "data_sources": sorted({cited["path"] for cited in finding["evidence"]}),
        "first_seen_time": _epoch_ms(finding["first_seen"]),
        "last_seen_time": _epoch_ms(finding["last_seen"]),
    }


def _attacks(finding: Record) -> list[dict[str, Any]]:
    """ATT&CK as OCSF has it: a sub-technique stands beside the technique it is part of.

    No tactic: one technique serves several, and a finding does not say which was meant.
    """
    made = []
    for technique in finding["techniques"]:
        parent, dot, _ = technique["id"].partition(".")
        family, colon, own = technique["name"].partition(": ")
        attack: dict[str, Any] = {
            "version": technique["attack_version"],
            "technique": {"uid": parent, "name": family},
        }
        if dot:
            attack["sub_technique"] = {"uid": technique["id"], "name": own if colon else family}
        made.append(attack)
    return made


def _resource(asset: Record, scan: Record) -> dict[str, Any]:
    known = next(
        (item for item in scan["assets"] if item["name"] == asset["name"] and item["kind"] == asset["kind"]), None
    )
    resource: dict[str, Any] = {"name": asset["name"], "type": asset["kind"], "uid": asset["name"]}
    if known is None:
        return resource
    resource["uid"] = known["instance_id"] or asset["name"]
    if known["region"]:
        resource["region"] = known["region"]
    resource["data"] = {
        key: known[key] for key in ("addresses", "host_names", "instance_type", "account", "price_model") if known[key]
    }
    return resource


def _observable(number: int, observable: Record) -> dict[str, Any]:
    type_id, type_name = _OBSERVABLE_TYPES.get(observable["type"], _OTHER)
    return {
        "name": f"observables[{number}].{observable['type']}",
        "type_id": type_id,
        "type": observable["type"] if type_id == _OTHER[0] else type_name,
        "value": observable["value"],
    }


def _evidence(cited: Record) -> dict[str, Any]:
    where = {key: cited[key] for key in ("path", "line", "frame", "offset") if key in cited}
    return {"name": place(cited), "data": {**where, "columns": cited["columns"]}}


def _epoch_ms(text: str) -> int:
    return round(instant_of(text).timestamp() * 1000)
