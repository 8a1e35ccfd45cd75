"""The detection `compute_launch_burst`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from davylamp.catalog.detections.compute_launch_burst.limits import limits_of
from davylamp.catalog.detections.compute_launch_burst.surprise import Baseline, surprise_digits
from davylamp.kit.audit import (
    audit_finding,
    called_by,
    count_of,
    failed,
    listed,
    number,
    request,
    spells,
    text_of,
    texts,
)
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import candidates, instant, number_of, whole_of
from davylamp.kit.launches import (
    GROUP_OPERATIONS,
    Bill,
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

PREPARING = frozenset({"CreateLaunchTemplate", "CreateLaunchConfiguration"})


class ComputeLaunchBurst(Detection):
    """One principal asked for far more computing power within an hour than the account is used to.

    What it sees.
    The vCPUs asked for per hour by one principal in one account: RunInstances, CreateFleet, spot requests, EKS node
    groups, and Auto Scaling groups that it made (with the machines those groups then started in the next 24 hours).
    Sessions of one role are one principal.

    Why it matters.
    A machine that the attacker starts is billed in full, from the first minute. Large machines in numbers are how
    stolen keys are turned into money; the campaign of November 2025 made 14 groups of at least 20 machines within
    ten minutes.

    How it decides.
    An hour is looked at when at least 32 vCPUs were asked for (`burst_vcpu_count`: six times the 5 vCPUs that AWS's
    documentation shows as the default quota of an account, and two of the campaign's 16-vCPU tasks), or 16 vCPUs of
    GPU and other accelerator types (`accelerated_vcpu_count`). It is left out as usual when the same principal asked
    for half as much (of accelerators too) on two earlier days (`alike_days_count`), at least 20 hours before
    (`apart_hours`, so that one night's campaign is not its own history). The surprise is the number of digits in P(X
    >= asked) under a negative binomial whose mean and variance come from the account's own earlier hours, silent ones
    included, shrunk toward one burst of 32 vCPUs a week as if a week of that had been seen. The likelihood ratio
    starts at 0.8 for each digit, between 1.5 and 4, and at 2.5 when the evidence reaches back less than 72 hours
    (`history_short_hours`), where it rests on size alone. Then +2 for accelerators, +1 for machines of 48 vCPUs and
    more, +1 for three or more regions, +1 for a group of at least 20 or up to 100 machines (the campaign made groups
    of 20 to 999), -1.5 when others in the account launch as much, -1 when the same principal launched a burst of plain
    machines on an earlier day (it grows; a stolen key mostly begins), -2 when every call came from an address from
    which the same principal had called on five earlier days (`familiar_days_count`, a working week: a key that was
    taken is used from elsewhere), -1 when every call was refused; at least 1, at most 7. The weights are judgements
    from public reports, not a fit. Unusual hours of a principal that lie more than 24 hours apart (`SPELL_GAP`) are
    findings of their own.

    What it misses.
    Launches that stay small and steady from the first day of evidence; raised in steps below half of the last; a thief
    who works on the machine that holds the key weighs less;
    machines started by a service on behalf of something this evidence does not show being made.

    What looks like it and is not.
    Scaling by AWS services for groups made before the evidence begins (left out by the caller's address, which a
    caller cannot choose); a pipeline that builds the same fleet each week (its first run in the evidence is weak,
    later ones are quiet); a load test or a migration, which the owner can name.

    What to do.
    Ask the principal's owner at once. If it is not theirs: disable the key, lift termination protection, stop the
    machines and delete the groups that would start them again, in every region named.

    References.
    https://aws.amazon.com/blogs/security/cryptomining-campaign-targeting-amazon-ec2-and-amazon-ecs/
    https://docs.aws.amazon.com/cli/latest/userguide/cli_service-quotas_code_examples.html
    """

    meta = DetectionMeta(
        uid="compute_launch_burst",
        title="Burst of launched computing power",
        group="audit",
        stage="mining",
        severity=Severity.HIGH,
        techniques=(
            Technique("T1578.002", "Modify Cloud Compute Infrastructure: Create Cloud Instance"),
            Technique("T1496.001", "Resource Hijacking: Compute Hijacking"),
        ),
        reads=("api_activity",),
        references=(
            "https://aws.amazon.com/blogs/security/cryptomining-campaign-targeting-amazon-ec2-and-amazon-ecs/",
        ),
    )
    params: ClassVar[Mapping[str, object]] = {
        "burst_vcpu_count": 32,
        "accelerated_vcpu_count": 16,
        "apart_hours": 20,
        "alike_days_count": 2,
        "rows_count": 1000,
    }
    history_short_hours = 72
    familiar_days_count = 5

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per account, principal and spell of unusual hours."""
        for _, rows in candidates(candidates_rows, "account", "principal"):
            templates = templates_of(row for row in rows if row["operation"] in PREPARING)
            in_order = sorted(rows, key=_called_at)
            for index, spell in enumerate(spells(in_order, _called_at)):
                yield from self._findings(spell, templates, f"burst|{index}" if index else "burst", facts)

    def _findings(
        self, rows: Sequence[Row], templates: Mapping[str, str], fact_key: str, facts: Facts
    ) -> Iterator[Finding]:
        launching = [row for row in rows if row["operation"] not in PREPARING]
        launches = [launch for row in _once(launching) for launch in launches_of(row, templates)]
        if not launches:
            return
        billed = _billed(launches)
        bill = bill_of(billed or launches, facts)
        short = all(number_of(row, "history_hours") < self.history_short_hours for row in launching)
        llr = self._llr(launching, launches, facts, short)
        yield audit_finding(
            self.meta,
            rows,
            fact_key=fact_key,
            because=_sentence(launching, launches, bill, short),
            llr=llr,
            severity=_severity(bill, billed, llr),
            ids=[instance_id for launch in launches for instance_id in launch.ids],
            types=[launch.instance_type for launch in launches],
            calls_count=_calls_count(launching),
            compute=[
                *usages_of(_without_repeats(launches), "launched by the calls cited, at list price"),
                *limits_of(launching, templates),
            ],
        )

    def _llr(self, rows: Sequence[Row], launches: Sequence[Launch], facts: Facts, short: bool) -> float:
        digits = max(surprise_digits(number_of(row, "hour_vcpu"), _baseline(row)) for row in rows)
        llr = 2.5 if short else min(4.0, max(1.5, 0.8 * digits))
        llr += 2.0 if any(accelerated(launch.instance_type) for launch in launches) else 0.0
        llr += 1.0 if any(vcpu_of(launch.instance_type, launch.region, facts) >= 48 for launch in launches) else 0.0
        llr += 1.0 if len({launch.region for launch in launches}) >= 3 else 0.0
        llr += 1.0 if any(_large_group(row) for row in rows) else 0.0
        llr -= 1.5 if any(number_of(row, "account_alike_days_count") >= 2 for row in rows) else 0.0
        llr -= 1.0 if self._grows(rows, launches) else 0.0
        llr -= 2.0 if all(self._familiar(row) for row in rows) else 0.0
        llr -= 1.0 if all(map(failed, rows)) else 0.0
        return min(7.0, max(1.0, llr))

    def _familiar(self, row: Row) -> bool:
        """Whether the principal had called from this address for a working week before: what is stolen is used from
        elsewhere."""
        return whole_of(row, "familiar_days_count") >= self.familiar_days_count

    @staticmethod
    def _grows(rows: Sequence[Row], launches: Sequence[Launch]) -> bool:
        """Whether the largest hour is of one who launched in bursts on an earlier day, and plain machines only."""
        largest = max(rows, key=lambda row: number_of(row, "hour_vcpu"))
        plain = not any(accelerated(launch.instance_type) for launch in launches)
        return plain and number_of(largest, "own_burst_days_count") >= 1


def _called_at(row: Row) -> datetime:
    return instant(row["time"])


def _once(rows: Sequence[Row]) -> list[Row]:
    """Without the wishes of groups whose machines are among the rows: those would be counted twice."""
    filled = {
        (row.get("region"), row.get("group_name"))
        for row in rows
        if row["operation"] not in GROUP_OPERATIONS and row.get("group_name")
    }
    return [
        row
        for row in rows
        if row["operation"] not in GROUP_OPERATIONS or (row.get("region"), row.get("group_name")) not in filled
    ]


def _baseline(row: Row) -> Baseline:
    return Baseline(
        hours_count=number_of(row, "history_hours"),
        vcpu_sum=number_of(row, "earlier_vcpu"),
        vcpu_squared_sum=number_of(row, "earlier_vcpu_squared"),
    )


def _calls_count(rows: Sequence[Row]) -> int:
    by_hour = {row.get("hour"): whole_of(row, "calls_count") for row in rows}
    return sum(by_hour.values())


def _large_group(row: Row) -> bool:
    asked = request(row)
    smallest = max(map(number, texts(asked, "minSize")), default=0)
    return smallest >= 20 or max(map(number, texts(asked, "maxSize")), default=0) >= 100


def _billed(launches: Sequence[Launch]) -> list[Launch]:
    return [launch for launch in launches if launch.started]


def _without_repeats(launches: Sequence[Launch]) -> list[Launch]:
    """A refused wish is often repeated until it is granted: per type and region the largest one is the exposure."""
    largest: dict[tuple[str, str, str], Launch] = {}
    kept: list[Launch] = []
    for launch in launches:
        if launch.started or launch.operation in GROUP_OPERATIONS:
            kept.append(launch)
            continue
        key = (launch.instance_type, launch.region, launch.operation)
        if key not in largest or launch.count > largest[key].count:
            largest[key] = launch
    return kept + [largest[key] for key in sorted(largest)]


def _severity(bill: Bill, billed: Sequence[Launch], llr: float) -> Severity:
    if not billed or llr < 3:
        return Severity.MEDIUM
    return Severity.CRITICAL if bill.usd_per_hour >= 50 else Severity.HIGH


def _sentence(rows: Sequence[Row], launches: Sequence[Launch], bill: Bill, short: bool) -> str:
    refused = [row for row in rows if failed(row)]
    verb = "launched" if _billed(launches) else "asked for"
    parts = [f"{called_by(rows[0])} {verb} {bill.text}"]
    if refused:
        codes = listed(text_of(row, "error_code") for row in refused)
        parts.append(f"{len(refused)} of {count_of(len(rows), 'call')} refused ({codes})")
    groups = [row for row in rows if row["operation"] in GROUP_OPERATIONS]
    if groups:
        most = max(max(map(number, texts(request(row), "maxSize")), default=0) for row in groups)
        parts.append(f"{count_of(len(groups), 'Auto Scaling group')} of up to {most} machines")
    if short:
        parts.append("the evidence holds too little history of this account, so the size alone speaks")
    else:
        parts.append("no earlier day of this principal comes near it")
    return "; ".join(parts) + "."
