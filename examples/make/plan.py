"""The story to tell: who, where, when. Addresses are documentation ranges and exist in our own namespaces only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

SEED = 20260304

GATEWAY, RESOLVER = "10.20.0.1", "10.20.0.2"
HOSTS = {"web1": "10.20.0.5", "web2": "10.20.0.6", "db1": "10.20.0.7"}
GUARDED = ("web1", "web2")
"""Hosts that run sshd."""

ATTACKER = "203.0.113.7"
SLOW_GUESSERS = ("192.0.2.61", "192.0.2.130", "198.51.100.140", "203.0.113.199")
OFFICE = "192.0.2.10"

# A name that is listed and that nobody can reach from here: our own responder answers for it.
POOL_NAME, POOL, POOL_PORT = "pool.supportxmr.com", "198.51.100.23", 3333
RELAY_NAME, RELAY, RELAY_PORT = "edge.relay.example", "198.51.100.61", 443
METRICS_NAME, METRICS = "metrics.example.net", "192.0.2.90"
QUEUE_NAME, QUEUE = "queue.example.net", "192.0.2.81"
NAMES = {
    POOL_NAME: POOL,
    RELAY_NAME: RELAY,
    METRICS_NAME: METRICS,
    "api.payments.example": "192.0.2.80",
    "updates.example.org": "198.51.100.200",
    "time.example.net": "192.0.2.123",
    QUEUE_NAME: QUEUE,
    "mail.example.org": "198.51.100.25",
}
EVERYDAY_NAMES = tuple(name for name in NAMES if name not in (POOL_NAME, RELAY_NAME))
OUTSIDE = (ATTACKER, *SLOW_GUESSERS, OFFICE, *NAMES.values())

USER, PASSWORD = "deploy", "deploy2024"
STAFF = "ops"
UNKNOWN_USERS = ("admin", "ubuntu", "oracle", "test", "guest", "pi", "hadoop", "jenkins", "ftpuser", "user")
KNOWN_USERS = ("root", "root", "root", "postgres", USER, USER)
WORDS = ("123456", "password", "admin", "root", "changeme", "letmein", "qwerty", "12345678", "server", "welcome1")


def _at(day: int, hour: int, minute: int, second: int = 0, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, second, tzinfo=UTC)


EVIDENCE_FROM, EVIDENCE_TO = _at(28, 0, 0, month=2), _at(5, 4, 20)
NAMES_FROM, NAMES_TO = _at(2, 22, 0), _at(5, 4, 10)
GUESSES_FROM, GUESSES_TO = _at(3, 23, 4), _at(4, 2, 6)
LOGIN_AT, LOOKUP_AT = _at(4, 2, 10, 51), _at(4, 2, 14, 56)
RELAY_LOOKUP_AT = _at(4, 5, 16, 40)
MINING_FROM = _at(4, 2, 14, 58)
STAFF_LOGINS = (
    ("web1", _at(2, 8, 12, 31)),
    ("web2", _at(2, 8, 15, 2)),
    ("web2", _at(3, 8, 40, 47)),
    ("web1", _at(3, 13, 22, 18)),
    ("web2", _at(4, 8, 9, 55)),
)


@dataclass(frozen=True, slots=True)
class Talk:
    """One connection through the gateway.

    Args:
        name: what the notes call it.
        dialogue: `mining:<dialect>` or `twin:<name>`, as the emulation names them.
        speed_ratio: story seconds played in one second; the recording is stretched by the same.
        server_name: TLS server name; clear text when empty.
    """

    name: str
    host: str
    client_port: int
    server: str
    server_port: int
    dialogue: str
    begins_at: datetime
    duration_s: float
    speed_ratio: float
    server_name: str = ""


TALKS = (
    Talk(
        "agent of web1", "web1", 41120, METRICS, 443, "twin:monitoring_agent", _at(3, 22, 2), 1200.0, 60.0, METRICS_NAME
    ),
    Talk("probe of web2", "web2", 52886, QUEUE, 443, "twin:health_check", _at(3, 22, 3), 1800.0, 60.0, QUEUE_NAME),
    Talk("miner in clear", "web1", 48250, POOL, POOL_PORT, "mining:cryptonote", _at(4, 2, 14, 57), 10800.0, 300.0),
    Talk(
        "miner in TLS",
        "web1",
        49714,
        RELAY,
        RELAY_PORT,
        "mining:cryptonote",
        _at(4, 5, 16, 41),
        7200.0,
        200.0,
        RELAY_NAME,
    ),
)

ASSETS = """\
# What a team writes beside its evidence: which machine is which, and what it costs.
[[asset]]
name = "web1"
addresses = ["10.20.0.5"]
host_names = ["web1"]
instance_type = "c5.2xlarge"
region = "us-east-1"
price_model = "on_demand"
paths = ["cpu-web1.csv"]

[[asset]]
name = "web2"
addresses = ["10.20.0.6"]
host_names = ["web2"]
instance_type = "c5.2xlarge"
region = "us-east-1"
price_model = "on_demand"
paths = ["cpu-web2.csv"]

[[asset]]
name = "db1"
addresses = ["10.20.0.7"]
host_names = ["db1"]
instance_type = "r5.xlarge"
region = "us-east-1"
price_model = "on_demand"
paths = ["cpu-db1.csv"]
"""
