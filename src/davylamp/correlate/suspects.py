"""Suspect machines: whether a log-in links two machines depends on what was found at both of its ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from davylamp.correlate.fusion import CLOCKS_DIFFER, TELLING_LLR, is_incident, without_bystanders, without_early_hints
from davylamp.correlate.graph import components, linked_until, machine_of_address
from davylamp.model.asset import Asset
from davylamp.model.finding import Finding
from davylamp.model.suspect import Suspect

HARM_STAGES = frozenset({"mining", "impact", "persistence", "impairment", "follow_on"})


def suspect_machines(findings: Sequence[Finding], assets: Mapping[str, Asset]) -> tuple[Suspect, ...]:
    """Machines of incidents, from the first telling finding on; and where and when something telling began.

    What a machine was entered for from elsewhere needs no other way in: an administrator who comes from a taken machine
    does not make one story of two.
    """
    owners = machine_of_address(assets)
    found: set[Suspect] = set()
    for members in components(findings, assets):
        if is_incident(members):
            found.update(_taken(without_early_hints(without_bystanders(members))))
        found.update(_harmed(members, owners))
    return tuple(sorted(found))


def _taken(members: Sequence[Finding]) -> Iterator[Suspect]:
    on_host: dict[str, list[Finding]] = {}
    for finding in _telling(members):
        on_host.setdefault(_host(finding), []).append(finding)
    for host, seen in on_host.items():
        yield Suspect(host, min(each.first_seen for each in seen), max(map(linked_until, seen)), "taken")


def _harmed(members: Sequence[Finding], owners: Mapping[str, str]) -> Iterator[Suspect]:
    telling = list(_telling(members))
    entered = [each for each in telling if each.fact and each.stage == "access" and not _from_inside(each, owners)]
    for finding in telling:
        explained = any(
            _host(each) == _host(finding) and each.first_seen <= finding.first_seen + CLOCKS_DIFFER for each in entered
        )
        if finding.stage in HARM_STAGES and not explained:
            yield Suspect(_host(finding), finding.first_seen, linked_until(finding), "harmed")


def _telling(members: Sequence[Finding]) -> Iterator[Finding]:
    """Findings of one machine that say something by themselves; who is merely guessed at is not suspect."""
    for finding in members:
        if (finding.fact or finding.llr >= TELLING_LLR) and finding.stage != "reconnaissance" and _host(finding):
            yield finding


def _host(finding: Finding) -> str:
    hosts = [asset.name for asset in finding.assets if asset.kind == "host"]
    return hosts[0] if len(hosts) == 1 else ""


def _from_inside(finding: Finding, owners: Mapping[str, str]) -> bool:
    return any(entity.partition(":")[2] in owners for entity in finding.entities if entity.startswith("ip:"))
