"""Layout of a Zeek log: which log it is, and where its fields stand."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Names by which the event SELECTs know the fields, per log; `id.` marks the connection's ends.
_ENDS = {"orig_h": "id.orig_h", "orig_p": "id.orig_p", "resp_h": "id.resp_h", "resp_p": "id.resp_p"}
FIELDS: Mapping[str, tuple[str, ...]] = {
    "conn": (
        "proto",
        "service",
        "duration",
        "orig_bytes",
        "resp_bytes",
        "conn_state",
        "local_orig",
        "local_resp",
        "orig_pkts",
        "resp_pkts",
    ),
    "dns": ("proto", "query", "qtype_name", "rcode_name", "answers"),
    "ssl": ("version", "server_name"),
    "http": ("host", "uri", "user_agent"),
    "ssh": ("auth_success", "auth_attempts", "client"),
    "dhcp": ("mac", "host_name", "assigned_addr"),
}
# Fields that only one log has: they tell which log a JSON record is of when `_path` is absent.
_TELLING: Mapping[str, frozenset[str]] = {
    "conn": frozenset({"conn_state", "orig_ip_bytes", "missed_bytes"}),
    "dns": frozenset({"qtype", "qtype_name", "trans_id", "qclass_name"}),
    "ssl": frozenset({"cipher", "ssl_history", "next_protocol", "cert_chain_fuids", "cert_chain_fps"}),
    "http": frozenset({"trans_depth", "request_body_len", "resp_fuids"}),
    "ssh": frozenset({"auth_attempts", "kex_alg", "host_key_alg", "mac_alg"}),
}
# Zeek's `Log::default_scope_sep` puts another sign between `id` and its parts; for stores that know no dots.
_SCOPED = re.compile(r"^id[_:/-]((?:orig|resp)_[hp])$")
TAGGED = re.compile(r'^\s*\{\s*"([a-z_]+)"\s*:\s*\{(.*)\}\s*\}\s*$')
_ESCAPE = re.compile(r"\\x([0-9a-fA-F]{2})")


@dataclass(frozen=True, slots=True)
class TextLayout:
    """A tab-separated log as its own header describes it."""

    log: str
    fields: tuple[str, ...]
    separator: str
    set_separator: str
    empty: str
    unset: str


def text_layout(lines: Sequence[str]) -> TextLayout | None:
    """The layout the header lines state; None when they are no Zeek header."""
    separator, said = "\t", {"set_separator": ",", "empty_field": "(empty)", "unset_field": "-", "path": ""}
    fields: tuple[str, ...] = ()
    for line in lines:
        if not line.startswith("#"):
            break
        if line.startswith("#separator "):
            separator = _ESCAPE.sub(lambda hexed: chr(int(hexed.group(1), 16)), line[len("#separator ") :]) or "\t"
            continue
        name, _, value = line[1:].partition(separator)
        if name == "fields":
            fields = tuple(_SCOPED.sub(r"id.\1", name) for name in value.split(separator))
        elif name in said:
            said[name] = value
    if "ts" not in fields and not (fields and said["path"]):
        return None
    log = said["path"] or log_of(frozenset(fields))
    return TextLayout(log, fields, separator, said["set_separator"], said["empty_field"], said["unset_field"])


def log_of(names: frozenset[str]) -> str:
    """The log that records with these fields are of; empty when they do not tell."""
    scores = {log: len(names & telling) for log, telling in _TELLING.items()}
    best = max(scores, key=lambda log: scores[log])
    return best if scores[best] else ""


def json_logs(lines: Sequence[str]) -> tuple[str, ...]:
    """The logs that the head's JSON records are of, in order; empty when they are none of Zeek's."""
    logs: dict[str, None] = {}
    untold: set[str] = set()
    for line in lines[:200]:
        record = _record(line)
        if record is None:
            continue
        if "_path" in record:
            logs[str(record["_path"])] = None
        elif _is_connection(record):
            untold |= set(record)
    if not logs and untold:
        logs[log_of(frozenset(untold))] = None
    return tuple(logs)


def _record(line: str) -> dict[str, object] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    if "ts" not in record and len(record) == 1:
        [(log, inner)] = record.items()
        is_ours = isinstance(inner, dict) and "ts" in inner and (log in FIELDS or _is_connection(inner))
        return {"_path": log, **inner} if is_ours else None
    return record if "ts" in record else None


def are_tagged(lines: Sequence[str]) -> bool:
    """Whether each record stands under the name of its log, `{"conn": {...}}`, as Kafka's writer puts it."""
    return any(TAGGED.match(line) and _record(line) is not None for line in lines[:20])


def _is_connection(record: Mapping[str, object]) -> bool:
    nested = record.get("id")
    return any(name in record for name in ("id.orig_h", "id_orig_h")) or (
        isinstance(nested, dict) and "orig_h" in nested
    )


def ends(lines: Sequence[str] = ()) -> Mapping[str, str]:
    """The connection's ends: name in the SELECTs -> name in the log, as these JSON records write it."""
    if any("id_orig_h" in (_record(line) or {}) for line in lines[:20]):
        return {name: field.replace(".", "_") for name, field in _ENDS.items()}
    return _ENDS
