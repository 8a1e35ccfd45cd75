"""Writes what a set holds in a form that a source reads; values stay as they are.

Each takes the set's folder and the folder to write into.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

GUESSER = "192.0.2.7"
_FLOW_DEFAULT = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
)
_NAME = re.compile(r"^(?=.*[a-z])[a-z0-9-]+(?:\.[a-z0-9-]+)+$")


def flow_logs(origin: Path, made: Path) -> None:
    """One file for each format, its header first."""
    for number, (header, records) in enumerate(flow_cases(origin).items()):
        lines = [header, *(record["record"] for record in records)]
        (made / f"format{number}.log").write_text("\n".join(lines) + "\n", encoding="utf-8")


def flow_cases(origin: Path) -> dict[str, list[dict[str, Any]]]:
    """Header -> its records, in the order of the files that `flow_logs` writes; line 2 holds the first."""
    by_header: dict[str, list[dict[str, Any]]] = {}
    for record in _json_lines(origin / "vpc_flow_examples.jsonl"):
        header = _FLOW_DEFAULT if record["format"] == "default" else record["format"]
        by_header.setdefault(header, []).append(record)
    return by_header


def events_apart(origin: Path, made: Path) -> None:
    """CloudTrail events, one a line as in the set, with account ids that no other line has."""
    lines = []
    for number, test in enumerate(_json_lines(origin / "aws_cloudtrail_rules.jsonl"), start=1):
        event = test["event"] or {}
        accounts = {str(event.get("recipientAccountId") or ""), str((event.get("userIdentity") or {}).get("accountId"))}
        text = json.dumps(event)
        for account in sorted(account for account in accounts if account.isdigit()):
            text = text.replace(account, f"{700_000_000_000 + number}")
        apart = json.loads(text)
        apart.setdefault("recipientAccountId", f"{700_000_000_000 + number}")
        lines.append(json.dumps(apart))
    (made / "events.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def dns_log_of_popular_names(origin: Path, made: Path) -> None:
    """A dnsmasq log in which 100 machines ask for every name of the lists, one a second."""
    _dns_log(popular_names(origin), 100, made)


def popular_names(origin: Path) -> list[str]:
    """The names of both lists, sorted, each once."""
    lists = [json.loads(path.read_bytes())["list"] for path in sorted(origin.glob("*.json"))]
    return sorted({name.lower() for names in lists for name in names})


def dns_log_of_pools(origin: Path, made: Path) -> None:
    """A dnsmasq log in which each name that maltrail lists as a pool is asked for by a machine of its own."""
    names = pool_names(origin)
    _dns_log(names, len(names), made)


def pool_names(origin: Path) -> list[str]:
    """Names among maltrail's entries, without addresses, ports and comments."""
    lines = (origin / "crypto_mining.txt").read_text(encoding="utf-8").splitlines()
    words = {line.split("#")[0].strip().lower().split(":")[0] for line in lines}
    return sorted(word for word in words if _NAME.match(word))


def sshd_lines(origin: Path, made: Path) -> None:
    """Each name that was tried on the honeypot, as `Invalid user` from one address, a minute apart."""
    at = datetime(2025, 11, 15, tzinfo=UTC)
    lines = [
        f"{at + timedelta(minutes=number):%Y-%m-%dT%H:%M:%S+00:00} pot sshd[{1000 + number}]: "
        f"Invalid user {name} from {GUESSER} port {20_000 + number}"
        for number, name in enumerate(user_names(origin))
    ]
    (made / "auth.log").write_text("\n".join(lines) + "\n", encoding="utf-8")


def user_names(origin: Path) -> list[str]:
    """The distinct names tried, sorted; sshd writes what is not printable in escapes, so such names are left out."""
    with (origin / "List_of_Attempted_Usernames.csv").open(encoding="utf-8-sig", newline="") as stream:
        names = {row["username"] for row in csv.DictReader(stream)}
    return sorted(name for name in names if name and name.isprintable() and name.isascii())


def machine_of(number: int) -> str:
    """The address of the machine that asks for the name of this number, when each has its own."""
    return f"10.0.{number // 250}.{number % 250 + 1}"


def _dns_log(names: Iterable[str], machines_count: int, made: Path) -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    asked = (
        (at + timedelta(seconds=number), name, machine_of(number % machines_count)) for number, name in enumerate(names)
    )
    lines = [f"{when.isoformat()} ns1 dnsmasq[99]: query[A] {name} from {machine}" for when, name, machine in asked]
    (made / "dnsmasq.log").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)
