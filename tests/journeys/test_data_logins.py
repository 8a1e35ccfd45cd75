"""sshd lines of every set: the offender is who the set says, and guessing is found where the set says it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from tools.recut_data import GUESSER, user_names

from tests.journeys.conftest import Scans

pytestmark = pytest.mark.slow
HUB = "hub_crowdsec"
# CrowdSec's scenarios that say what our detection says: passwords or names were guessed.
GUESSING = re.compile(r'GetScenario\(\) == "crowdsecurity/ssh-(?:bf|slow-bf|time-based-bf)')
# An event of an alert, or of a parser: which test, which place in the answer, which field, what value.
STATED = re.compile(
    r"(?P<event>results\S*?\[\d+\]\.(?:Overflow\.Alert\.Events\[\d+\]|Evt))\."
    r'(?:GetMeta\("(?P<got>\w+)"\)|Meta\["(?P<meta>\w+)"\])(?:\[4:\])? == "(?P<value>.*)"$'
)


def stated_events(folder: Path) -> Iterator[dict[str, str]]:
    """What the test says of each event: source_ip, target_user, timestamp, service."""
    for name in ("scenario.assert", "parser.assert"):
        events: dict[str, dict[str, str]] = {}
        path = folder / name
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            if said := STATED.match(line):
                events.setdefault(said["event"], {})[said["got"] or said["meta"]] = said["value"]
        yield from events.values()


def attempts(scans: Scans, name: str) -> list[dict[str, Any]]:
    columns = "path, line, time, status, user_name, auth_method, coalesce(src_ip, src_host) AS source"
    query = f"SELECT {columns} FROM authentication WHERE service LIKE '%ssh%' ORDER BY path, line"
    return scans.rows(name, query)


def folders_with_sshd(data: Path) -> list[Path]:
    found = [
        path.parent for path in sorted((data / HUB).glob("*/*.log")) if "sshd" in path.read_text("utf-8", "replace")
    ]
    assert len(found) == 6
    return found


def test_every_login_that_the_hub_states_has_its_offender_and_name(scans: Scans, data: Path) -> None:
    read = {(Path(row["path"]).parent.name, row["source"], row["user_name"]) for row in attempts(scans, HUB)}
    stated = {
        (folder.name, event["source_ip"], event["target_user"])
        for folder in folders_with_sshd(data)
        for event in stated_events(folder)
        if "source_ip" in event and "target_user" in event
    }
    assert len(stated) >= 6
    assert stated <= read


def test_no_offender_is_named_that_the_line_does_not_name(scans: Scans, data: Path) -> None:
    for row in attempts(scans, HUB):
        line = Path(row["path"]).read_text(encoding="utf-8").splitlines()[row["line"] - 1]
        assert re.search(rf"(?:from|user \S+|with) {re.escape(row['source'])} port \d+", line), line
        assert f" {row['user_name']} " in line
    assert {row["status"] for row in attempts(scans, HUB)} == {"failure", "success"}


def test_the_guessers_are_those_of_the_hub(scans: Scans, data: Path) -> None:
    stated = set()
    for folder in folders_with_sshd(data):
        alerts = (folder / "scenario.assert").read_text(encoding="utf-8")
        for scenario in GUESSING.finditer(alerts):
            before = alerts[: scenario.start()]
            stated.add((folder.name, re.findall(r'\.Sources\["([^"]+)"\]\.IP', before)[-1]))
    found = {
        (Path(each["evidence"][0]["path"]).parent.name, item["value"])
        for each in scans.findings(HUB, "ssh_guessing_burst")
        for item in each["observables"]
    }
    assert len(stated) == 3
    assert found == stated
    assert scans.findings(HUB, "ssh_login_after_guessing") == []


def test_a_handshake_that_fails_is_no_guess(scans: Scans) -> None:
    """The hub alarms on clients without a common algorithm and on refused connections: nobody tried a password."""
    folders = {Path(row["path"]).parent.name for row in attempts(scans, HUB)}
    assert folders.isdisjoint({"sshd-bad-keyexchange-bf", "sshd-refused-conn"})


def test_denied_queries_name_the_client_that_the_hub_names(scans: Scans, data: Path) -> None:
    rows = scans.rows(HUB, "SELECT path, line, src_ip FROM dns_activity WHERE path LIKE '%bind9%'")
    for name in ("bind9-logs", "bind9-syslog"):
        stated = {event["source_ip"] for event in stated_events(data / HUB / name) if "source_ip" in event}
        read = {row["src_ip"] for row in rows if Path(row["path"]).parent.name == name}
        assert read
        assert read <= stated


def test_sshd_lines_of_plaso(scans: Scans) -> None:
    rows = [row for row in attempts(scans, "logs_plaso") if row["path"].endswith("syslog_ssh.log")]
    said = [
        (row["line"], row["status"], row["auth_method"], row["user_name"], ip_address(row["source"])) for row in rows
    ]
    assert [(*each[:4], str(each[4])) for each in said] == [
        (2, "success", "publickey", "plaso", "192.168.0.1"),
        (3, "success", "password", "plaso", "2001:db8:a0b:12f0::1"),
        (4, "failure", "publickey", "plaso", "1:db8:a0b:12f0::1"),
        (6, "failure", "password", "root", "188.124.3.41"),
        (7, "success", "publickey", "fred", "192.0.2.60"),
        (8, "success", "publickey", "fred", "192.0.2.60"),
        (9, "success", "publickey", "fred", "192.0.2.60"),
    ]
    syslog = [row for row in attempts(scans, "logs_plaso") if "/syslog/" in row["path"]]
    assert rows == syslog


@pytest.mark.parametrize("name", ["logs_plaso", "audit_go_libaudit"])
def test_logins_in_audit_records_have_the_address_of_their_line(name: str, scans: Scans) -> None:
    rows = [row for row in attempts(scans, name) if "/audit" in row["path"].replace(name, "")]
    assert rows
    for row in rows:
        # Enriched records hold a group separator, which `splitlines` takes for the end of a line.
        line = Path(row["path"]).read_text(encoding="utf-8").split("\n")[row["line"] - 1]
        assert f"addr={row['source']} " in line
        assert ("res=success" in line) is (row["status"] == "success")


def test_names_tried_on_a_honeypot_never_move_the_offender(scans: Scans, data: Path) -> None:
    rows = attempts(scans, "ssh_honeypot_2025_as_sshd_lines")
    assert {row["source"] for row in rows} == {GUESSER}
    assert [row["user_name"] for row in rows] == user_names(data / "ssh_honeypot_2025")
    [burst] = scans.findings("ssh_honeypot_2025_as_sshd_lines", "ssh_guessing_burst")
    assert GUESSER in burst["because"]
