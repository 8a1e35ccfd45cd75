"""Incidents that open, change and close between two judgings, and the lines that say so."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from davylamp.agent.journal_entry import encoded, send_entry
from davylamp.app.alerts import send_alerts
from davylamp.app.watch_changes import CLOSED_AFTER, KnownIncidents, changes_of
from davylamp.app.watch_lines import change_as_json, change_as_text, said_as_json, said_as_text

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


def iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def document(*incidents: dict[str, Any]) -> dict[str, Any]:
    uids = {uid for incident in incidents for uid in incident["findings"]}
    return {"incidents": list(incidents), "findings": [{"uid": uid, "because": f"why {uid}"} for uid in sorted(uids)]}


def incident(uid: str, *findings: str, seen: datetime = NOW, **more: Any) -> dict[str, Any]:
    made = {
        "uid": uid, "title": "Crypto mining on web1", "probability": 0.99, "severity": "high",
        "assets": [{"kind": "host", "name": "web1"}, {"kind": "process", "name": "7@2026-11-27T11:00:00Z"}],
        "findings": list(findings), "first_seen": iso(seen), "last_seen": iso(seen), "entry_point": None,
        "follow_on": [], "cost": {"run_rate_usd_per_hour": 0.1},
    }  # fmt: skip
    return made | more


def told(known: KnownIncidents, now: datetime, *incidents: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each.change, each.incident["uid"]) for each in changes_of(document(*incidents), known, now)]


def test_an_incident_is_told_when_it_opens_changes_and_closes_and_not_between() -> None:
    known = KnownIncidents()
    assert told(known, NOW, incident("a", "f1")) == [("opened", "a")]
    assert told(known, NOW, incident("a", "f1")) == []
    assert told(known, NOW, incident("a", "f1", cost={"run_rate_usd_per_hour": 0.2})) == []
    assert told(known, NOW, incident("a", "f1", "f2")) == [("changed", "a")]
    assert told(known, NOW + CLOSED_AFTER + timedelta(seconds=1), incident("a", "f1", "f2")) == [("closed", "a")]
    assert told(known, NOW + CLOSED_AFTER + timedelta(minutes=9), incident("a", "f1", "f2")) == []


def test_an_incident_that_is_no_longer_found_is_closed_with_what_was_known() -> None:
    known = KnownIncidents()
    told(known, NOW, incident("a", "f1"))
    (change,) = changes_of(document(), known, NOW)
    assert change.change == "closed"
    assert change.incident["uid"] == "a"
    assert [finding["uid"] for finding in change.findings] == ["f1"]


def test_an_incident_under_a_new_name_with_a_finding_of_the_old_is_the_same() -> None:
    known = KnownIncidents()
    told(known, NOW, incident("a", "f1"))
    assert told(known, NOW, incident("b", "f1", "f2")) == [("changed", "b")]
    assert told(known, NOW, incident("b", "f1", "f2"), incident("c", "f9")) == [("opened", "c")]


def test_what_was_told_survives_a_restart_and_a_cut_file(tmp_path: Path) -> None:
    known = KnownIncidents()
    told(known, NOW, incident("a", "f1"))
    path = tmp_path / "known.json"
    known.save(path)
    assert told(KnownIncidents.load(path), NOW, incident("a", "f1")) == []
    path.write_text(path.read_text()[:20])
    assert told(KnownIncidents.load(path), NOW, incident("a", "f1")) == [("opened", "a")]
    assert KnownIncidents.load(tmp_path / "none").entries == {}


def test_lines_conform_and_hostile_text_does_not_act_on_a_terminal(tmp_path: Path) -> None:
    (change,) = changes_of(document(incident("a", "f1", title="x\x1b[2J\n{")), KnownIncidents(), NOW)
    line = json.loads(change_as_json(change, tmp_path))
    assert (line["schema"], line["kind"], line["at"]) == ("davylamp.watch/1", "incident", "2026-11-27T12:00:00.000Z")
    assert [finding["uid"] for finding in line["findings"]] == ["f1"]
    text = change_as_text(change, tmp_path)
    assert "\x1b" not in text
    assert "OPENED" in text
    assert f"davylamp show a --case {tmp_path}" in text
    columns: dict[str, object] = {"at": NOW.timestamp(), "kind": "lost", "name": "DNS", "reason": "x", "lost_count": 7}
    assert json.loads(said_as_json("sensor", columns))["sensor"] == {
        "kind": "lost", "name": "DNS", "reason": "x", "lost_count": 7,
    }  # fmt: skip
    assert "(7 lost)" in said_as_text("sensor", columns)
    refused: dict[str, object] = {"at": 0.0, "kind": "could_not_look", "name": "DNS", "reason": "needs CAP_NET_RAW"}
    assert said_as_text("sensor", refused).endswith("DNS could not be looked at: needs CAP_NET_RAW")
    cost: dict[str, object] = {"at": 0.0, "cpu_ratio": 0.0012, "memory_bytes": 20 << 20, "usd_per_month": 0.03}
    assert said_as_text("cost", cost).endswith("0.12% of a core with judging, 20 MiB, $0.03 a month")


def test_alerts_reach_a_file_and_the_journal_and_a_failing_one_stops_nothing(
    tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    changes = changes_of(document(incident("a", "f1")), KnownIncidents(), NOW)
    place = str(tmp_path / "journal")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(place)
        monkeypatch.setattr("davylamp.app.alerts.send_entry", lambda fields: send_entry(fields, place))
        targets = ["file:/nonexistent/folder/file", "journald", f"file:{tmp_path / 'alerts.jsonl'}"]
        send_alerts(targets, changes, tmp_path)
        entry = journal.recv(65536)
    assert b"DAVYLAMP_INCIDENT=a\n" in entry
    assert b"PRIORITY=3\n" in entry
    assert json.loads((tmp_path / "alerts.jsonl").read_text())["incident"]["uid"] == "a"
    assert "could not be sent" in capsys.readouterr().err


def test_fields_of_several_lines_stay_one_field() -> None:
    assert encoded({"A": "x", "B": "y\nC=z"}) == b"A=x\nB\n\x05\0\0\0\0\0\0\0y\nC=z\n"
