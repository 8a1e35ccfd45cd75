"""The systemd unit: what it asks for, what it shuts out, and that systemd itself finds nothing wrong with it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from davylamp.app.alert_targets import check_targets
from davylamp.app.watch import WatchRequest
from davylamp.app.watch_unit import install, uninstall, unit_text
from davylamp.errors import UsageError


def settings(request: WatchRequest) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit_text(request).splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def test_it_runs_with_capabilities_in_place_of_root_and_within_limits() -> None:
    unit = settings(WatchRequest("/var/lib/davylamp"))
    assert unit["DynamicUser"] == ["yes"]
    assert unit["NoNewPrivileges"] == ["yes"]
    assert unit["AmbientCapabilities"] == unit["CapabilityBoundingSet"]
    assert "CAP_NET_ADMIN" in unit["AmbientCapabilities"][0]
    assert unit["ProtectSystem"] == ["strict"]
    assert unit["MemoryMax"] == ["512M"]
    assert unit["CPUQuota"] == ["25%"]
    assert unit["RestrictAddressFamilies"] == ["AF_UNIX AF_NETLINK AF_PACKET"]
    assert unit["IPAddressDeny"] == ["any"]
    assert "ReadWritePaths" not in unit


def test_the_network_is_open_only_for_alerts_that_need_it() -> None:
    unit = settings(WatchRequest("/srv/case", alerts=("journald", "json://127.0.0.1/hook", "file:/srv/alerts/a.jsonl")))
    assert "AF_INET" in unit["RestrictAddressFamilies"][0].split()
    assert "IPAddressDeny" not in unit
    assert unit["ReadWritePaths"] == ["/srv/alerts", "/srv/case"]


def test_odd_paths_are_quoted() -> None:
    (command,) = settings(WatchRequest("/srv/a case 100%"))["ExecStart"]
    assert "'/srv/a case 100%%'" in command


def test_dry_runs_change_nothing_and_say_what_would_be_done() -> None:
    said = install(WatchRequest("/var/lib/davylamp"), dry_run=True)
    assert "# would be written to /etc/systemd/system/davylamp-watch.service" in said
    assert "systemctl enable --now davylamp-watch.service" in said
    assert "systemctl disable --now" in uninstall(WatchRequest("/var/lib/davylamp"), dry_run=True)
    assert not Path("/etc/systemd/system/davylamp-watch.service").exists()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    path = tmp_path / "davylamp-watch.service"
    path.write_text(unit_text(WatchRequest("/var/lib/davylamp", alerts=("journald",))), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False)
    assert "davylamp-watch.service" not in done.stderr
    assert done.returncode == 0, done.stderr


def test_targets_of_alerts_are_checked_before_the_watch_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    check_targets(["journald", "file:/var/log/alerts.jsonl"])
    for target in ("somebody", "file:"):
        with pytest.raises(UsageError):
            check_targets([target])
    monkeypatch.setattr("davylamp.app.alert_targets.find_spec", lambda name: None)
    with pytest.raises(UsageError) as refused:
        check_targets(["slack://token"])
    assert "davylamp[alerts]" in refused.value.hint
