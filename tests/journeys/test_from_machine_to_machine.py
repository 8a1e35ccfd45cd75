"""An intruder goes on from the machine he guessed: one incident, whose entry point is where he came in."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from davylamp.app.scan import ScanRequest, scan
from davylamp.kit.emulation.mining import MiningRhythm, mining_dialogue
from davylamp.kit.emulation.pcap import Connection, pcap_bytes
from tests.journeys.story import ATTACKER, LOGIN_AT, POOL

MACHINES = {"web1": "10.0.0.5", "db1": "10.0.0.6", "app1": "10.0.0.7", "bastion": "10.0.0.9"}
MINUTE = timedelta(minutes=1)


def guessed(host: str, attacker: str, after: timedelta = timedelta(0)) -> list[str]:
    """Forty failures and a success."""
    users = ("root", "admin", "deploy", "ubuntu")
    lines = [
        sshd(host, after - timedelta(seconds=12 * (40 - n)), f"Failed password for {users[n % 4]} from {attacker}")
        for n in range(40)
    ]
    return [*lines, sshd(host, after, f"Accepted password for deploy from {attacker}")]


def login(host: str, source: str, after: timedelta) -> list[str]:
    return [sshd(host, after, f"Accepted publickey for ops from {source}")]


def sshd(host: str, after: timedelta, text: str) -> str:
    return f"{LOGIN_AT + after:%Y-%m-%dT%H:%M:%S}+00:00 {host} sshd[3000]: {text} port 40022 ssh2\n"


def mining(client: str, after: timedelta, seed: int = 1) -> Connection:
    return Connection(
        dialogue=mining_dialogue("cryptonote", seed, MiningRhythm(duration_s=1800.0, share_gap_s=20.0)),
        client=client,
        client_port=49152,
        server=POOL,
        server_port=14444,
        start_s=(LOGIN_AT + after).timestamp(),
    )


def scanned(folder: Path, lines: list[str], connections: list[Connection], declare: bool = True) -> dict[str, Any]:
    (folder / "evidence").mkdir()
    by_host: dict[str, list[str]] = {}
    for line in sorted(lines):
        by_host.setdefault(line.split()[1], []).append(line)
    for host, own in by_host.items():
        (folder / "evidence" / f"{host}.log").write_text("".join(own), encoding="utf-8")
    (folder / "evidence" / "capture.pcap").write_bytes(pcap_bytes(connections))
    if declare:
        declared = "".join(f'[[asset]]\nname = "{name}"\naddresses = ["{ip}"]\n' for name, ip in MACHINES.items())
        (folder / "evidence" / "davylamp.toml").write_text(declared, encoding="utf-8")
    result = scan(ScanRequest(paths=(str(folder / "evidence"),), case_folder=folder / "case"))
    assert result.failures == ()
    return result.document


def hosts(incident: dict[str, Any]) -> list[str]:
    return [asset["name"] for asset in incident["assets"] if asset["kind"] == "host"]


@pytest.mark.parametrize("hops", [("db1",), ("db1", "app1")])
def test_the_story_of_the_second_machine_begins_on_the_first(tmp_path: Path, hops: tuple[str, ...]) -> None:
    lines, connections = guessed("web1", ATTACKER), []
    before = "web1"
    for number, host in enumerate(hops):
        lines += login(host, MACHINES[before], (30 + 30 * number) * MINUTE)
        connections.append(mining(MACHINES[host], (40 + 30 * number) * MINUTE))
        before = host
    bystander = login("bastion", "192.0.2.10", 5 * MINUTE)
    document = scanned(tmp_path, [*lines, *bystander], connections)
    [incident] = document["incidents"]
    assert hosts(incident) == sorted(["web1", *hops])
    assert f"{ATTACKER} logged in to web1" in incident["entry_point"]["text"]
    assert f"web1 ({MACHINES['web1']}) logged in to db1" in " ".join(line["text"] for line in incident["story"])
    assert incident["title"] == f"Crypto mining on {', '.join(sorted(['web1', *hops]))}"


def test_a_guess_from_the_first_machine_is_walked_back_as_well(tmp_path: Path) -> None:
    lines = [*guessed("web1", ATTACKER), *guessed("db1", MACHINES["web1"], 30 * MINUTE)]
    [incident] = scanned(tmp_path, lines, [mining(MACHINES["db1"], 40 * MINUTE)])["incidents"]
    assert hosts(incident) == ["db1", "web1"]
    assert f"{ATTACKER} logged in to web1" in incident["entry_point"]["text"]


def test_a_bastion_joins_no_incidents_and_takes_part_in_none(tmp_path: Path) -> None:
    lines = [line for host in ("web1", "db1", "app1") for line in login(host, MACHINES["bastion"], -30 * MINUTE)]
    lines += [line for line in guessed("bastion", "203.0.113.99", -60 * MINUTE) if "Failed" in line]
    connections = [mining(MACHINES["web1"], 40 * MINUTE), mining(MACHINES["db1"], 50 * MINUTE, seed=2)]
    document = scanned(tmp_path, lines, connections)
    assert sorted(map(hosts, document["incidents"])) == [["db1"], ["web1"]]
    assert not any("bastion" in (each["entry_point"] or {}).get("text", "") for each in document["incidents"])


def test_what_the_first_machine_never_reached_stays_out(tmp_path: Path) -> None:
    lines = [*guessed("web1", ATTACKER), *login("db1", MACHINES["web1"], 30 * MINUTE)]
    lines += login("app1", MACHINES["bastion"], 35 * MINUTE)
    connections = [mining(MACHINES["db1"], 40 * MINUTE), mining(MACHINES["app1"], 50 * MINUTE, seed=2)]
    document = scanned(tmp_path, lines, connections)
    assert sorted(map(hosts, document["incidents"])) == [["app1"], ["db1", "web1"]]
