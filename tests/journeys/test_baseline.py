"""`davylamp baseline` on this machine: what is approved is not new, and a port of our own that appears is, with us."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HOLDER = (
    "import socket, sys, time\n"
    "held = socket.socket(); held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
    "held.bind(('127.0.0.9', 24680)); held.listen(); print('listens', flush=True); time.sleep(120)\n"
)

# Looks at this machine as it is: two such tests at once would see each other's miners.
pytestmark = pytest.mark.live


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def davylamp(*arguments: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "davylamp", *arguments], capture_output=True, check=False, timeout=120, text=True,
        input=answer,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    if "--format" not in arguments:
        wide = [line for line in done.stdout.splitlines() if len(line) > 80 and not line.startswith("approved: ")]
        assert wide == []
    return done


@contextmanager
def listening() -> Iterator[int]:
    """A process of our own that listens on loopback; it ends here, and by itself after two minutes."""
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "listens\n", "somebody holds the port: this machine cannot play the test"
        try:
            yield process.pid
        finally:
            process.kill()


@pytest.mark.slow
def test_a_port_that_appears_after_the_approval_is_told_with_its_process(tmp_path: Path) -> None:
    file = str(tmp_path / "baseline.json")
    assert davylamp("baseline", "approve", "--now", "--yes", "--file", file).returncode == 0
    with listening() as pid:
        drifted = davylamp("baseline", "diff", "--now", "--file", file)
        as_json = davylamp("baseline", "diff", "--now", "--file", file, "--format", "json")
        refused = davylamp("baseline", "approve", "--now", "--file", file)
    said = " ".join(drifted.stdout.split())
    assert drifted.returncode == 10, drifted.stdout + drifted.stderr
    assert f"process {pid} (" in said
    assert "listens on tcp 24680 on loopback" in said
    assert os.path.realpath(sys.executable) in "".join(drifted.stdout.split())
    document = json.loads(as_json.stdout)
    assert (document["schema"], as_json.returncode) == ("davylamp.drift/1", 10)
    (new,) = [each for each in document["new"] if "24680" in each["because"]]
    assert new["unit"] == "listening_port_drift"
    assert {"type": "process.pid", "value": str(pid)} in new["observables"]
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    after = davylamp("baseline", "diff", "--now", "--file", file)
    assert "24680" not in after.stdout


@pytest.mark.slow
def test_two_looks_in_one_case_compare_with_each_other(tmp_path: Path) -> None:
    case = str(tmp_path / "case")
    looked = ("scan", "host", "--observe", "1s", "--case", case, "--format", "json")
    first = json.loads(davylamp(*looked).stdout)
    [look] = [each for each in first["looks"] if each["unit"] == "listening_port_drift"]
    if look["outcome"] == "could_not_look":
        assert look["reason"].endswith("davylamp baseline approve")
    with listening() as pid:
        second = json.loads(davylamp(*looked).stdout)
    new = [each for each in second["findings"] if each["unit"] == "listening_port_drift"]
    [own] = [each for each in new if {"type": "process.pid", "value": str(pid)} in each["observables"]]
    assert {"type": "port", "value": "24680"} in own["observables"]
    assert not [each for each in first["findings"] if each["unit"] == "listening_port_drift" and each in new]


@pytest.mark.slow
def test_a_scan_of_the_host_uses_the_named_baseline(tmp_path: Path) -> None:
    file = tmp_path / "role.json"
    empty = {
        "schema": "davylamp.baseline/1",
        "device_name": "any web server",
        "approved_at": "2026-01-01T00:00:00Z",
        "approved_by": "anna",
        "user_accounts": [],
    }
    file.write_text(json.dumps(empty, indent=1), encoding="utf-8")
    looked = ("scan", "host", "--observe", "1s", "--baseline", str(file), "--format", "json")
    found = json.loads(davylamp(*looked).stdout)["findings"]
    users = {item["value"] for each in found if each["unit"] == "access_drift" for item in each["observables"]}
    assert "root" in users
    assert {each["unit"] for each in found} & {"service_beyond_need", "startup_item_drift"} == set()
    file.write_text("{}", encoding="utf-8")
    assert davylamp("scan", "host", "--baseline", str(file)).returncode == 2
