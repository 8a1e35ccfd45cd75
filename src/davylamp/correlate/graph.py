"""The entity graph: which findings speak of one intrusion.

Findings are joined by what they share: a machine, a principal, an access key, an instance, the
address somebody logged in from. They are not joined by what is shared by strangers: an account, a
source that only guessed, a finding that spans many machines. Guessing joins what it led to, and never
other guessing: every machine that faces the Internet is guessed at all the time, and a month of
strangers is no part of one night's story.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from davylamp.model.asset import Asset
from davylamp.model.finding import Finding

# Evidence further apart than a day is another story unless something in between links it.
LINK_GAP = timedelta(hours=24)
# A way in stays open until it is closed, and so does a way back in: victims found mining 11 days and more after it.
# In the control plane a credential that was used from elsewhere is a sign and no way that was seen to open; what is
# made there to come back by is one.
ACCESS_GAP = timedelta(days=14)
# A process is no link of its own: its findings name their host, and two hosts may give one pid in one second.
LINKING_KINDS = frozenset({"host", "instance", "principal", "access_key"})
# A source address links only findings that say somebody acted from it, not that somebody tried. A machine of our own
# is such a source only where the log-in itself is certain, or comes from a machine that was taken: everybody logs in
# from the bastion, with typing errors.
ACTING_STAGES = frozenset({"access", "discovery", "preparation", "impairment", "persistence", "mining", "follow_on"})
# An entity that more findings share than this is a shared service (NAT, bastion, scanner), not a link.
SHARED_SERVICE_COUNT = 200


def components(findings: Sequence[Finding], assets: Mapping[str, Asset]) -> list[list[Finding]]:
    """Groups of linked findings; findings that span several machines join each group they touch."""
    spanning = [finding for finding in findings if _hosts_count(finding) > 1]
    probes = [finding for finding in findings if _hosts_count(finding) <= 1 and finding.stage == "reconnaissance"]
    single = [finding for finding in findings if _hosts_count(finding) <= 1 and finding.stage != "reconnaissance"]
    aliases = _aliases(assets)
    parent = list(range(len(single)))
    for entity, indices in _by_entity(single, aliases).items():
        if entity.startswith("host:") or len(indices) <= SHARED_SERVICE_COUNT:
            _join_in_time(single, sorted(indices, key=lambda i: single[i].first_seen), parent)
    grouped: dict[int, list[Finding]] = {}
    for index, finding in enumerate(single):
        grouped.setdefault(_root(parent, index), []).append(finding)
    groups = list(grouped.values())
    alone: list[list[Finding]] = []
    for probe in probes:
        led_to = [group for group in groups if _led_to(probe, group)]
        for group in led_to:
            group.append(probe)
        if not led_to:
            alone.append([probe])
    groups += alone
    for finding in spanning:
        _attach(finding, groups)
    return groups


def _led_to(probe: Finding, group: Sequence[Finding]) -> bool:
    """Whether probing is part of a group's story: its source got in; where no way in is known, it came the day before.

    Members that are probes themselves were attached and are not what a probe leads to.
    """
    acts = [each for each in group if each.stage != "reconnaissance"]
    if not any(set(probe.assets) & set(each.assets) for each in acts):
        return False
    ways_in = [each for each in acts if each.group == probe.group and each.stage == "access"]
    if ways_in:
        return any(_sources(probe) & _sources(each) for each in ways_in)
    began_at = min(each.first_seen for each in acts)
    return probe.first_seen <= began_at <= probe.last_seen + LINK_GAP


def _sources(finding: Finding) -> set[str]:
    return {entity for entity in finding.entities if entity.startswith(("ip:", "remote:"))}


def _hosts_count(finding: Finding) -> int:
    return sum(asset.kind == "host" for asset in finding.assets)


def machine_of_address(assets: Mapping[str, Asset]) -> dict[str, str]:
    """Address -> asset name, for addresses that are one asset's alone."""
    known = {address for asset in assets.values() for address in asset.addresses}
    return {identity: name for identity, name in _aliases(assets).items() if identity in known}


def _aliases(assets: Mapping[str, Asset]) -> dict[str, str]:
    """Identity -> asset name, for identities that are one asset's alone."""
    owners: dict[str, set[str]] = {}
    for asset in assets.values():
        for identity in (asset.instance_id, *asset.host_names, *asset.addresses):
            if identity:
                owners.setdefault(identity, set()).add(asset.name)
    return {identity: min(names) for identity, names in owners.items() if len(names) == 1}


def _by_entity(findings: Sequence[Finding], aliases: Mapping[str, str]) -> dict[str, list[int]]:
    index: dict[str, list[int]] = {}
    for number, finding in enumerate(findings):
        for entity in finding.entities:
            kind, _, value = entity.partition(":")
            if kind in LINKING_KINDS:
                canonical = f"host:{aliases.get(value, value)}" if kind in ("host", "instance") else entity
                index.setdefault(canonical, []).append(number)
            elif kind == "ip" and finding.group in ("auth", "audit") and finding.stage in ACTING_STAGES:
                own = aliases.get(value)
                if own is None or finding.group == "audit" or finding.fact or f"host:{own}" in finding.entities:
                    index.setdefault(f"host:{own}" if own else entity, []).append(number)
    return index


def _join_in_time(findings: Sequence[Finding], indices: Sequence[int], parent: list[int]) -> None:
    """Joins findings that share an entity, as long as the gaps between them stay small.

    One look back is enough: of two earlier findings that both reach this one, the earlier also
    reaches the later, so they are joined already.
    """
    holder = indices[0]
    reach = linked_until(findings[holder])
    for index in indices[1:]:
        if findings[index].first_seen <= reach:
            parent[_root(parent, index)] = _root(parent, holder)
        if (further := linked_until(findings[index])) >= reach:
            holder, reach = index, further


def linked_until(finding: Finding) -> datetime:
    """Until when a later finding still belongs to this one."""
    opens = finding.stage == ("persistence" if finding.group == "audit" else "access")
    return finding.last_seen + (ACCESS_GAP if opens else LINK_GAP)


def _root(parent: list[int], index: int) -> int:
    while parent[index] != index:
        parent[index] = parent[parent[index]]
        index = parent[index]
    return index


def _attach(finding: Finding, groups: list[list[Finding]]) -> None:
    """Adds a finding that spans machines to the groups of those machines that it overlaps in time."""
    touched = {asset for asset in finding.assets if asset.kind == "host"}
    joined = False
    for group in groups:
        if touched & {asset for member in group for asset in member.assets} and any(
            member.first_seen - finding.last_seen <= ACCESS_GAP and finding.first_seen <= member.last_seen
            for member in group
        ):
            group.append(finding)
            joined = True
    if not joined:
        groups.append([finding])
