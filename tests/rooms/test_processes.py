"""How process findings name, link and cite a process."""

from __future__ import annotations

from datetime import UTC, datetime

from davylamp.kit.metadata import DetectionMeta
from davylamp.kit.processes import process_asset, process_finding, process_named, process_observables, shown_command
from davylamp.model.finding import AssetRef, Observable, Technique
from davylamp.model.severity import Confidence, Severity

META = DetectionMeta(
    uid="probe",
    title="Probe",
    group="host_identity",
    stage="impairment",
    severity=Severity.MEDIUM,
    techniques=(Technique("T1036", "Masquerading"),),
    reads=("process_activity",),
)
ROW = {
    "asset": "web1",
    "time": datetime(2026, 11, 27, 2, 20, tzinfo=UTC),
    "activity": "snapshot",
    "process_pid": 4242,
    "process_started_at": datetime(2026, 11, 27, 2, 16, 44, 990_000, tzinfo=UTC),
    "parent_process_pid": 1,
    "process_name": "kworker/0:1",
    "command_line": "a" * 500,
    "path": "look.jsonl",
    "line": 7,
}


def test_a_process_is_its_pid_and_its_start_in_whole_seconds() -> None:
    assert process_asset(ROW) == AssetRef("process", "4242@2026-11-27T02:16:44Z")
    assert process_observables(ROW) == {Observable("process.pid", "4242")}


def test_a_launch_without_a_start_is_named_by_its_instant_and_a_snapshot_by_its_pid() -> None:
    launch = {**ROW, "activity": "launch", "process_started_at": None}
    assert process_asset(launch).name == "4242@2026-11-27T02:20:00Z"
    assert process_asset({**launch, "activity": "snapshot"}).name == "4242"
    assert process_asset({"asset": "web1", "process_pid": None}).name == "unknown"


def test_a_finding_has_host_and_process_cites_the_record_and_is_sure_as_its_ratio() -> None:
    found = process_finding(META, [ROW], because="because", llr=2.5, columns=("image_state",))
    assert found.assets == (AssetRef("host", "web1"), AssetRef("process", "4242@2026-11-27T02:16:44Z"))
    assert found.entities == ("host:web1", "process:4242@2026-11-27T02:16:44Z")
    assert found.confidence is Confidence.MEDIUM
    assert found.first_seen == found.last_seen == datetime(2026, 11, 27, 2, 20, tzinfo=UTC)
    (cited,) = found.evidence
    assert (cited.path, cited.line) == ("look.jsonl", 7)
    assert cited.columns["process_started_at"] == "2026-11-27T02:16:44.990000Z"
    assert process_finding(META, [ROW], because="b", llr=1, fact=True).confidence is Confidence.HIGH


def test_a_command_line_is_cut_for_a_sentence() -> None:
    assert len(shown_command(ROW)) == 160
    assert shown_command({"command_line": None}) == ""


def test_a_process_without_a_pid_is_still_named() -> None:
    assert process_named(ROW) == "process 4242 (kworker/0:1)"
    assert process_named({"process_pid": None, "process_name": "x"}) == "a process (x)"
