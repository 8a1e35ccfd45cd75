"""Guessing, a login, a look-up and a dialogue on one host, from four kinds of files, are one incident."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from davylamp.app.scan import ScanRequest, scan
from tests.journeys.story import ATTACKER, LOGIN_AT, POOL, POOL_NAME, VICTIM, write_story


@pytest.fixture(scope="module", params=[1, 2])
def document(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("story")
    write_story(folder / "evidence", seed=request.param)
    result = scan(ScanRequest(paths=(str(folder / "evidence"),), case_folder=folder / "case"))
    assert result.failures == ()
    return result.document


def test_it_is_one_incident_on_the_victim_alone(document: dict[str, Any]) -> None:
    [incident] = document["incidents"]
    assert [asset["name"] for asset in incident["assets"]] == ["web1"]
    assert incident["severity"] == "critical"
    assert incident["probability"] >= 0.99


def test_its_entry_point_is_the_login(document: dict[str, Any]) -> None:
    [incident] = document["incidents"]
    entry = next(each for each in document["findings"] if each["uid"] == incident["entry_point"]["finding"])
    assert entry["unit"] == "ssh_login_after_guessing"
    assert ATTACKER in incident["entry_point"]["text"]
    assert "deploy" in incident["entry_point"]["text"]


def test_four_kinds_of_evidence_tell_its_story_in_order(document: dict[str, Any]) -> None:
    [incident] = document["incidents"]
    units = {each["unit"] for each in document["findings"] if each["uid"] in incident["findings"]}
    assert {"ssh_login_after_guessing", "pool_domain_lookup", "mining_dialogue", "cpu_floor_raised"} <= units
    moments = [line["at"] for line in incident["story"]]
    assert moments == sorted(moments)
    stages = [line["stage"] for line in incident["story"]]
    assert stages.index("access") < stages.index("mining")


def test_observables_and_evidence_can_be_looked_up(document: dict[str, Any]) -> None:
    values = {item["value"] for finding in document["findings"] for item in finding["observables"]}
    assert {ATTACKER, POOL, POOL_NAME} <= values
    for finding in document["findings"]:
        assert finding["evidence"]
        for cited in finding["evidence"]:
            assert Path(cited["path"]).is_file()
            assert {"line", "frame", "offset"} & set(cited)


def test_a_flat_priced_machine_costs_capacity_and_no_bill(document: dict[str, Any]) -> None:
    cost = document["incidents"][0]["cost"]
    assert cost["billed_extra_usd"] == 0
    # c5.2xlarge is $0.34 an hour in us-east-1; about three quarters of it are taken.
    assert cost["run_rate_usd_per_hour"] == pytest.approx(0.34 * 0.74, rel=0.15)
    assert cost["low_usd"] <= cost["capacity_lost_usd"] <= cost["high_usd"]
    assert any("flat price" in line for line in cost["basis"])


def test_the_neighbour_is_in_no_incident(document: dict[str, Any]) -> None:
    in_incident = {uid for incident in document["incidents"] for uid in incident["findings"]}
    for finding in document["findings"]:
        if {asset["name"] for asset in finding["assets"]} == {"web2"}:
            assert finding["uid"] not in in_incident


@pytest.mark.parametrize("kinds", [("dnsmasq.log", "cpu-web1.csv"), ("auth.log", "cpu-web1.csv")])
def test_two_kinds_of_evidence_are_enough(tmp_path: Path, kinds: tuple[str, ...]) -> None:
    story = write_story(tmp_path / "evidence")
    request = ScanRequest(
        paths=tuple(str(story / name) for name in kinds),
        assets_file=story / "davylamp.toml",
        case_folder=tmp_path / "case",
    )
    [incident] = scan(request).document["incidents"]
    assert [asset["name"] for asset in incident["assets"]] == ["web1"]
    assert incident["probability"] >= 0.9


def test_a_listed_name_without_a_pool_s_shape_asked_once_and_the_cpu_floor_are_enough(tmp_path: Path) -> None:
    """A miner asks once and stays connected; behind a CNAME nothing is told by the shape of what it asked."""
    story = write_story(tmp_path / "evidence")
    log = story / "dnsmasq.log"
    asked = log.read_text(encoding="utf-8").replace(f"reply {POOL_NAME}", "reply ").replace(POOL_NAME, "cdn.acme.test")
    chain = f"reply cdn.acme.test is <CNAME>\nSTAMP reply {POOL_NAME} is"
    stamp = next(line for line in asked.splitlines() if "cdn.acme.test" in line).partition("query")[0]
    log.write_text(asked.replace("reply  is", chain).replace("STAMP ", stamp), encoding="utf-8")
    paths = tuple(str(story / name) for name in ("dnsmasq.log", "cpu-web1.csv"))
    request = ScanRequest(paths=paths, assets_file=story / "davylamp.toml", case_folder=tmp_path / "case")
    document = scan(request).document
    assert "pool_like_name" not in {each["unit"] for each in document["findings"]}
    [incident] = document["incidents"]
    assert incident["probability"] >= 0.9


def test_one_kind_of_weak_evidence_is_not(tmp_path: Path) -> None:
    story = write_story(tmp_path / "evidence")
    for name in ("dnsmasq.log", "cpu-web1.csv", "cpu-web2.csv"):
        paths = (str(story / name),)
        request = ScanRequest(paths=paths, assets_file=story / "davylamp.toml", case_folder=tmp_path / f"case-{name}")
        assert scan(request).document["incidents"] == []


@pytest.mark.parametrize("host", ["web1", "db9"])
def test_a_record_of_the_future_changes_nothing(tmp_path: Path, host: str) -> None:
    """One line of 2090, forged or damaged: indicators expired by then, and open machines would run until then."""
    folder = write_story(tmp_path / "evidence", seed=1)
    line = f"2090-01-01T00:00:00+00:00 {host} sshd[9]: Failed password for root from 192.0.2.77 port 40000 ssh2\n"
    (folder / "later.log").write_text(line, encoding="ascii")
    alone = scan(
        ScanRequest(paths=(str(write_story(tmp_path / "same")),), case_folder=tmp_path / "case-alone")
    ).document
    beside = scan(ScanRequest(paths=(str(folder),), case_folder=tmp_path / "case")).document
    [was], [stays] = alone["incidents"], beside["incidents"]
    assert sorted(_units(alone)) == sorted(_units(beside))
    assert stays["cost"] == was["cost"]
    assert (stays["probability"], stays["last_seen"]) == (was["probability"], was["last_seen"])


def _units(document: dict[str, Any]) -> list[str]:
    return [finding["unit"] for finding in document["findings"]]


def test_what_ran_when_its_evidence_ended_is_taken_to_run(tmp_path: Path) -> None:
    """Log-ins hours later say nothing of the miner; flows of the machine without the pool do."""
    folder = write_story(tmp_path / "evidence", seed=1)
    (folder / "cpu-web1.csv").unlink()
    (folder / "later.log").write_text(
        f"{LOGIN_AT + timedelta(hours=9):%FT%T}+00:00 web1 sshd[9]: Accepted publickey for ops from 192.0.2.10 "
        "port 51000 ssh2\n",
        encoding="ascii",
    )
    running = _cost(folder, tmp_path / "case")
    assert running["run_rate_usd_per_hour"] > 0
    assert any("is taken to run" in line for line in running["basis"])

    start_s = int((LOGIN_AT + timedelta(hours=9)).timestamp())
    (folder / "flow.log").write_text(
        f"2 123456789012 eni-1 {VICTIM} 192.0.2.80 50000 443 6 10 900 {start_s} {start_s + 60} ACCEPT OK\n"
        f"2 123456789012 eni-1 192.0.2.80 {VICTIM} 443 50000 6 10 900 {start_s} {start_s + 60} ACCEPT OK\n",
        encoding="ascii",
    )
    assert _cost(folder, tmp_path / "case")["run_rate_usd_per_hour"] == 0


def _cost(folder: Path, case: Path) -> dict[str, Any]:
    [incident] = scan(ScanRequest(paths=(str(folder),), case_folder=case)).document["incidents"]
    cost: dict[str, Any] = incident["cost"]
    return cost
