"""Builds a small intrusion in four kinds of files: guessing and login, DNS, packets, CPU."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

from davylamp.kit.emulation.mining import MiningRhythm, mining_dialogue
from davylamp.kit.emulation.pcap import Connection, pcap_bytes

ATTACKER = "203.0.113.7"
VICTIM, NEIGHBOUR = "10.0.0.5", "10.0.0.6"
POOL = "198.51.100.9"
LOGIN_AT = datetime(2026, 3, 4, 2, 14, 30, tzinfo=UTC)
POOL_NAME = "xmr-eu1.nanopool.org"

ASSETS = """\
[[asset]]
name = "web1"
addresses = ["10.0.0.5"]
host_names = ["web1"]
instance_type = "c5.2xlarge"
region = "us-east-1"
price_model = "on_demand"
paths = ["cpu-web1.csv"]

[[asset]]
name = "web2"
addresses = ["10.0.0.6"]
host_names = ["web2"]
instance_type = "c5.2xlarge"
region = "us-east-1"
price_model = "on_demand"
paths = ["cpu-web2.csv"]
"""


def write_story(folder: Path, seed: int = 1) -> Path:
    """Writes the evidence of one intrusion on web1 with its neighbour web2 beside it; returns the folder."""
    rng = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "davylamp.toml").write_text(ASSETS, encoding="utf-8")
    (folder / "auth.log").write_text("".join(_auth(rng)), encoding="utf-8")
    (folder / "dnsmasq.log").write_text("".join(_dns()), encoding="utf-8")
    (folder / "capture.pcap").write_bytes(_packets(seed))
    (folder / "cpu-web1.csv").write_text(_cpu(rng, mining=True), encoding="utf-8")
    (folder / "cpu-web2.csv").write_text(_cpu(rng, mining=False), encoding="utf-8")
    return folder


def _auth(rng: random.Random) -> list[str]:
    lines: list[tuple[datetime, str]] = []
    users = ("root", "admin", "deploy", "ubuntu", "test")
    for number in range(140):
        at = LOGIN_AT - timedelta(seconds=15 * (140 - number))
        user = rng.choice(users)
        known = "" if user in ("root", "deploy") else "invalid user "
        for host in ("web1", "web2") if number % 3 == 0 else ("web1",):
            text = f"Failed password for {known}{user} from {ATTACKER} port {40000 + number} ssh2"
            lines.append((at, f"{host} sshd[{2000 + number}]: {text}"))
    lines.append((LOGIN_AT, f"web1 sshd[2999]: Accepted password for deploy from {ATTACKER} port 41999 ssh2"))
    for hour in range(20):
        at = LOGIN_AT - timedelta(hours=hour + 1, minutes=7)
        lines.append(
            (at, f"web2 sshd[{900 + hour}]: Accepted publickey for ops from 192.0.2.10 port {51000 + hour} ssh2")
        )
    return [f"{at:%Y-%m-%dT%H:%M:%S}+00:00 {text}\n" for at, text in sorted(lines)]


def _dns() -> list[str]:
    lines: list[tuple[datetime, str]] = []
    for minute in range(0, 600, 10):
        at = LOGIN_AT - timedelta(hours=5) + timedelta(minutes=minute)
        for client in (VICTIM, NEIGHBOUR):
            lines.append((at, f"query[A] archive.ubuntu.com from {client}"))
            lines.append((at, "reply archive.ubuntu.com is 192.0.2.80"))
    looked_up_at = LOGIN_AT + timedelta(minutes=4)
    lines.append((looked_up_at, f"query[A] {POOL_NAME} from {VICTIM}"))
    lines.append((looked_up_at, f"reply {POOL_NAME} is {POOL}"))
    return [f"{at:%b %e %H:%M:%S} dnsmasq[411]: {text}\n" for at, text in sorted(lines, key=lambda each: each[0])]


def _packets(seed: int) -> bytes:
    rhythm = MiningRhythm(duration_s=3600.0, share_gap_s=20.0)
    start_at = LOGIN_AT + timedelta(minutes=4, seconds=2)
    connection = Connection(
        dialogue=mining_dialogue("cryptonote", seed, rhythm),
        client=VICTIM,
        client_port=49152,
        server=POOL,
        server_port=14444,
        start_s=start_at.timestamp(),
    )
    return pcap_bytes([connection])


def _cpu(rng: random.Random, *, mining: bool) -> str:
    begin = LOGIN_AT - timedelta(days=4)
    rows = ["timestamp,value"]
    for step in range(int(timedelta(days=5) / timedelta(minutes=5))):
        at = begin + step * timedelta(minutes=5)
        busy = 12 + 8 * (1 if 8 <= at.hour < 18 else 0) + rng.random() * 4
        if mining and at >= LOGIN_AT + timedelta(minutes=5):
            busy = 93 + rng.random() * 4
        rows.append(f"{at:%Y-%m-%d %H:%M:%S},{busy:.3f}")
    return "\n".join(rows) + "\n"
