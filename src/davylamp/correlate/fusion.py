"""Fusion: the one place where priors, fractions and thresholds of incidents are set.

Policy (ADR 0003): within an evidence group the strongest finding counts in full and the rest at a
fraction, because findings of one group share a cause; across groups log-likelihood ratios add to
the prior's log odds. A sensor that is missing adds nothing: it is never evidence against.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import pairwise

from davylamp.model.finding import AssetRef, Finding

# Prior probability that a machine mines in a given week, before its own history says better
# (knowledge of the field: start at 1e-4 per host-week, then learn).
PRIOR_PROBABILITY = 1e-4
# Share at which the weaker findings of one group count: 0 would throw them away, 1 would count the
# same cause twice; 0.3 is the published-practice starting point of max + 0.3 x rest.
WITHIN_GROUP_FRACTION = 0.3
# Names asked of one machine come of one configuration or of one list. Who tests a DNS firewall asks for five pools as
# easily as a miner with fall-backs does, so the further names together add at most this (a factor of 4.5).
FURTHER_NAMES_LLR_MOST = 1.5
INCIDENT_PROBABILITY = 0.9
# A fact (clear-text dialogue, brute-force success) is certain about what it says; what stays open
# is only whether the record itself is true.
FACT_PROBABILITY = 0.99
INDEPENDENT_GROUPS_COUNT = 2
# Two findings of different groups that begin within the same hour say more than two that fall
# anywhere in a week: by chance that happens once in 168, which is 5 nats. Deployments make things
# coincide too, so a fifth of that is counted, once, and only between findings that say something
# by themselves.
COINCIDENCE = timedelta(hours=1)
COINCIDENCE_LLR = 1.0
# Likelihood ratios are rates of machines (a few in a thousand run a lasting computation with a quiet connection), and
# a machine has dozens of processes and connections. That two telling findings of different groups, one of what a
# process computes and one of what it says, fall on one connection of one process by chance is a matter of one in
# twenty, 3 nats. Findings of one process are not wholly independent, so two thirds are counted, once.
SAME_CONNECTION_LLR = 2.0
# A pool's name was asked, and a lasting connection goes to the very address it was answered with. Lists, scanners and
# people who read about pools ask, too, but do not then stay connected for an hour; that both fall on one address by
# chance is rarer than one in twenty of their machines (3 nats). Counted as above, once.
SAME_ADDRESS_LLR = 2.0
# A likelihood ratio of 12: what says something by itself.
TELLING_LLR = 2.5
# The kernel states when it booted in whole seconds, so what it says of a process's start is early by up to one; logs
# have second stamps. What a login started may seem to be there just before it.
CLOCKS_DIFFER = timedelta(seconds=2)
# Control-plane evidence comes from one recorder, so it is one group; but discovery, preparation,
# blinding, launch and entrenchment are different acts, and so is compute taken in one service or region
# and in the next; three acts of linked principals are as telling as a second recorder (ADR 0003).
AUDIT_ACTS_COUNT = 3


def log_odds(probability: float) -> float:
    """Natural log of p / (1 - p)."""
    return math.log(probability / (1 - probability))


def fused_llr(findings: Iterable[Finding]) -> float:
    """Log-likelihood ratio of all findings together."""
    members = list(findings)
    by_cause: dict[str, list[float]] = {}
    for finding in members:
        by_cause.setdefault(_cause(finding), []).append(finding.llr)
    total = 0.0
    for cause, llrs in by_cause.items():
        strongest, *rest = sorted(llrs, reverse=True)
        further = WITHIN_GROUP_FRACTION * sum(llr for llr in rest if llr > 0)
        total += strongest + (min(further, FURTHER_NAMES_LLR_MOST) if cause == "name" else further)
    total += COINCIDENCE_LLR if _coincide(members) else 0.0
    if _agree_on_a_connection(members):
        return total + SAME_CONNECTION_LLR
    return total + (SAME_ADDRESS_LLR if _agree_on_an_address(members) else 0.0)


def _coincide(findings: Iterable[Finding]) -> bool:
    """Whether two telling findings of different groups begin within the same hour."""
    telling = sorted((finding for finding in findings if finding.llr >= TELLING_LLR), key=lambda each: each.first_seen)
    return any(
        later.group != earlier.group and later.first_seen - earlier.first_seen <= COINCIDENCE
        for earlier, later in pairwise(telling)
    )


def _agree_on_a_connection(findings: Iterable[Finding]) -> bool:
    """Whether two telling findings of different groups name one connection of one process."""
    groups: dict[tuple[AssetRef, str], set[str]] = {}
    for finding in findings:
        if finding.llr >= TELLING_LLR:
            for process in _processes(finding):
                for entity in finding.entities:
                    if entity.startswith("remote:"):
                        groups.setdefault((process, entity), set()).add(finding.group)
    return any(len(named) > 1 for named in groups.values())


def _agree_on_an_address(findings: Sequence[Finding]) -> bool:
    """Whether a telling name was answered with the address that something on the wire goes to, from one machine."""
    telling = [each for each in findings if each.group == "name" and each.llr >= TELLING_LLR]
    on_the_wire = [each for each in findings if each.group == "wire" and each.llr > 0]
    return not _linked(telling, "answer:").isdisjoint(_linked(on_the_wire, "ip:"))


def _linked(findings: Sequence[Finding], kind: str) -> set[tuple[AssetRef, str]]:
    """Each asset with what its findings name of one kind of link."""
    return {
        (asset, entity.removeprefix(kind))
        for finding in findings
        for asset in finding.assets
        for entity in finding.entities
        if entity.startswith(kind)
    }


def _cause(finding: Finding) -> str:
    """What findings share a cause: the group, and on the control plane the stage, since each stage is an act."""
    return f"{finding.group}:{finding.stage}" if finding.group == "audit" else finding.group


def posterior(findings: Iterable[Finding]) -> float:
    """Probability, 0..1, that the findings are an incident rather than chance: of the most suspicious process."""
    return max(_posterior(members) for members in suspects(findings))


def is_incident(findings: Iterable[Finding]) -> bool:
    """Whether the findings are enough: one fact, or posterior and independence, about one suspect."""
    return any(_is_enough(members) for members in suspects(findings))


def suspects(findings: Iterable[Finding]) -> list[list[Finding]]:
    """What is known of each process, together with all that names no process; all of it where none is named.

    One process with an odd image and another that computes much are two oddities of a host, not one miner: added
    up, every large host would be an incident (ADR 7).
    """
    members = list(findings)
    by_process = _by_process(members)
    if len(by_process) < 2:
        return [members]
    shared = [finding for finding in members if not _processes(finding)]
    return [shared, *([*shared, *own] for own in by_process.values())]


def without_bystanders(findings: Iterable[Finding]) -> list[Finding]:
    """The findings of an incident without those of processes that are no part of it.

    Beside a miner there are daemons that still run the image an upgrade replaced, and jobs that compute. A process is
    part of it when what is said of it would be enough without the host's own facts, or when it started after one of
    them (somebody broke in) and something telling is said of it.
    """
    members = list(findings)
    shared = [finding for finding in members if not _processes(finding)]
    since = min((finding.first_seen for finding in shared if finding.fact), default=None)
    weak = [finding for finding in shared if not finding.fact]
    part = {
        process
        for process, own in _by_process(members).items()
        if _is_enough([*weak, *own])
        or (since is not None and fused_llr(own) >= TELLING_LLR and own[0].first_seen >= since - CLOCKS_DIFFER)
    }
    kept = [finding for finding in members if not _processes(finding) or part & set(_processes(finding))]
    return kept or members


def without_early_hints(findings: Iterable[Finding]) -> list[Finding]:
    """The findings of an incident without weak hints of mining from before anything telling or any way in.

    A name that merely looks like a pool's says little, and nothing about when a theft began that later evidence
    dates; kept, it would set the beginning, and with it the bill.
    """
    members = list(findings)
    dated = [
        each for each in members if each.fact or each.llr >= TELLING_LLR or each.stage in ("reconnaissance", "access")
    ]
    kept = members
    if dated:
        began_at = min(each.first_seen for each in dated)
        kept = [each for each in members if each in dated or each.stage != "mining" or each.first_seen >= began_at]
    return kept if is_incident(kept) else members


def _processes(finding: Finding) -> list[AssetRef]:
    return [asset for asset in finding.assets if asset.kind == "process"]


def _by_process(findings: Sequence[Finding]) -> dict[AssetRef, list[Finding]]:
    by_process: dict[AssetRef, list[Finding]] = {}
    for finding in findings:
        for process in _processes(finding):
            by_process.setdefault(process, []).append(finding)
    return dict(sorted(by_process.items()))


def _posterior(members: Sequence[Finding]) -> float:
    odds = log_odds(PRIOR_PROBABILITY) + fused_llr(members)
    probability = 1 / (1 + math.exp(-max(-700.0, min(700.0, odds))))
    return max(probability, FACT_PROBABILITY) if any(finding.fact for finding in members) else probability


def _is_enough(members: Sequence[Finding]) -> bool:
    if any(finding.fact for finding in members):
        return True
    groups = {finding.group for finding in members if finding.llr > 0}
    independent = len(groups) >= INDEPENDENT_GROUPS_COUNT or _audit_acts_count(members) >= AUDIT_ACTS_COUNT
    return independent and _posterior(members) >= INCIDENT_PROBABILITY


def _audit_acts_count(findings: Iterable[Finding]) -> int:
    """Stages of the control plane that were acted in; compute counts by records that are not shared, or by regions."""
    acted = [finding for finding in findings if finding.group == "audit" and finding.llr > 0]
    stages = {finding.stage for finding in acted} - {"mining"}
    cited: list[set[object]] = []
    for finding in sorted((each for each in acted if each.stage == "mining"), key=lambda each: (-each.llr, each.uid)):
        records: set[object] = {(each.path, each.line, each.frame, each.byte_offset) for each in finding.evidence}
        if not cited or (records and not any(records & other for other in cited)):
            cited.append(records)
    regions = {
        each.value
        for finding in acted
        if finding.stage == "mining"
        for each in finding.observables
        if each.type == "region"
    }
    return len(stages) + max(len(cited), len(regions))
