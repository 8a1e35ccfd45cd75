"""The detection `unused_region_or_family`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from davylamp.kit.audit import audit_finding, called_by, failed, listed, text_of
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import candidates, instant
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
    launches before, n triples were seen exactly once, so P(new) is (n + 1) / (N + 2), one imagined new launch
    added. The log of 0.8 over that chance (an attacker's launch is new most of the time: 0.8, a judgement) is the
    likelihood ratio, at most 3. So the first launch of an empty history weighs next to nothing, and one after 500
    launches of the same two triples weighs fully. +1 when nothing at all was changed in the region before, +1.5 for
    accelerators, +0.5 for a machine of 48 vCPUs or more, -0.5 when refused, -2 when it is less than eight vCPUs in
    all (`small_vcpu_count`, half a task of the campaign: what people try things with); at most 5.5. Nothing below
    1.2 (`least_llr`) is reported.

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
    least_llr = 1.2

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per account and principal, over its new regions and families."""
        for _, rows in candidates(candidates_rows, "account", "principal"):
            groups = [members for _, members in candidates(rows, "region", "family") if _is_new(members[0])]
            scored = [(self._llr(members, facts), members) for members in groups]
            kept = [(llr, members) for llr, members in scored if llr >= self.least_llr]
            if not kept:
                continue
            cited = [row for _, members in kept for row in members]
            templates = templates_of(row for row in cited if row["operation"] in PREPARING)
            launching = [row for row in cited if row["operation"] not in PREPARING]
            launches = [launch for row in launching for launch in launches_of(row, templates)]
            bill = bill_of(launches, facts).text if launches else ""
            yield audit_finding(
                self.meta,
                cited,
                fact_key="new_place",
                because=_sentence([members for _, members in kept], bill),
                llr=max(llr for llr, _ in kept),
                severity=Severity.HIGH if any(map(_accelerated, cited)) else None,
                stage=None if launches else "preparation",
                ids=[instance_id for launch in launches for instance_id in launch.ids],
                types={text_of(row, "instance_type") for row in cited},
                compute=usages_of(_billable(launches), "launched by the calls cited, at list price"),
            )

    def _llr(self, rows: Sequence[Row], facts: Facts) -> float:
        first = rows[0]
        earlier, singles = _whole(first, "earlier_calls_count"), _whole(first, "singles_count")
        chance_of_new = min(1.0, (singles + 1) / (earlier + 2))
        llr = min(
            3.0, math.log(self.new_share_of_attackers_ratio / min(chance_of_new, self.new_share_of_attackers_ratio))
        )
        kinds = {text_of(row, "instance_type") for row in rows} - {""}
        llr += 1.0 if _region_untouched(first) else 0.0
        llr += 1.5 if any(map(accelerated, kinds)) else 0.0
        llr += 0.5 if any(vcpu_of(kind, text_of(first, "region"), facts) >= 48 for kind in kinds) else 0.0
        llr -= 0.5 if all(map(failed, rows)) else 0.0
        llr -= 2.0 if self._small(rows, facts) else 0.0
        return min(5.5, llr)

    def _small(self, rows: Sequence[Row], facts: Facts) -> bool:
        launches = [launch for row in rows for launch in launches_of(row)]
        if any(accelerated(launch.instance_type) or not launch.instance_type for launch in launches):
            return False
        sizes = [vcpu_of(launch.instance_type, launch.region, facts) * launch.count for launch in launches]
        return sum(sizes) < self.small_vcpu_count


def _whole(row: Row, column: str) -> int:
    value = row.get(column)
    return int(value) if isinstance(value, int | float) else 0


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
    earlier = max(_whole(row, "earlier_calls_count") for row in firsts)
    length = format_duration(
        max((instant(row["first_at"]) - instant(row["account_first_at"])).total_seconds() for row in firsts)
    )
    acted = f"launched {bill}" if bill else "wrote launch templates"
    return (
        f"{called_by(firsts[0])} {acted}; never used before for launches: {' and '.join(news)} "
        f"({earlier} earlier launches over {length} of evidence)."
    )
