"""The detection `serverless_or_build_compute_burst`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from davylamp.catalog.detections.serverless_or_build_compute_burst.job import (
    Job,
    jobs_of,
    priced,
    usage_of,
    usd_per_hour,
    vcpu_count,
)
from davylamp.kit.audit import audit_finding, called_by, count_of, failed, listed, spells, text_of
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import candidates, instant, whole_of
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import Finding, Technique
from davylamp.model.severity import Severity
from davylamp.units import format_duration, format_usd


class ServerlessOrBuildComputeBurst(Detection):
    """A managed service that computes (builds, notebooks, jobs, functions) was used anew, in large or in bursts.

    What it sees.
    Calls that create or start compute in CodeBuild, SageMaker, Amplify, Batch, Lightsail, Glue, Lambda, EMR, App
    Runner, Cloud9, Elastic Beanstalk, GameLift, AppStream, WorkSpaces, Deadline Cloud and Image Builder, by
    principal and service.

    Why it matters.
    Miners moved to services that nobody watches (AMBERSQUID: Amplify, CodeBuild, SageMaker, Fargate and more at
    once); AWS's own quarantine policy for leaked keys names these services. EC2 quotas and EC2 alarms do not see
    them.

    How it decides.
    Calls are taken by hour, and told together until a day passes without one. Usual is a service that the account
    used on three earlier days (`steady_days_count`), at least 20 hours before (`apart_hours`), unless the hour
    holds three regions new to it in this service (`new_regions_count`), or ten calls (`burst_calls_count`) and
    either three times as many as any earlier day's busiest hour or a principal that first used the service in the
    last 20 hours: what one team does daily makes a stranger's burst no habit. Natural log: 1.5 for a service the
    account never used in at least 24 hours of evidence (`history_least_hours`), 0 when the evidence is shorter or
    the service was used before; +1.5 for a job that is large (accelerators, 8 vCPUs a piece, 32 in all: half and
    twice the campaign's task of 16), +1 more for accelerators; +1 for ten calls within an hour, +0.5 for 30; +1
    when the principal did so in three of these services on the same evidence (AMBERSQUID's mark); +1 when in three
    regions (people work in one or two), +2 more when large jobs were asked for in five (`sweep_regions_count`;
    AMBERSQUID was in 16, and what owners roll out to all regions is small); -0.5 when all calls were refused; at
    most 5.5, or 7.5 with large jobs in five regions, so that three such services are enough for an incident.
    Nothing below 2 (`least_llr`: every account starts with a service once) is reported. Weights are judgements from
    public reports, not a fit. A job is priced until the evidence ends, a build of CodeBuild for an hour (its
    default limit) unless the call sets another; of Batch's environments and jobs the larger is priced, as one runs
    in the other.

    What it misses.
    A service the account uses daily, at its usual sizes; runs inside what exists already (a poisoned build);
    invocations of functions, which CloudTrail records only where data events are on.

    What looks like it and is not.
    A team that starts with a new service, once; a build server on a busy day; scheduled jobs (quiet from the fourth
    day).

    What to do.
    Stop the jobs named, delete the projects and notebooks with their life-cycle scripts, look at the role they ran
    with.

    References.
    https://sysdig.com/blog/ambersquid/
    https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSCompromisedKeyQuarantineV3.html
    """

    meta = DetectionMeta(
        uid="serverless_or_build_compute_burst",
        title="Managed compute used anew or in bursts",
        group="audit",
        stage="mining",
        severity=Severity.MEDIUM,
        techniques=(
            Technique("T1496.001", "Resource Hijacking: Compute Hijacking"),
            Technique("T1648", "Serverless Execution"),
        ),
        reads=("api_activity",),
        references=("https://sysdig.com/blog/ambersquid/",),
    )
    params: ClassVar[Mapping[str, object]] = {
        "steady_days_count": 3,
        "apart_hours": 20,
        "burst_calls_count": 10,
        "new_regions_count": 3,
        "rows_count": 200,
    }
    history_least_hours = 24
    many_services_count = 3
    many_regions_count = 3
    sweep_regions_count = 5
    least_llr = 2.0

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per account, principal, service and spell of calls."""
        for _, mine in candidates(candidates_rows, "account", "principal"):
            products = {text_of(row, "product") for row in mine}
            for _, rows in candidates(mine, "product"):
                # A build has the size of its project, which may have been made long before.
                in_order = sorted(jobs_of(rows), key=_called_at)
                for index, jobs in enumerate(spells(in_order, _called_at)):
                    llr = self._llr(jobs, many=len(products) >= self.many_services_count)
                    if llr >= self.least_llr:
                        yield self._finding(jobs, index, llr, facts)

    def _finding(self, jobs: Sequence[tuple[Row, Job]], index: int, llr: float, facts: Facts) -> Finding:
        product = text_of(jobs[0][0], "product")
        large = any(job.large for _, job in jobs)
        return audit_finding(
            self.meta,
            [row for row, _ in jobs],
            fact_key=f"{product}|{index}" if index else product,
            title=f"{product} used anew or in a burst",
            because=_sentence(jobs, facts),
            llr=llr,
            severity=Severity.HIGH if large and llr >= 3 else Severity.LOW if llr < 2.5 else None,
            types=[job.instance_type for _, job in jobs],
            compute=[usage_of(row, job) for row, job in priced(jobs) if job.runs or job.large],
        )

    def _llr(self, jobs: Sequence[tuple[Row, Job]], many: bool) -> float:
        rows = [row for row, _ in jobs]
        busiest = max(whole_of(row, "hour_calls_count") for row in rows)
        new = any(
            whole_of(row, "product_age_hours") < 1 and whole_of(row, "history_hours") >= self.history_least_hours
            for row in rows
        )
        llr = 1.5 if new else 0.0
        llr += 1.5 if any(job.large for _, job in jobs) else 0.0
        llr += 1.0 if any(job.gpu for _, job in jobs) else 0.0
        llr += 1.5 if busiest >= 30 else 1.0 if busiest >= 10 else 0.0
        llr += 1.0 if many else 0.0
        llr += 1.0 if len({text_of(row, "region") for row in rows}) >= self.many_regions_count else 0.0
        sweeps = self._sweeps(jobs)
        llr += 2.0 if sweeps else 0.0
        llr -= 0.5 if all(map(failed, rows)) else 0.0
        return min(7.5 if sweeps else 5.5, llr)

    def _sweeps(self, jobs: Sequence[tuple[Row, Job]]) -> bool:
        """Whether large jobs were asked for in more regions than anybody works in."""
        return len({text_of(row, "region") for row, job in jobs if job.large}) >= self.sweep_regions_count


def _called_at(called: tuple[Row, Job]) -> datetime:
    return instant(called[0]["time"])


def _sentence(jobs: Sequence[tuple[Row, Job]], facts: Facts) -> str:
    first = jobs[0][0]
    rows = [row for row, _ in jobs]
    product = text_of(first, "product")
    operations = listed(text_of(row, "operation") for row in rows)
    regions = listed(text_of(row, "region") for row in rows)
    busiest = max(whole_of(row, "hour_calls_count") for row in rows)
    usd = sum(usd_per_hour(job, text_of(row, "region"), facts) for row, job in priced(jobs))
    vcpu = sum(vcpu_count(job, text_of(row, "region"), facts) for row, job in priced(jobs))
    types = listed(job.instance_type for _, job in jobs)
    text = f"{called_by(first)} called {product} {count_of(len(rows), 'time')} ({operations}) in {regions}"
    hourly = "all" if busiest == len(rows) else str(busiest)
    text += f", {hourly} within one hour" if busiest > 1 else ""
    text += f", on {types}" if types else ""
    text += f": {vcpu:,.0f} vCPU, at least {format_usd(usd)} an hour" if usd else ""
    news = [whole_of(row, "history_hours") for row in rows if whole_of(row, "product_age_hours") < 1]
    if news:
        text += f"; the account did not use {product} before in {format_duration(max(news) * 3600)} of evidence"
    refused = sum(map(failed, rows))
    return text + (f"; {refused} refused." if refused else ".")
