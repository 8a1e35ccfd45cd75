"""Suricata's EVE JSON."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path

from davylamp.kit.addresses import with_address
from davylamp.kit.metadata import SourceMeta
from davylamp.kit.sample import Sample
from davylamp.kit.source import SqlPlan, SqlSource

_TEXT = "VARCHAR"
_ANSWER = {"rrname": _TEXT, "rrtype": _TEXT, "rdata": _TEXT}
_SHAPE = {
    **dict.fromkeys(
        (
            "timestamp",
            "event_type",
            "src_ip",
            "src_port",
            "dest_ip",
            "dest_port",
            "proto",
            "app_proto",
            "direction",
            "host",
        ),
        _TEXT,
    ),
    "flow": dict.fromkeys(
        (
            "start",
            "end",
            "state",
            "action",
            "bytes_toserver",
            "bytes_toclient",
            "pkts_toserver",
            "pkts_toclient",
            "src_ip",
            "dest_ip",
        ),
        _TEXT,
    ),
    "netflow": dict.fromkeys(("start", "end", "bytes", "pkts"), _TEXT),
    "dns": {
        **dict.fromkeys(("type", "rrname", "rrtype", "rcode", "rdata"), _TEXT),
        "answers": [_ANSWER],
        "queries": [_ANSWER],
        "grouped": {"CNAME": [_TEXT], "A": [_TEXT], "AAAA": [_TEXT]},
    },
    "tls": {"sni": _TEXT, "version": _TEXT},
    "http": dict.fromkeys(("hostname", "url", "http_user_agent"), _TEXT),
    "ssh": {"client": {"proto_version": _TEXT, "software_version": _TEXT}},
    "alert": dict.fromkeys(("signature_id", "signature", "category", "severity", "action"), _TEXT),
}
_TYPE = re.compile(r'"event_type"\s*:\s*"[a-z0-9_]{2,24}"', re.ASCII)
_TIME = re.compile(r'"timestamp"\s*:\s*"\d{4}-\d\d-\d\dT', re.ASCII)
_FLOW = re.compile(r'"(?:flow_id|src_ip|stats)"\s*:', re.ASCII)
_CLASSES = ("network_activity", "dns_activity", "detection_finding")


class SuricataEve(SqlSource):
    """Reads the event log (EVE JSON) of the Suricata intrusion detection system.

    What it reads.
    JSON records with `event_type` flow, netflow, dns, tls, http, ssh or alert, of versions 3 to 8: DNS
    answers one a record, as a list, grouped by type, or with a list of questions.

    What it gives.
    flow, netflow, tls, http and ssh: `network_activity` (netflow one way; ssh with the client's banner;
    an alert that carries a server name gives one too). dns: `dns_activity` for question and answer
    records alike, so a question that was answered shows twice, once without answers. alert:
    `detection_finding`, with who opened the flow as its source, whichever packet raised the alert: as the record says
    (version 7 on), otherwise by the ports.

    What it leaves out.
    All other event types; questions after the first of one DNS message. An ssh record says nothing about
    success, so it gives no `authentication`. A record that is no JSON, has no type or no time, or an address or port
    that is none, is a reject.

    References.
    https://docs.suricata.io/en/latest/output/eve/eve-json-format.html
    """

    meta = SourceMeta(
        uid="suricata_eve",
        title="Suricata EVE JSON",
        formats=("EVE JSON lines",),
        event_classes=_CLASSES,
        references=("https://docs.suricata.io/en/latest/output/eve/eve-json-format.html",),
    )

    def recognize(self, sample: Sample) -> float:
        """Confidence that the head holds EVE records; by its three obligatory keys, as a line may be cut."""
        if not sample.starts_json:
            return 0.0
        return 0.9 if all(mark.search(sample.text) for mark in (_TYPE, _TIME, _FLOW)) else 0.0

    def plan(self, sample: Sample, modified_at: datetime) -> SqlPlan:
        """One wide parse, then one SELECT per class."""
        shape = "'" + json.dumps(_SHAPE) + "'"
        return SqlPlan(
            relation="json_records",
            selects={name: _query(name) for name in _CLASSES},
            staged=with_address(_query("staged").replace("$shape", shape)),
            notes=("event types other than flow, netflow, dns, tls, http, ssh and alert give no events here",),
        )


def _query(name: str) -> str:
    return (Path(__file__).parent / f"{name}.sql").read_text(encoding="utf-8")
