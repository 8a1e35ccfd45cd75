"""`davylamp watch install` under a systemd that runs: the service senses and judges without being root."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.systemd_machine import SystemdMachine, can_boot, systemd_machine

UNIT = "davylamp-watch.service"
DAVYLAMP = (sys.executable, "-m", "davylamp")
pytestmark = [
    pytest.mark.live,
    pytest.mark.slow(about_s=40),
    pytest.mark.skipif(os.geteuid() != 0 or not can_boot(), reason="systemd as process 1 needs root, and systemd"),
]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[SystemdMachine]:
    with systemd_machine(tmp_path) as made:
        yield made


def _open_the_way_to_python(machine: SystemdMachine) -> None:
    for program in (sys.executable, os.path.realpath(sys.executable), __file__):
        for folder in Path(program).parents:
            machine.run("chmod", "o+x", str(folder))


def test_it_starts_judges_and_is_removed(machine: SystemdMachine) -> None:
    _open_the_way_to_python(machine)
    assert "started it" in machine.run(*DAVYLAMP, "watch", "install").stdout
    assert machine.run("systemctl", "is-active", UNIT).stdout == "active\n"
    journal = ["journalctl", "-u", UNIT, "--no-pager", "-o", "cat"]
    assert "sensor started: CPU cap 2.00%" in machine.wait_until(journal, "sensor started", 60)
    pid = machine.run("systemctl", "show", "-p", "MainPID", "--value", UNIT).stdout.strip()
    status = dict(line.split(":", 1) for line in machine.run("cat", f"/proc/{pid}/status").stdout.splitlines())
    assert status["Uid"].split()[0] != "0"
    assert int(status["NoNewPrivs"]) == 1
    # Changes in the overlay of this machine are told all the same, though not by whom.
    assert "could not be looked at: the file system of /etc gives fanotify no handles" in machine.wait_until(
        journal, "handles", 10
    )
    judged = machine.wait_until(["cat", "/var/lib/davylamp/scan.json"], "davylamp.scan/1", 60)
    assert '"host_live"' in judged
    assert "stopped and removed" in machine.run(*DAVYLAMP, "watch", "uninstall").stdout
    assert machine.run("systemctl", "is-active", UNIT, check=False).stdout.strip() in ("inactive", "unknown")
    assert machine.run("ls", "/var/lib/davylamp/watch/spool").stdout.startswith("host-")


def test_what_its_own_user_could_not_start_is_not_installed(machine: SystemdMachine) -> None:
    _open_the_way_to_python(machine)
    closed = Path(os.path.realpath(sys.executable)).parent
    machine.run("chmod", "o-x", str(closed))
    refused = machine.run(*DAVYLAMP, "watch", "install", check=False)
    assert refused.returncode == 2
    assert str(closed) in refused.stderr
    assert "closed to other users" in refused.stderr
    assert UNIT not in machine.run("ls", "/etc/systemd/system").stdout
