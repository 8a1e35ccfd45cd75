"""The detection `launch_dry_run`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from davylamp.kit.audit import audit_finding, called_by, count_of, listed, text_of
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import candidates, whole_of
from davylamp.kit.launches import Launch, accelerated, bill_of, launches_of, usages_of, vcpu_of
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import Finding, Technique
from davylamp.model.severity import Severity


class LaunchDryRun(Detection):
    """Somebody asked EC2 whether a launch would be allowed, without launching.

    What it sees.
    RunInstances, CreateFleet and spot requests with DryRun set: the answer is the error `DryRunOperation` when the
    caller may launch and `UnauthorizedOperation` when not. Nothing starts and nothing is billed.

    Why it matters.
    In the campaign that AWS described in November 2025 the holders of stolen keys tested their rights in this way
    minutes before they launched; it is one of the few signs that come before the first machine does.

    How it decides.
    One dry run counts 2.5 (natural log): operators use it now and then, the campaign used it always, about 12:1.
    0.7 more for three calls or two regions, 0.5 when some answers said yes and others no (a search for what is
    allowed), 1.0 for an accelerator type, 0.5 for types of eight vCPUs and more (`large_vcpu_count`, half the size
    that the campaign's tasks had); at most 4.5. A principal that does so in one region on `steady_days_count`
    (five, a working week) days or more is taken for a tool that always validates its template, and stays quiet
    unless accelerators are asked for. These weights are judgements from public reports, not a fit: no labelled set
    of CloudTrail at scale is public.

    What it misses.
    Attackers who launch outright; rights tested by simulating the policy or by calls that are harmless anyway; a
    probe stretched over five days or more in one region.

    What looks like it and is not.
    Cluster autoscalers that validate a node template by a dry run every few minutes; an engineer who tests a new
    role.

    What to do.
    Ask the owner of the principal. If nobody knows of it, disable the access key and look at what else the key did.

    References.
    https://aws.amazon.com/blogs/security/cryptomining-campaign-targeting-amazon-ec2-and-amazon-ecs/
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html
    """

    meta = DetectionMeta(
        uid="launch_dry_run",
        title="Launch rights tested by dry run",
        group="audit",
        stage="discovery",
        severity=Severity.MEDIUM,
        techniques=(
            Technique("T1580", "Cloud Infrastructure Discovery"),
            Technique("T1078.004", "Valid Accounts: Cloud Accounts"),
        ),
        reads=("api_activity",),
        references=(
            "https://aws.amazon.com/blogs/security/cryptomining-campaign-targeting-amazon-ec2-and-amazon-ecs/",
        ),
    )
    params: ClassVar[Mapping[str, object]] = {"rows_count": 200}
    steady_days_count = 5
    large_vcpu_count = 8

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per account and principal."""
        for first, rows in candidates(candidates_rows, "account", "principal"):
            launches = _asked(rows)
            regions = {text_of(row, "region") for row in rows}
            types = {launch.instance_type for launch in launches}
            steady = whole_of(first, "days_count") >= self.steady_days_count and len(regions) == 1
            if steady and not any(map(accelerated, types)):
                continue
            bill = bill_of(launches, facts)
            yield audit_finding(
                self.meta,
                rows,
                fact_key="dry_run",
                because=_sentence(rows, regions, bill.text),
                llr=self._llr(rows, launches, regions, facts),
                types=types,
                calls_count=whole_of(first, "calls_count"),
                compute=usages_of(launches, "a launch tried by dry run: nothing was started"),
            )

    def _llr(self, rows: Sequence[Row], launches: Sequence[Launch], regions: set[str], facts: Facts) -> float:
        answers = {text_of(row, "error_code").rpartition(".")[2] for row in rows}
        large = any(vcpu_of(launch.instance_type, launch.region, facts) >= self.large_vcpu_count for launch in launches)
        llr = 2.5
        llr += 0.7 if len(rows) >= 3 or len(regions) >= 2 else 0.0
        llr += 0.5 if {"DryRunOperation", "UnauthorizedOperation"} <= answers else 0.0
        llr += 1.0 if any(accelerated(launch.instance_type) for launch in launches) else 0.5 if large else 0.0
        return min(llr, 4.5)


def _asked(rows: Sequence[Row]) -> list[Launch]:
    """The largest wish per type and region: asking thrice for one machine is no three machines."""
    largest: dict[tuple[str, str], Launch] = {}
    for row in rows:
        for launch in launches_of(row):
            key = (launch.instance_type, launch.region)
            if key not in largest or launch.count > largest[key].count:
                largest[key] = launch
    return [largest[key] for key in sorted(largest)]


def _sentence(rows: Sequence[Row], regions: set[str], bill: str) -> str:
    allowed = sum(text_of(row, "error_code").endswith("DryRunOperation") for row in rows)
    refused = sum("Unauthorized" in text_of(row, "error_code") for row in rows)
    return (
        f"{called_by(rows[0])} tested by {count_of(len(rows), 'dry run')} in {listed(regions) or 'an unnamed region'} "
        f"whether it may launch ({allowed} allowed, {refused} refused); the launch would be {bill}."
    )
