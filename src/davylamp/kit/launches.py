"""Machines in control-plane calls: what a launch asked for, what it got, and what that costs by the hour."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from davylamp.kit.audit import (
    INSTANCE_ID,
    count_of,
    failed,
    first_text,
    listed,
    number,
    request,
    response,
    text_of,
    texts,
    walk,
)
from davylamp.kit.detection import Facts, Row
from davylamp.kit.findings import instant
from davylamp.model.usage import ComputeUsage
from davylamp.units import format_usd

GROUP_OPERATIONS = frozenset({"CreateAutoScalingGroup", "UpdateAutoScalingGroup", "SetDesiredCapacity"})
_ACCELERATED = re.compile(r"^(?:ml\.)?(?:p\d|g\d|gr\d|trn\d|inf\d|dl\d|vt\d)")
_XLARGE = re.compile(r"\.(\d{0,3})xlarge$")
_FAMILY = re.compile(r"^(?:ml\.)?([a-z]+)")
_TYPE = re.compile(r"^(?:ml\.)?[a-z][a-z0-9-]*\.[a-z0-9-]+$")


@dataclass(frozen=True, slots=True)
class Launch:
    """Machines of one type that one call asked for.

    Args:
        started: the service accepted; a group's wish is not started, the group's own launches are.
        ids: instance ids from the answer; empty when it names none.
    """

    at: datetime
    region: str
    instance_type: str
    count: int
    started: bool
    ids: tuple[str, ...]
    resource: str
    operation: str


@dataclass(frozen=True, slots=True)
class Bill:
    """Launches in money: `vcpu_count` and `usd_per_hour` of all, `text` for a sentence."""

    vcpu_count: float
    usd_per_hour: float
    text: str


def accelerated(instance_type: str) -> bool:
    """Whether the type carries a GPU or another accelerator (families p, g, trn, inf, dl, vt)."""
    return _ACCELERATED.match(instance_type) is not None


def family_of(instance_type: str) -> str:
    """The class letters of a type: c for c7g.large, so that a new generation is no new family."""
    match = _FAMILY.match(instance_type)
    return match.group(1) if match else ""


def vcpu_of(instance_type: str, region: str, facts: Facts) -> float:
    """vCPUs of one machine: the price table's figure, else four for each xlarge of its size; 0 for no type."""
    if not instance_type:
        return 0.0
    size = _XLARGE.search(instance_type)
    guessed = 4.0 * int(size.group(1) or 1) if size else 2.0
    return facts.price(instance_type, region).vcpu or guessed


def dry(row: Row) -> bool:
    """Whether the call only asked if it would be allowed."""
    said = texts(request(row), "dryRun")
    return text_of(row, "error_code").endswith("DryRunOperation") or "true" in (text.lower() for text in said)


def _typed(row: Row, templates: Mapping[str, str]) -> list[str]:
    named = [text for text in texts(request(row), "instanceType", "instanceTypes") if _TYPE.match(text)]
    if named:
        return named
    keys = texts(request(row), "launchTemplateName", "launchTemplateId", "launchConfigurationName")
    return [templates[key] for key in keys if key in templates]


def _wanted_count(row: Row) -> int:
    asked = request(row)
    if row.get("operation") in GROUP_OPERATIONS:
        return max(number(first_text(asked, "desiredCapacity")), number(first_text(asked, "minSize")))
    names = ("maxCount", "totalTargetCapacity", "targetCapacity", "instanceCount", "minCount", "desiredSize", "minSize")
    counts = texts(asked, *names)
    return max((number(count) for count in counts), default=1) or 1


def _answered(row: Row) -> dict[str, str]:
    """Instance id -> type, as the answer names them; the type is empty where it does not say."""
    answer = response(row)
    found: dict[str, str] = {}
    for _, node in [("", answer), *walk(answer)]:
        if not isinstance(node, dict):
            continue
        kind = str(node.get("instanceType") or node.get("InstanceType") or "")
        for text in texts({key: value for key, value in node.items() if "instance" in key.lower()}, "instanceId"):
            found.setdefault(text, "")
        own = node.get("instanceId") or node.get("InstanceId")
        if isinstance(own, str):
            found[own] = kind or found.get(own, "")
        nested = node.get("instanceIds") or node.get("InstanceIds")
        for text in texts({"ids": nested}, "ids", "item", "items"):
            found[text] = kind or found.get(text, "")
    return {key: kind for key, kind in found.items() if INSTANCE_ID.match(key)}


def launches_of(row: Row, templates: Mapping[str, str] | None = None) -> list[Launch]:
    """What one launching call asked for or got, by type.

    Args:
        templates: launch template name or id -> instance type, where the evidence shows the template's making.
    """
    at, region = instant(row["time"]), text_of(row, "region")
    operation = text_of(row, "operation")
    uid = text_of(row, "event_uid") or f"{row.get('path')}#{row.get('line') or row.get('byte_offset')}"
    types = _typed(row, templates or {})
    answered = {} if failed(row) else _answered(row)
    if answered:
        by_type: dict[str, list[str]] = {}
        for instance_id, kind in answered.items():
            by_type.setdefault(kind or (types[0] if types else ""), []).append(instance_id)
        return [Launch(at, region, kind, len(ids), True, tuple(ids), uid, operation) for kind, ids in by_type.items()]
    started = not failed(row) and not dry(row) and operation not in GROUP_OPERATIONS
    kind = types[0] if types else ""
    return [Launch(at, region, kind, _wanted_count(row), started, (), uid, operation)]


def templates_of(rows: Iterable[Row]) -> dict[str, str]:
    """Launch template or configuration, by name and id -> the instance type it launches."""
    known: dict[str, str] = {}
    for row in rows:
        kind = first_text(request(row), "instanceType")
        if not kind or failed(row):
            continue
        names = texts(request(row), "launchTemplateName", "launchConfigurationName")
        for name in names + texts(response(row), "launchTemplateId"):
            known[name] = kind
    return known


def usages_of(launches: Iterable[Launch], basis: str) -> list[ComputeUsage]:
    """Usage for pricing: one entry a machine where ids are known, so that a machine is priced once."""
    usages: list[ComputeUsage] = []
    for launch in launches:
        if launch.count == 0:
            continue
        model = "launched" if launch.started else "requested"
        for resource in launch.ids or (launch.resource,):
            usages.append(
                ComputeUsage(
                    model=model,
                    started_at=launch.at,
                    basis=basis,
                    instance_type=launch.instance_type,
                    region=launch.region,
                    count=1 if launch.ids else launch.count,
                    resource=resource,
                )
            )
    return usages


def bill_of(launches: Sequence[Launch], facts: Facts, most: int = 3) -> Bill:
    """Prices launches: `12 x g5.12xlarge in eu-north-1: 576 vCPU, $68.06 an hour`."""
    counts: dict[tuple[str, str], int] = {}
    for launch in launches:
        key = (launch.instance_type, launch.region)
        counts[key] = counts.get(key, 0) + launch.count
    vcpu_count = usd_per_hour = 0.0
    by_kind: dict[str, tuple[float, int, set[str]]] = {}
    for (kind, region), count in counts.items():
        usd = facts.price(kind, region).usd_per_hour * count if kind else 0.0
        vcpu_count += vcpu_of(kind, region, facts) * count
        usd_per_hour += usd
        told_usd, told, regions = by_kind.get(kind, (0.0, 0, set[str]()))
        by_kind[kind] = (told_usd + usd, told + count, regions | {region or "an unnamed region"})
    ranked = sorted(by_kind.items(), key=lambda item: (-item[1][0], item[0]))
    names = ", ".join(
        f"{count} x {kind or 'a type the record does not name'} in {listed(regions)}"
        for kind, (_, count, regions) in ranked[:most]
    )
    more = f" and {count_of(len(ranked) - most, 'more type')}" if len(ranked) > most else ""
    figures = f"{vcpu_count:,.0f} vCPU, {format_usd(usd_per_hour)} an hour" if usd_per_hour else "size unknown"
    return Bill(vcpu_count, usd_per_hour, f"{names}{more}: {figures}")
