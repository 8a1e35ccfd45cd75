"""The detection `termination_protection_on_new_instance`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from davylamp.kit.audit import (
    audit_finding,
    called_by,
    count_of,
    first_text,
    instance_ids,
    request,
    text_of,
    texts,
)
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import candidates, instant
from davylamp.kit.launches import Launch, accelerated, bill_of, launches_of, usages_of, vcpu_of
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import Finding, Technique
from davylamp.model.severity import Severity

NEW = timedelta(hours=1)


class TerminationProtectionOnNewInstance(Detection):
    """Machines that had just been launched were protected against being terminated.

    What it sees.
    ModifyInstanceAttribute with `disableApiTermination` (or `disableApiStop`) true on a machine launched less than
    an hour before by the same principal or by an Auto Scaling group, and RunInstances that sets the same at once.

    Why it matters.
    In the campaign of November 2025 every machine was protected at once: the defender's stop and terminate calls
    fail until the attribute is lifted one machine at a time, and each minute of that is billed.

    How it decides.
    "New" is under one hour (`NEW`; the whole campaign took ten minutes). One small machine is what people protect when
    they build something they mean to keep: quiet. One machine with an accelerator or 16 vCPUs (`large_vcpu_count`, the
    size of the campaign's tasks): 2. Three machines or more: 4, ten or more: 5, +0.5 with accelerators; two are 2.5. 3
    less where all of them have neither accelerators nor 32 vCPUs together (`burst_vcpu_count`, as in
    `compute_launch_burst`): infrastructure code protects three small databases. 1.5 less when the principal protects
    machines on five different days (`steady_days_count`): a pipeline that protects all it builds. Machines whose
    launch the evidence does not show count only from ten on: 2. At most 5.5. Weights are judgements from public
    reports, not a fit.

    What it misses.
    Protection set more than an hour after the launch, or by another principal; protection that a launch template
    carries.

    What looks like it and is not.
    A console user who launches one machine with the box ticked; infrastructure code that protects its databases.

    What to do.
    Lift the protection (ModifyInstanceAttribute, `disableApiTermination` false) on each machine listed, then stop
    it. Disable the principal's keys first, or the protection comes back.

    References.
    https://aws.amazon.com/blogs/security/cryptomining-campaign-targeting-amazon-ec2-and-amazon-ecs/
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_ChangingDisableAPITermination.html
    """

    meta = DetectionMeta(
        uid="termination_protection_on_new_instance",
        title="New machines protected against termination",
        group="audit",
        stage="impairment",
        severity=Severity.HIGH,
        techniques=(
            Technique("T1578.005", "Modify Cloud Compute Infrastructure: Modify Cloud Compute Configurations"),
        ),
        reads=("api_activity",),
        references=(
            "https://aws.amazon.com/blogs/security/cryptomining-campaign-targeting-amazon-ec2-and-amazon-ecs/",
        ),
    )
    params: ClassVar[Mapping[str, object]] = {"rows_count": 1000}
    steady_days_count = 5
    large_vcpu_count = 16
    burst_vcpu_count = 32

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per account and principal."""
        for _, rows in candidates(candidates_rows, "account", "principal"):
            born = _launched(rows)
            acts = {machine: row for row in rows if row["role"] == "protects" for machine in _protected(row)}
            fresh = {
                machine: row for machine, row in acts.items() if machine in born and _is_new(row, born[machine].at)
            }
            unseen = [machine for machine in acts if machine not in born]
            ids = list(fresh) or (unseen if len(unseen) >= 10 else [])
            launches = _machines(fresh, born)
            llr = self._llr(rows[0], len(ids), launches, facts) if fresh else (2.0 if ids else 0.0)
            if llr < 1.5:
                continue
            cited = {str(machine): acts[machine] for machine in ids}
            yield audit_finding(
                self.meta,
                list({_origin(row): row for row in cited.values()}.values()),
                fact_key="termination_protection",
                because=_sentence(rows[0], len(ids), bool(fresh), bill_of(launches, facts).text),
                llr=llr,
                severity=None if llr >= 4 else Severity.MEDIUM,
                ids=ids,
                types=[launch.instance_type for launch in launches],
                compute=usages_of(launches, "launched less than an hour before it was protected, at list price"),
            )

    def _llr(self, first: Row, amount: int, launches: Sequence[Launch], facts: Facts) -> float:
        gpu = any(accelerated(launch.instance_type) for launch in launches)
        large = any(vcpu_of(launch.instance_type, launch.region, facts) >= self.large_vcpu_count for launch in launches)
        sizes = [vcpu_of(launch.instance_type, launch.region, facts) * launch.count for launch in launches]
        llr = 5.0 if amount >= 10 else 4.0 if amount >= 3 else 2.5 if amount == 2 else 2.0 if gpu or large else 0.0
        llr -= 3.0 if amount >= 2 and not gpu and sum(sizes) < self.burst_vcpu_count else 0.0
        days = first.get("days_count")
        llr -= 1.5 if isinstance(days, int) and days >= self.steady_days_count else 0.0
        return min(5.5, llr + (0.5 if gpu and amount >= 2 else 0.0))


def _launched(rows: Sequence[Row]) -> dict[str, Launch]:
    return {
        machine: launch
        for row in rows
        if row["operation"] == "RunInstances"
        for launch in launches_of(row)
        for machine in launch.ids
    }


def _protected(row: Row) -> list[str]:
    """Ids that the call protects; none where it lifts protection or sets something else."""
    asked = request(row)
    values = texts(asked, "disableApiTermination", "disableApiStop")
    named = first_text(asked, "attribute").lower() in ("disableapitermination", "disableapistop")
    values += texts(asked, "value") if named and not values else []
    return instance_ids([row]) if any(value.lower() == "true" for value in values) else []


def _is_new(row: Row, launched_at: datetime) -> bool:
    return timedelta(0) <= instant(row["time"]) - launched_at <= NEW


def _machines(fresh: Mapping[str, Row], born: Mapping[str, Launch]) -> list[Launch]:
    return [
        Launch(one.at, one.region, one.instance_type, 1, True, (machine,), machine, one.operation)
        for machine in fresh
        for one in (born[machine],)
    ]


def _origin(row: Row) -> tuple[str, str, str]:
    return text_of(row, "path"), str(row.get("line")), str(row.get("byte_offset"))


def _sentence(first: Row, amount: int, launch_seen: bool, bill: str) -> str:
    machines = count_of(amount, "machine")
    if not launch_seen:
        return f"{called_by(first)} protected {machines} against termination; the evidence does not show their launch."
    their = "its" if amount == 1 else "their"
    return f"{called_by(first)} protected {machines} against termination within an hour of {their} launch: {bill}."
