"""Reading control-plane calls: the JSON of request and answer, who called, and what links calls to other findings.

Rows are rows of `api_activity` as its view gives them: with `account` (the account concerned, `unknown` when the
record does not say) and `principal` (the actor without its session, so that two sessions of one role are one).
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from davylamp.kit.detection import Row
from davylamp.kit.findings import build_finding, evidence_of, instant
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import AssetRef, Finding, Observable
from davylamp.model.severity import Confidence, Severity
from davylamp.model.usage import ComputeUsage
from davylamp.units import format_instant

EVIDENCE_COLUMNS = ("time", "operation", "region", "actor", "access_key", "src_ip", "error_code", "user_agent")
INSTANCE_ID = re.compile(r"^i-[0-9a-f]{8,17}$")
_ARN_TAIL = re.compile(r"^arn:[^:]*:[^:]*:[^:]*:[^:]*:(.*)$", re.DOTALL)
Item = TypeVar("Item")
# What incidents bridge (ADR 0003).
SPELL_GAP = timedelta(hours=24)


def document(text: object) -> object:
    """The parsed JSON of a request or answer; None for no text, broken JSON or absurd nesting."""
    if not isinstance(text, str) or not text:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def walk(node: object) -> Iterator[tuple[str, object]]:
    """Every key and value below a parsed document, in document order, without recursion."""
    pending: list[tuple[str, object]] = [("", node)]
    while pending:
        key, value = pending.pop()
        if key:
            yield key, value
        if isinstance(value, dict):
            pending.extend((str(name), value[name]) for name in reversed(value))
        elif isinstance(value, list):
            pending.extend((f"{key}[]" if key else "", item) for item in reversed(value))


def texts(node: object, *names: str) -> list[str]:
    """Plain values under the named keys at any depth, whatever the case; list members and `{"value": x}` count."""
    wanted = {name.lower() for name in names}
    found: list[str] = []
    for key, value in walk(node):
        if key.lower().removesuffix("[]") not in wanted:
            continue
        plain = value.get("value") if isinstance(value, dict) else value
        if isinstance(plain, bool):
            found.append("true" if plain else "false")
        elif isinstance(plain, str | int | float):
            found.append(str(plain))
    return found


def first_text(node: object, *names: str) -> str:
    """The first of `texts`, or nothing."""
    found = texts(node, *names)
    return found[0] if found else ""


def number(text: str, most: int = 1_000_000) -> int:
    """A count as a request writes it; 0 where it is no number, `most` where it is absurd."""
    try:
        return max(0, min(most, int(float(text))))
    except (ValueError, OverflowError):
        return 0


def request(row: Row) -> object:
    """The call's parameters."""
    return document(row.get("request"))


def response(row: Row) -> object:
    """The call's answer."""
    return document(row.get("response"))


def text_of(row: Row, column: str) -> str:
    """A text column, empty where it is null."""
    value = row.get(column)
    return value if isinstance(value, str) else ""


def failed(row: Row) -> bool:
    """Whether the service refused the call."""
    return bool(row.get("error_code"))


def spells(ordered: Iterable[Item], at: Callable[[Item], datetime]) -> list[list[Item]]:
    """What came in time order, cut where more than a day (`SPELL_GAP`) lies between one and the next.

    A busy morning of a build server and, a week later, a theft with its keys are not one burst: told as one, the theft
    would be dated, and billed, from that morning on.
    """
    found: list[list[Item]] = []
    for item in ordered:
        if found and at(item) - at(found[-1][-1]) <= SPELL_GAP:
            found[-1].append(item)
        else:
            found.append([item])
    return found


def account_of(row: Row) -> AssetRef:
    """The account as an asset."""
    return AssetRef("account", text_of(row, "account") or "unknown")


def called_by(row: Row) -> str:
    """The principal as a sentence names it: user/build, assumed-role/Deploy."""
    principal = text_of(row, "principal") or "an unnamed principal"
    match = _ARN_TAIL.match(principal)
    return match.group(1) if match else principal


def source_ip(row: Row) -> str:
    """The caller's address; empty where a service called (its name stands there instead)."""
    text = text_of(row, "src_ip")
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""


def access_key_of(row: Row) -> str:
    """The caller's key; empty where a service called on its own: that key is nobody's to steal or to withdraw."""
    return "" if text_of(row, "src_ip").endswith(".amazonaws.com") else text_of(row, "access_key")


def instance_ids(rows: Iterable[Row]) -> list[str]:
    """Ids of machines that the calls created or changed, in order, once each."""
    ids: dict[str, None] = {}
    for row in rows:
        for node in (request(row), response(row)):
            for text in texts(node, "instanceId", "instanceIds", "item"):
                if INSTANCE_ID.match(text):
                    ids[text] = None
    return list(ids)


def links_of(rows: Sequence[Row], ids: Iterable[str] = ()) -> set[str]:
    """Entities that tie calls to other findings; the account alone is no tie, too much happens in one."""
    links: set[str] = set()
    for row in rows:
        if text_of(row, "principal"):
            links.add(f"principal:{row['principal']}")
        if access_key_of(row):
            links.add(f"access_key:{access_key_of(row)}")
        if source_ip(row):
            links.add(f"ip:{source_ip(row)}")
    for instance_id in ids:
        links |= {f"instance:{instance_id}", f"host:{instance_id}"}
    return links


def observables_of(rows: Sequence[Row], ids: Iterable[str] = (), types: Iterable[str] = ()) -> set[Observable]:
    """Values worth searching for elsewhere."""
    seen: set[Observable] = set()
    for row in rows:
        pairs = (
            ("principal", text_of(row, "principal")),
            ("access_key", access_key_of(row)),
            ("ip", source_ip(row)),
            ("region", text_of(row, "region")),
        )
        seen |= {Observable(kind, value) for kind, value in pairs if value}
    seen |= {Observable("instance", value) for value in ids}
    return seen | {Observable("instance_type", value) for value in types if value}


def _cited(row: Row) -> Row:
    return {**row, "time": format_instant(instant(row["time"]))}


def audit_finding(
    meta: DetectionMeta,
    rows: Sequence[Row],
    *,
    fact_key: str,
    because: str,
    llr: float,
    severity: Severity | None = None,
    stage: str | None = None,
    title: str | None = None,
    ids: Sequence[str] = (),
    types: Iterable[str] = (),
    observables: Iterable[Observable] = (),
    calls_count: int | None = None,
    compute: Sequence[ComputeUsage] = (),
    links: Iterable[str] = (),
) -> Finding:
    """A finding about calls of one principal in one account, linked and cited the same way in every audit unit.

    `rows` must not be empty; `links` are entities besides those of the calls. Confidence follows the evidence: high
    from a likelihood ratio of about 50 (llr 4) on, low below about 8 (llr 2).
    """
    ordered = sorted(rows, key=lambda row: (instant(row["time"]), str(row.get("path", "")), row.get("line") or 0))
    confidence = Confidence.HIGH if llr >= 4 else Confidence.MEDIUM if llr >= 2 else Confidence.LOW
    return build_finding(
        meta if stage is None else replace(meta, stage=stage),
        fact_key=f"{text_of(ordered[0], 'principal')}|{fact_key}",
        assets=[account_of(ordered[0])],
        because=because,
        first_seen=instant(ordered[0]["time"]),
        last_seen=instant(ordered[-1]["time"]),
        llr=round(llr, 2),
        confidence=confidence,
        evidence=evidence_of((_cited(row) for row in ordered), EVIDENCE_COLUMNS),
        evidence_count=max(len(ordered), calls_count or 0),
        observables=observables_of(ordered, ids, types) | set(observables),
        entities=links_of(ordered, ids) | set(links),
        severity=severity,
        title=title,
        compute=compute,
    )


def count_of(amount: int, noun: str) -> str:
    """A number with its noun: 1 call, 3 calls, 2 groups."""
    return f"{amount} {noun}" if amount == 1 else f"{amount} {noun}s"


def listed(values: Iterable[str], most: int = 4) -> str:
    """Values for a sentence, once each and sorted: a, b, c and 7 more."""
    unique = sorted({value for value in values if value})
    shown = ", ".join(unique[:most])
    return f"{shown} and {len(unique) - most} more" if len(unique) > most else shown
