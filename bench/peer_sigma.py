"""Sigma rules over JSON lines: pySigma makes SQL of the rules, SQLite holds the records (run with both installed)."""

import gzip
import json
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection

# A handful of our own: the plainest form of what our detections look for in the same records.
RULE = """
title: {title}
status: test
logsource: {{product: {product}}}
detection:
    selection:
{lines}
    condition: selection
"""
SELECTIONS: dict[str, list[dict[str, str | list[str]]]] = {
    "cloudtrail": [
        {"eventName": "RunInstances"},
        {"eventName": "RunInstances", "errorCode": "Client.DryRunOperation"},
        {"eventName": ["CreateAccessKey", "CreateUser", "CreateLoginProfile"]},
        {"eventName": ["StopLogging", "DeleteTrail", "UpdateTrail"]},
        {"eventName": "GetServiceQuota"},
        {"eventName": "CreateFunction20150331"},
        {"userType": "Root"},
        {"eventName|contains": "Fleet", "awsRegion": "eu-west-1"},
    ],
    "resolver": [
        {"query_name|contains": ["minergate", "nanopool", "f2pool", "moneroocean", "2miners"]},
        {"query_name|startswith": ["xmr.", "stratum.", "pool."]},
    ],
}
WANTED = {
    "cloudtrail": ("eventName", "errorCode", "userType", "awsRegion", "eventSource", "eventTime"),
    "resolver": ("query_name", "query_type", "srcaddr", "query_timestamp"),
}


def _rules(product: str) -> Iterator[str]:
    for number, selection in enumerate(SELECTIONS[product]):
        lines = "\n".join(f"        {key}: {json.dumps(value)}" for key, value in selection.items())
        yield RULE.format(title=f"rule {number}", product=product, lines=lines)


def _rows(path: Path, names: tuple[str, ...]) -> Iterator[list[object]]:
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
        for line in lines:
            record = json.loads(line)
            record["userType"] = record.get("userIdentity", {}).get("type")
            yield [record.get(name) for name in names]


def main() -> None:
    """Loads the records, runs every rule, prints how many records each found."""
    path = Path(sys.argv[1])
    product = "resolver" if "resolver" in path.name else "cloudtrail"
    names = WANTED[product]
    backend = sqliteBackend()
    database = sqlite3.connect(":memory:")
    columns = ", ".join(f'"{name}"' for name in names)
    database.execute(f"CREATE TABLE logs ({columns})")
    database.executemany(f"INSERT INTO logs VALUES ({', '.join('?' * len(names))})", _rows(path, names))
    for rule in _rules(product):
        for query in backend.convert(SigmaCollection.from_yaml(rule)):
            counting = query.replace("<TABLE_NAME>", "logs").replace("SELECT *", "SELECT count(*)")
            print(database.execute(counting).fetchall())


if __name__ == "__main__":
    main()
