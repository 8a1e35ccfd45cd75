"""Zeek's conn, dns, ssl, http and ssh logs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from davylamp.catalog.sources.zeek.at_once import at_once
from davylamp.catalog.sources.zeek.layout import FIELDS, json_logs, text_layout
from davylamp.catalog.sources.zeek.parse_sql import json_sql, text_sql
from davylamp.kit.metadata import SourceMeta
from davylamp.kit.sample import Sample
from davylamp.kit.source import AtOnce, Relation, SqlPlan, SqlSource

_SELECTS = {
    "conn": {"network_activity": "conn.sql"},
    "dns": {"dns_activity": "dns.sql"},
    "ssl": {"network_activity": "ssl.sql"},
    "http": {"network_activity": "http.sql"},
    "ssh": {"network_activity": "ssh_network.sql", "authentication": "ssh_authentication.sql"},
    "dhcp": {"device_inventory": "dhcp.sql"},
}


class Zeek(SqlSource):
    """Reads the logs of the Zeek network monitor, separated text or JSON.

    What it reads.
    conn, dns, ssl, http, ssh and dhcp logs: text with Zeek's own header (any separators and markers the header
    states, added columns such as labels), and JSON with one record a line, with or without `_path`, or under its
    log's name, time as epoch seconds, milliseconds or ISO, the connection's ends as `id.orig_h`, `id_orig_h` or nested
    under `id`. One JSON file may mix several logs when its records carry `_path`.

    What it gives.
    conn, ssl and http: one `network_activity` row a record, with the server name, HTTP path and user
    agent the log holds; byte counts are payload, as Zeek counts it. dns: `dns_activity`, also where the
    question was not seen (then without a name). ssh: one `network_activity` row with the client's banner,
    and one `authentication` row where Zeek settled on success or failure. dhcp: `device_inventory`, one lease for each
    spell in which a hardware address held an address.

    What it leaves out.
    An ssh record without `auth_success`: Zeek could not tell, and an undetermined attempt is no verdict.
    Its count of attempts stays one row, because a second factor counts as an attempt too. Other Zeek logs
    (x509, files, notice, weird and so on) are recognised and give no rows. A second header in the middle
    of a file is skipped: the first one describes all lines. A record with an address or port that is none is a reject.

    References.
    https://docs.zeek.org/en/master/log-formats.html
    https://docs.zeek.org/en/master/logs/index.html
    """

    meta = SourceMeta(
        uid="zeek",
        title="Zeek logs",
        formats=("conn, dns, ssl, http, ssh, dhcp as separated text", "the same as JSON lines"),
        event_classes=("network_activity", "dns_activity", "authentication", "device_inventory"),
        references=(
            "https://docs.zeek.org/en/master/log-formats.html",
            "https://docs.zeek.org/en/master/logs/index.html",
        ),
    )

    def recognize(self, sample: Sample) -> float:
        """Confidence that the head is a Zeek header, or JSON records with Zeek's own field names."""
        if sample.head.startswith(b"#"):
            return 0.95 if text_layout(sample.lines) is not None else 0.0
        if not sample.starts_json:
            return 0.0
        return 0.9 if json_logs(sample.lines) else 0.0

    def plan(self, sample: Sample, modified_at: datetime) -> SqlPlan:
        """The plan for one log, or for a JSON file that mixes several."""
        layout = text_layout(sample.lines) if sample.head.startswith(b"#") else None
        if layout is not None:
            return _one_log("lines", layout.log, text_sql(layout) if layout.log in FIELDS else "", at_once(layout))
        logs = json_logs(sample.lines)
        known = tuple(log for log in logs if log in FIELDS)
        if len(logs) == 1:
            return _one_log("json_records", logs[0], json_sql(known, logs[0], sample.lines) if known else "")
        return _mixed_logs(sample.lines)


def _query(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _one_log(relation: Relation, log: str, parse: str, shortcut: AtOnce | None = None) -> SqlPlan:
    selects = _SELECTS.get(log, {})
    if not selects:
        return SqlPlan(relation, {}, notes=(f"Zeek's {log or 'unnamed'} log gives no events here",))
    if len(selects) == 1:
        [(name, file)] = selects.items()
        return SqlPlan(relation, {}, staged=parse + _query(file), staged_class=name, at_once=shortcut)
    staged = {name: _query(file).replace("FROM stamped", "FROM staged") for name, file in selects.items()}
    return SqlPlan(relation, staged, staged=parse + "SELECT * FROM stamped")


def _mixed_logs(lines: Sequence[str]) -> SqlPlan:
    """Every class from one staged parse; a record says by `_path` which log it is of."""
    selects: dict[str, list[str]] = {}
    for log, files in _SELECTS.items():
        for name, file in files.items():
            body = _query(file).replace("FROM stamped", f"FROM (SELECT * FROM staged WHERE log = '{log}')")
            body = body.replace("    reject\nFROM", "    NULL AS reject\nFROM")
            selects.setdefault(name, []).append(
                body if "WHERE reject IS NULL" in body else body + "WHERE reject IS NULL"
            )
    return SqlPlan(
        "json_records",
        {name: "\nUNION ALL BY NAME\n".join(bodies) for name, bodies in selects.items()},
        staged=json_sql(FIELDS, None, lines) + "SELECT * FROM stamped",
        notes=("records of other Zeek logs than conn, dns, ssl, http, ssh and dhcp give no events here",),
    )
