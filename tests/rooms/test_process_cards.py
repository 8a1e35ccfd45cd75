"""Who the processes of an incident are, told from what its findings cite."""

from __future__ import annotations

from typing import Any

from davylamp.report.process_cards import process_cards

STARTED = "2026-11-27T02:16:44Z"


def finding(uid: str, pid: int, *cited: dict[str, Any]) -> dict[str, Any]:
    assets = [{"kind": "host", "name": "web1"}, {"kind": "process", "name": f"{pid}@{STARTED}"}]
    return {"uid": uid, "assets": assets, "evidence": [{"columns": columns} for columns in cited]}


def incident(*findings: dict[str, Any]) -> dict[str, Any]:
    assets = [asset for each in findings for asset in each["assets"] if asset["kind"] == "process"]
    return {"findings": [each["uid"] for each in findings], "assets": assets}


def cards_of(*findings: dict[str, Any]) -> list[dict[str, str]]:
    made = process_cards(incident(*findings), {each["uid"]: each for each in findings})
    return [{"name": card.name, **dict(card.facts)} for card in made]


def test_facts_of_one_process_come_from_all_its_findings() -> None:
    [card] = cards_of(
        finding(
            "a",
            7,
            {"process_pid": 7, "process_name": "[kworker]", "image_path": "/tmp/x", "image_state": "deleted"},
            {"process_pid": 7, "user_name": "www-data", "lineage": [f"5@{STARTED} sh", f"4@{STARTED} nginx"]},
        ),
    )
    assert card == {
        "name": "process 7 ([kworker])",
        "user": "www-data",
        "since": "2026-11-27 02:16:44 UTC",
        "image": "/tmp/x (removed since)",
        "started by": "sh (5) of nginx (4)",
    }


def test_another_process_lends_nothing() -> None:
    """Neither what another finding says of another process, nor a record of a peer that a finding cites."""
    first, second = cards_of(
        finding("a", 7, {"process_pid": 7, "user_name": "root"}, {"process_pid": 9, "image_path": "/usr/sbin/proxy"}),
        finding("b", 8, {"dst_ip": "192.0.2.1", "dst_port": 443, "parent_process_pid": 1}),
    )
    assert set(first) == {"name", "user", "since"}
    assert second["talks to"] == "192.0.2.1:443"
    assert second["started by"] == "process 1"


def test_arguments_are_cut() -> None:
    [card] = cards_of(finding("a", 7, {"process_pid": 7, "command_line": "x" * 9000}))
    assert len(card["arguments"]) == 160
