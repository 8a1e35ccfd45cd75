"""The detection `unused_region_or_family`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from davylamp.kit.audit import audit_finding, called_by, failed, listed, spells, text_of
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import candidates, instant, whole_of
from davylamp.kit.launches import (
    GROUP_OPERATIONS,
    Launch,
    accelerated,
    bill_of,
    launches_of,
    templates_of,
    usages_of,
    vcpu_of,
)
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import Finding, Technique
from davylamp.model.severity import Severity
from davylamp.units import format_duration

PREPARING = frozenset({"CreateLaunchTemplate", "CreateLaunchConfiguration"})
SWEEP = timedelta(hours=1)
Scored = tuple[float, Sequence[Row]]


class UnusedRegionOrFamily(Detection):
    """A machine was launched in a region, or of a family, that the account had never launched in or of.

    What it sees.
    The first launch, or launch template, of a (principal, region, family) triple whose region or family is new to
    the account's launches in the evidence. A family is the class letters of the type (c, m, g, p, inf): a newer
    generation is nothing new.

    Why it matters.
    Attackers go where nobody looks (regions without use) and to what pays (GPUs and the largest machines). Who owns
    the account has habits; a thief does not know them.

    How it decides.
    The chance that the next launch is of a triple never seen before is estimated by Good and Turing's rule: of N
    launches before, n triples were seen exactly once, so P(new) is (n + 1) / (N + 2), one imagined new launch added.
    The log of 0.8 over that chance (an attacker's launch is new most of the time: 0.8, a judgement) is the likelihood
    ratio, at most 3. So the first launch of an empty history weighs next to nothing, and one after 500 launches of the
    same two triples weighs fully. +1 when nothing at all was changed in the region before, +1.5 for accelerators, +0.5
    for a machine of 48 vCPUs or more, -0.5 when refused, -2 when it is less than eight vCPUs in all
    (`small_vcpu_count`, half a task of the campaign: what people try things with), -1.5 when it is less than 32
    (`burst_vcpu_count`, as in `compute_launch_burst`) and -1 when less than 128 (`large_vcpu_count`, eight tasks of
    the campaign), without accelerators: owners open regions with a few machines, thieves do not. -1 when the principal
    had launched for 72 hours or more (`history_short_hours`): who launches every week also opens regions, a thief's
    first launch is mostly the key's first. -1 when the evidence itself is shorter than that: an automaton's ten
    launches of one day are no ten choices. At most 5.5. Nothing below 1.2 (`least_llr`) is reported. What is new more
    than a day apart makes findings of its own.

    What it misses.
    Launches in the region and family the account always uses; everything the account did before the evidence
    begins.

    What looks like it and is not.
    A new region opened by the owner, a first GPU for a data team: one finding, once, and weak unless other evidence
    joins it. Launches by AWS services for groups that exist are left out.

    What to do.
    Ask the owner. If nobody knows of it, look through every region for more, and deny the regions you do not use.

    References.
    https://attack.mitre.org/techniques/T1535/
    I. J. Good, The population frequencies of species and the estimation of population parameters, Biometrika 40, 1953
    """

    meta = DetectionMeta(
        uid="unused_region_or_family",
        title="Launch in a region or family never used",
        group="audit",
        stage="mining",
        severity=Severity.MEDIUM,
        techniques=(
            Technique("T1535", "Unused/Unsupported Cloud Regions"),
            Technique("T1578.002", "Modify Cloud Compute Infrastructure: Create Cloud Instance"),
        ),
        reads=("api_activity",),
        references=("https://attack.mitre.org/techniques/T1535/",),
    )
    params: ClassVar[Mapping[str, object]] = {"rows_count": 500}
    new_share_of_attackers_ratio = 0.8
    small_vcpu_count = 8
    burst_vcpu_count = 32
    large_vcpu_count = 128
    history_short_hours = 72
    least_llr = 1.2
    sweeps: ClassVar[Sequence[tuple[int, float]]] = ((6, 4.0), (4, 2.0))

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per account, principal and day's worth of new regions and families."""
        for _, rows in candidates(candidates_rows, "account", "principal"):
            groups = [members for _, members in candidates(rows, "region", "family") if _is_new(members[0])]
            scored = [(self._llr(members, facts), members) for members in groups]
            kept = [(llr, members) for llr, members in scored if llr >= self.least_llr]
            kept.sort(key=lambda pair: (_first_at(pair), str(pair[1][0].get("region"))))
            for number, episode in enumerate(spells(kept, _first_at)):
                yield self._finding(episode, "new_place" if number == 0 else f"new_place|{number}", facts)

    def _finding(self, kept: Sequence[Scored], fact_key: str, facts: Facts) -> Finding:
        cited = [row for _, members in kept for row in members]
        templates = templates_of(row for row in cited if row["operation"] in PREPARING)
        launching = [row for row in cited if row["operation"] not in PREPARING]
        launches = [launch for row in launching for launch in launches_of(row, templates)]
        bill = bill_of(launches, facts).text if launches else ""
        llr = max(llr for llr, _ in kept) + self._sweep_llr([members[0] for _, members in kept])
        gpu = any(map(_accelerated, cited))
        return audit_finding(
            self.meta,
            cited,
            fact_key=fact_key,
            because=_sentence([members for _, members in kept], bill),
            llr=llr,
            severity=Severity.HIGH if gpu else Severity.LOW if llr < 2 else None,
            stage=None if launches else "preparation",
            ids=[instance_id for launch in launches for instance_id in launch.ids],
            types={text_of(row, "instance_type") for row in cited},
            compute=usages_of(_billable(launches), "launched by the calls cited, at list price"),
        )

    def _llr(self, rows: Sequence[Row], facts: Facts) -> float:
        first = rows[0]
        earlier, singles = whole_of(first, "earlier_calls_count"), whole_of(first, "singles_count")
        chance_of_new = min(1.0, (singles + 1) / (earlier + 2))
        llr = min(
            3.0, math.log(self.new_share_of_attackers_ratio / min(chance_of_new, self.new_share_of_attackers_ratio))
        )
        kinds = {text_of(row, "instance_type") for row in rows} - {""}
        llr += 1.0 if _region_untouched(first) else 0.0
        llr += 1.5 if any(map(accelerated, kinds)) else 0.0
        llr += 0.5 if any(vcpu_of(kind, text_of(first, "region"), facts) >= 48 for kind in kinds) else 0.0
        llr -= 0.5 if all(map(failed, rows)) else 0.0
        size = self._plain_vcpus(rows, facts)
        steps = ((self.small_vcpu_count, 2.0), (self.burst_vcpu_count, 1.5), (self.large_vcpu_count, 1.0))
        llr -= next((less for bound, less in steps if size < bound), 0.0)
        llr -= 1.0 if _hours_before(first, "principal_first_at") >= self.history_short_hours else 0.0
        llr -= 1.0 if _hours_before(first, "account_first_at") < self.history_short_hours else 0.0
        return min(5.5, llr)

    def _sweep_llr(self, firsts: Sequence[Row]) -> float:
        starts = {
            text_of(row, "region"): instant(row["first_at"])
            for row in firsts
            if _accelerated(row)
            and _new_region(row)
            and _hours_before(row, "principal_first_at") < self.history_short_hours
        }
        most = max((sum(at <= other <= at + SWEEP for other in starts.values()) for at in starts.values()), default=0)
        return next((more for count, more in self.sweeps if most >= count), 0.0)

    def _plain_vcpus(self, rows: Sequence[Row], facts: Facts) -> float:
        """vCPUs in all; beyond every bound where an accelerator is among them or no size is known."""
        templates = templates_of(row for row in rows if row["operation"] in PREPARING)
        launches = [
            launch for row in rows if row["operation"] not in PREPARING for launch in launches_of(row, templates)
        ]
        known = [launch for launch in launches if launch.instance_type]
        if not known or any(accelerated(launch.instance_type) for launch in known):
            return math.inf
        return sum(vcpu_of(launch.instance_type, launch.region, facts) * launch.count for launch in known)


def _first_at(scored: Scored) -> datetime:
    return instant(scored[1][0]["first_at"])


def _hours_before(first: Row, column: str) -> float:
    """Hours from an instant to the first launch of its kind."""
    return (instant(first["first_at"]) - instant(first[column])).total_seconds() / 3600


def _is_new(row: Row) -> bool:
    return _new_region(row) or _new_family(row)


def _new_region(row: Row) -> bool:
    return instant(row["first_at"]) - instant(row["region_first_at"]) <= timedelta(hours=1)


def _new_family(row: Row) -> bool:
    named = bool(text_of(row, "family"))
    return named and instant(row["first_at"]) - instant(row["family_first_at"]) <= timedelta(hours=1)


def _region_untouched(row: Row) -> bool:
    """A day of evidence went by without any change in the region; at once after the start nobody can say so."""
    changed = row.get("region_change_at")
    first_at = instant(row["first_at"])
    since = instant(changed) if isinstance(changed, datetime) else first_at
    quiet = first_at - instant(row["account_first_at"]) >= timedelta(hours=24)
    return quiet and first_at - since <= timedelta(hours=1)


def _accelerated(row: Row) -> bool:
    return accelerated(text_of(row, "instance_type"))


def _billable(launches: Sequence[Launch]) -> list[Launch]:
    """Machines started, and the largest refused wish per type and region.

    A group's wish is no exposure here: its machines are started by a service, whose calls this unit leaves out, and
    would be counted twice.
    """
    kept = [launch for launch in launches if launch.started]
    refused: dict[tuple[str, str, str], Launch] = {}
    for launch in launches:
        key = (launch.instance_type, launch.region, launch.operation)
        if launch.started or launch.operation in GROUP_OPERATIONS:
            continue
        if key not in refused or launch.count > refused[key].count:
            refused[key] = launch
    return kept + [refused[key] for key in sorted(refused)]


def _sentence(groups: Sequence[Sequence[Row]], bill: str) -> str:
    firsts = [members[0] for members in groups]
    regions = {text_of(row, "region") for row in firsts if _new_region(row)}
    families = {text_of(row, "family") for row in firsts if _new_family(row)}
    news = []
    if regions:
        news.append(f"region {listed(regions)}")
    if families:
        news.append(f"family {listed(families)}")
    earlier = max(whole_of(row, "earlier_calls_count") for row in firsts)
    length = format_duration(
        max((instant(row["first_at"]) - instant(row["account_first_at"])).total_seconds() for row in firsts)
    )
    acted = f"launched {bill}" if bill else "wrote launch templates"
    return (
        f"{called_by(firsts[0])} {acted}; never used before for launches: {' and '.join(news)} "
        f"({earlier} earlier launches over {length} of evidence)."
    )
