"""Assembles incidents from components of findings that are enough."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

from davylamp.correlate.fusion import (
    is_incident,
    posterior,
    without_bystanders,
    without_early_hints,
)
from davylamp.correlate.graph import components
from davylamp.correlate.next_steps import next_steps
from davylamp.correlate.story import entry_point, follow_on, story_lines
from davylamp.model.asset import Asset
from davylamp.model.finding import AssetRef, Finding
from davylamp.model.incident import Incident
from davylamp.model.money import Cost
from davylamp.model.severity import Severity
from davylamp.model.usage import ComputeUsage

# Above this hourly loss an incident is critical by money alone: ten dollars an hour is a large
# instance or a dozen small ones, and 7,300 dollars a month.
CRITICAL_USD_PER_HOUR = 10.0

Assess = Callable[[Sequence[ComputeUsage]], Cost]


def correlate(findings: Sequence[Finding], assets: Mapping[str, Asset], assess: Assess) -> tuple[Incident, ...]:
    """Incidents, worst first.

    Args:
        assess: prices compute usage (the cost room, given by the use case).
    """
    enough = [members for members in components(findings, assets) if is_incident(members)]
    made = [_incident(without_early_hints(without_bystanders(members)), assess) for members in enough]
    return tuple(sorted(made, key=lambda each: (-each.severity, each.first_seen, each.uid)))


def _incident(members: Sequence[Finding], assess: Assess) -> Incident:
    ordered = sorted(members, key=lambda each: (each.first_seen, each.uid))
    entry = entry_point(ordered)
    cost = assess(_usages(ordered))
    assets = _assets(ordered)
    return Incident(
        uid=_uid(ordered, assets),
        title=_title(ordered, assets),
        probability=round(posterior(ordered), 4),
        severity=_severity(ordered, entry is not None, cost),
        assets=assets,
        findings=tuple(each.uid for each in ordered),
        first_seen=ordered[0].first_seen,
        last_seen=max(each.last_seen for each in ordered),
        story=story_lines(ordered),
        entry_point=entry,
        follow_on=follow_on(ordered),
        cost=cost,
        next_steps=next_steps(ordered, assets),
    )


def _assets(findings: Sequence[Finding]) -> tuple[AssetRef, ...]:
    """Assets of the incident; a finding that spans many machines lends none."""
    own = [each for each in findings if sum(asset.kind == "host" for asset in each.assets) <= 1] or list(findings)
    return tuple(sorted({asset for each in own for asset in each.assets}))


def _usages(findings: Sequence[Finding]) -> list[ComputeUsage]:
    """What was used; a machine seen mining without a measured share is taken whole, and says so."""
    usages = [usage for finding in findings for usage in finding.compute]
    priced = {usage.asset for usage in usages}
    by_host: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.stage == "mining" and finding.group != "audit":
            for asset in finding.assets:
                if asset.kind == "host" and asset.name not in priced:
                    by_host.setdefault(asset.name, []).append(finding)
    for name, seen in sorted(by_host.items()):
        usages.append(
            ComputeUsage(
                model="stolen",
                asset=name,
                started_at=min(each.first_seen for each in seen),
                # A process that was seen and not seen to end goes on; a connection is over when its record is.
                ended_at=None if _names_a_process(seen) else max(each.last_seen for each in seen),
                basis=f"{name} was seen mining; no evidence says which share of it was taken",
            )
        )
    return usages


def _names_a_process(findings: Sequence[Finding]) -> bool:
    return any(asset.kind == "process" for each in findings for asset in each.assets)


def _uid(findings: Sequence[Finding], assets: Sequence[AssetRef]) -> str:
    names = "\x1f".join(f"{asset.kind}:{asset.name}" for asset in assets)
    return "inc-" + hashlib.sha256(f"{names}\x1e{findings[0].uid}".encode()).hexdigest()[:12]


def _title(findings: Sequence[Finding], assets: Sequence[AssetRef]) -> str:
    hosts = [asset.name for asset in assets if asset.kind == "host"]
    accounts = [asset.name for asset in assets if asset.kind == "account"]
    mining = [each for each in findings if each.stage == "mining"]
    where = _named(hosts, "host") if hosts else _named(accounts, "account")
    if any(each.group != "audit" for each in mining) and hosts:
        return f"Crypto mining on {_named(hosts, 'host')}"
    if mining:
        return f"Compute launched for mining in account {_named(accounts, 'account')}"
    if any(each.group == "auth" and each.stage == "access" for each in findings):
        return f"Break-in over SSH on {where}"
    return f"Intrusion on {where}"


def _named(names: Sequence[str], word: str) -> str:
    if len(names) > 3:
        return f"{len(names)} {word}s ({', '.join(names[:2])}, ...)"
    return ", ".join(names) or f"an unknown {word}"


def _severity(findings: Sequence[Finding], entered: bool, cost: Cost) -> Severity:
    worst = max(max(each.severity for each in findings), Severity.HIGH)
    mining = any(each.stage == "mining" for each in findings)
    more_than_mining = any(each.stage in ("persistence", "impairment", "follow_on") for each in findings)
    if mining and (entered or more_than_mining or cost.run_rate_usd_per_hour >= CRITICAL_USD_PER_HOUR):
        return Severity.CRITICAL
    return worst
