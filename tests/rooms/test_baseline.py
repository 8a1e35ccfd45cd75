"""Baselines: what is approved is not new, the file is whole and can be taken back, and bad files are told."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from davylamp.app.baseline import drift_of, propose
from davylamp.app.baseline_file import previous_of, read_baseline, restore_previous, write_baseline
from davylamp.app.scan import ScanRequest, scan
from davylamp.errors import UsageError
from davylamp.kit.changes import new_since
from davylamp.model.baseline import Baseline

AT = 1_773_453_600.0


def odd_look(seed: int) -> list[dict[str, Any]]:
    """A host of odd ports, services, routes, startup items, keys and users."""
    chosen = random.Random(seed)
    names = ["ssh.service", "a@1.service", "x y", "ü\u202e", "", "run-1.service", '"; --', "'", "sshd", "rpc.statd"]
    images = [
        None,
        "/usr/sbin/sshd",
        "/tmp/.x/a (deleted)",
        "/usr/bin/docker-proxy",
        "/opt/v1.2.3/app",
        "/nix/0a1b2c3d4e/x",
    ]
    rows: list[dict[str, Any]] = [
        {"record": "header", "schema": "davylamp.host/1", "time": AT, "device_name": "web1"},
    ]
    values = [
        *("via 10.0.0.1 dev e metric 10", "files dns", "10.0.0.2", None),
        *("uid=0 shell=/bin/sh login=yes password=set home=/ groups=sudo", "uid=7 login=no home=/x groups=y"),
    ]

    def add(record: str, **columns: Any) -> None:
        rows.append({"record": record, "time": AT + 2 * (record == "listening_port"), **columns})

    for pid in range(1, 40):
        name, image = chosen.choice(names), chosen.choice(images)
        add("process_activity", activity="snapshot", process_pid=pid, process_started_at=AT - pid, process_name=name,
            image_path=image)  # fmt: skip
        owner = {"process_pid": pid, "process_started_at": AT - pid, "process_name": name} if pid % 4 else {}
        add("listening_port", protocol=chosen.choice(["tcp", "udp"]), ip="0.0.0.0", user_uid=0,
            port=chosen.choice([22, 68, 323, 700, 846, 8080, 33000, 41234, 65535]),
            exposure=chosen.choice(["any", "address", "loopback", "container", None]), **owner)  # fmt: skip
        add("service_state", name=chosen.choice(names), state=chosen.choice(["running", "stopped", "unknown"]),
            enabled=chosen.choice([True, False, None]), file_path=chosen.choice([None, "/run/systemd/x", "/etc/x"]),
            file_package=chosen.choice([None, "openssh"]))  # fmt: skip
        add("startup_item", kind=chosen.choice(["cron", "profile", "authorized_key"]), name=chosen.choice(names),
            command=chosen.choice([None, "", "/x --a", "ssh-rsa SHA256:abc command=x", "a\nb" * 90]),
            file_path=chosen.choice([None, "/etc/cron.d/a"]), user_name=chosen.choice([None, "anna"]),
            enabled=chosen.choice([True, None, False]),
            file_package_state=chosen.choice([None, "unmodified", "modified"]),
            program_package_state=chosen.choice([None, "unmodified", "unowned"]))  # fmt: skip
        add(
            "host_setting",
            kind=chosen.choice(["resolver", "nsswitch", "route", "user_account"]),
            name=chosen.choice(["10.0.0.2", "8.8.8.8/32", "0.0.0.0/0", "0.0.0.0/1", "hosts", "root", "ü"]),
            value=chosen.choice(values),
        )
    for kind, name, value in (
        ("nsswitch", "hosts", "files dns"),
        ("route", "0.0.0.0/0", "via 10.0.0.1 dev e metric 10"),
        ("resolver", "203.0.113.53", "203.0.113.53"),
        ("user_account", "root", "uid=0 shell=/bin/sh login=yes password=set home=/root"),
    ):
        add("host_setting", kind=kind, name=name, value=value)
    return rows


def case_of(folder: Path, rows: list[dict[str, Any]]) -> Path:
    look = folder / "look.jsonl"
    look.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    scan(ScanRequest(paths=(str(look),), case_folder=folder / "case", units=frozenset()))
    return folder / "case"


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_new_against_what_was_just_approved(seed: int, tmp_path: Path) -> None:
    case = case_of(tmp_path, odd_look(seed))
    made = propose(None, case, now=False).baseline
    file = tmp_path / "etc" / "baseline.json"
    write_baseline(file, made)
    read = read_baseline(file)
    assert read == made
    assert sum(map(len, read.entries.values())) > 20
    drift = drift_of(read, file, case, now=False)
    assert [finding.because for finding in drift.findings] == []
    assert drift.gone == ()
    assert propose(read, case, now=False).changes == ()


def test_the_baseline_before_can_be_put_in_place_again(tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    first = Baseline("web1", "2026-03-14T02:00:00Z", "anna", {"services": ({"name": "ssh.service"},)})
    second = Baseline("web1", "2026-03-15T02:00:00Z", "ben", {"services": ()})
    write_baseline(file, first)
    write_baseline(file, second)
    assert read_baseline(previous_of(file)) == first
    assert restore_previous(file) == first
    assert (read_baseline(file), read_baseline(previous_of(file))) == (first, second)
    restore_previous(file)
    assert read_baseline(file) == second
    assert sorted(path.name for path in tmp_path.iterdir()) == ["baseline.json", "baseline.json.previous"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("[1]", "davylamp.baseline/1"),
        ('{"schema": "davylamp.baseline/2"}', "davylamp.baseline/1"),
        ('{"schema": "davylamp.baseline/1", "device_name": 1}', "device_name"),
        ('{"services": {}}', "services is no list"),
        ('{"services": [{"nam": "x"}]}', "entry 1 of services"),
        ('{"listening_ports": [{"protocol": "tcp", "port": 70000}]}', "70000 is no port"),
        ('{"listening_ports": [{"protocol": "tcp", "port": true}]}', "True is no port"),
    ],
)
def test_a_file_that_is_no_baseline_is_told(text: str, why: str, tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    stated = {"schema": "davylamp.baseline/1", "device_name": "a", "approved_at": "2026-03-14", "approved_by": "a"}
    head = json.dumps(stated).removesuffix("}") + ", "
    file.write_text(text if "schema" in text or not text.startswith("{") else head + text[1:], encoding="utf-8")
    with pytest.raises(UsageError, match=why):
        read_baseline(file)


TOLD_BY = {
    "services": "service_beyond_need",
    "listening_ports": "listening_port_drift",
    "resolvers": "resolver_drift",
    "name_sources": "resolver_drift",
    "routes": "resolver_drift",
    "startup_items": "startup_item_drift",
    "authorized_keys": "access_drift",
    "user_accounts": "access_drift",
}


def test_each_list_is_compared_and_one_that_is_absent_is_not(tmp_path: Path) -> None:
    case = case_of(tmp_path, odd_look(1))
    made = propose(None, case, now=False).baseline
    assert set(made.entries) == set(TOLD_BY)
    file = tmp_path / "baseline.json"
    for name, unit in TOLD_BY.items():
        assert made.entries[name], name
        write_baseline(file, replace(made, entries={**made.entries, name: ()}))
        drift = drift_of(read_baseline(file), file, case, now=False)
        assert {finding.unit for finding in drift.findings} == {unit}, name
        write_baseline(file, replace(made, entries={key: made.entries[key] for key in made.entries if key != name}))
        assert drift_of(read_baseline(file), file, case, now=False).findings == ()


def test_what_was_approved_long_ago_holds_in_a_narrow_window(tmp_path: Path) -> None:
    look = tmp_path / "look.jsonl"
    look.write_text("".join(json.dumps(row) + "\n" for row in odd_look(1)), encoding="utf-8")
    case = case_of(tmp_path, odd_look(1))
    file = tmp_path / "baseline.json"
    write_baseline(file, replace(propose(None, case, now=False).baseline, approved_at="2020-01-01T00:00:00Z"))
    since = datetime.fromtimestamp(AT - 60, UTC)
    asked = ScanRequest(paths=(str(look), str(file)), case_folder=tmp_path / "narrow", since=since)
    units = frozenset(TOLD_BY.values())
    assert scan(replace(asked, units=units)).document["findings"] == []


def test_what_is_new_is_never_dated_before_what_it_is_compared_with() -> None:
    seen, approved, old = (
        datetime(2026, 3, 14, tzinfo=UTC),
        datetime(2026, 3, 13, tzinfo=UTC),
        datetime(2021, 1, 1, tzinfo=UTC),
    )
    row = {"time": seen, "approved_at": approved, "first_at": old, "changed_at": old}
    assert new_since([row], "changed_at") == approved
    between = datetime(2026, 3, 13, 12, tzinfo=UTC)
    assert new_since([{**row, "changed_at": between}], "changed_at") == between
    assert new_since([{**row, "approved_at": datetime(2027, 1, 1, tzinfo=UTC)}], "changed_at") == seen
