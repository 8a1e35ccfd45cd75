"""The detection `container_task_at_full_size`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import ClassVar

from davylamp.catalog.detections.container_task_at_full_size.task import Task, names_stratum, task_of
from davylamp.kit.audit import (
    audit_finding,
    called_by,
    count_of,
    failed,
    first_text,
    listed,
    number,
    request,
    text_of,
)
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import candidates, instant
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import Finding, Observable, Technique
from davylamp.model.severity import Severity
from davylamp.model.usage import ComputeUsage
from davylamp.units import format_duration, format_usd

SOON = timedelta(minutes=30)
LATER = timedelta(hours=24)


class ContainerTaskAtFullSize(Detection):
    """Container tasks of the largest sizes were started from a public image, or clusters were made in dozens.

    What it sees.
    ECS RegisterTaskDefinition with 8 vCPUs or more and a public image for its largest container, and RunTask,
    StartTask, CreateService or UpdateService of that task by the same principal. Besides, bursts of CreateCluster.

    Why it matters.
    Fargate needs no machine, no key pair and no network of its own. In the campaign of November 2025 tasks of 16
    vCPUs and 32 GB ran a miner from a public image, ten a service, in more than 50 clusters.

    How it decides.
    8,192 CPU units (`full_size_units`) is the second largest Fargate size and the figure of Elastic's published
    rule, as are the 30 minutes (`SOON`) between registration and start. The largest container decides whether an
    image is public: a public side-car beside an own image is common. Natural log: 2.5 for the definition alone, 3.5
    when it is started within a day, 4.5 within 30 minutes, +1 for five tasks or more (`many_tasks_count`; half of
    the campaign's desired count), +1 for environment names such as WALLET or POOL, +3 for a stratum address in the
    command; at most 8. Ten clusters within an hour (`clusters_count`; the campaign made more than 50, people make
    one or two) count 3, 40 count 4. 1 less when every call was refused. Weights are judgements from public reports,
    not a fit.

    What it misses.
    An image copied into a registry of the account's own; tasks of 4 vCPUs in larger numbers; tasks on EC2 capacity
    without CPU figures; a definition that was written before the evidence begins.

    What looks like it and is not.
    Large tasks with an image from one's own registry; data tools that are run from their vendor's public image at
    full size, which the owner can name.

    What to do.
    Set the services' desired count to 0 and stop the tasks, deregister the definition, delete the clusters; keep
    the image's digest as evidence. Then look at who called.

    References.
    https://aws.amazon.com/blogs/security/cryptomining-campaign-targeting-amazon-ec2-and-amazon-ecs/
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html
    """

    meta = DetectionMeta(
        uid="container_task_at_full_size",
        title="Container task at full size from a public image",
        group="audit",
        stage="mining",
        severity=Severity.HIGH,
        techniques=(
            Technique("T1610", "Deploy Container"),
            Technique("T1204.003", "User Execution: Malicious Image"),
            Technique("T1496.001", "Resource Hijacking: Compute Hijacking"),
        ),
        reads=("api_activity",),
        references=(
            "https://aws.amazon.com/blogs/security/cryptomining-campaign-targeting-amazon-ec2-and-amazon-ecs/",
        ),
    )
    params: ClassVar[Mapping[str, object]] = {"clusters_count": 10, "rows_count": 500}
    full_size_units = 8192
    many_tasks_count = 5

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """Per account and principal one finding for full-size tasks and one for a burst of clusters."""
        for _, rows in candidates(candidates_rows, "account", "principal"):
            yield from self._tasks(rows, facts)
            yield from self._clusters([row for row in rows if row["role"] == "cluster"])

    def _tasks(self, rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        written = [(row, task_of(row)) for row in rows if row["role"] == "large"]
        full = [(row, task) for row, task in written if task.cpu_units >= self.full_size_units and task.public_image]
        if not full:
            return
        starts = [(row, task, made) for row in rows if row["role"] == "start" for made, task in _started(row, full)]
        usages = [_usage(row, task) for row, task, _ in starts] or [_usage(row, task) for row, task in full]
        cited = [row for row, _ in full] + [row for row, _, _ in starts]
        running = [usage for usage in usages if usage.model == "serverless"]
        yield audit_finding(
            self.meta,
            cited,
            fact_key="full_size_task",
            because=_sentence(full, starts, usages, facts),
            llr=self._llr(full, starts, usages, cited),
            severity=None if running else Severity.MEDIUM,
            stage=None if starts else "preparation",
            observables=[Observable("container_image", task.public_image) for _, task in full],
            compute=usages,
        )

    def _llr(
        self,
        full: Sequence[tuple[Row, Task]],
        starts: Sequence[tuple[Row, Task, Row]],
        usages: Sequence[ComputeUsage],
        cited: Sequence[Row],
    ) -> float:
        soon = any(instant(row["time"]) - instant(made["time"]) <= SOON for row, _, made in starts)
        llr = 4.5 if soon else 3.5 if starts else 2.5
        words = {word for _, task in full for word in task.mining_words}
        stratum = "a stratum address" in words or any(names_stratum(row) for row, _, _ in starts)
        llr += 1.0 if starts and sum(usage.count for usage in usages) >= self.many_tasks_count else 0.0
        llr += 1.0 if words - {"a stratum address"} else 0.0
        llr += 3.0 if stratum else 0.0
        llr -= 1.0 if all(map(failed, cited)) else 0.0
        return min(8.0, llr)

    def _clusters(self, rows: Sequence[Row]) -> Iterable[Finding]:
        by_hour: dict[object, list[Row]] = {}
        for row in rows:
            by_hour.setdefault(row.get("hour"), []).append(row)
        least = self.params["clusters_count"]
        bursts = [members for members in by_hour.values() if isinstance(least, int) and len(members) >= least]
        if not bursts:
            return
        most = max(map(len, bursts))
        cited = [row for members in bursts for row in members]
        regions = {text_of(row, "region") for row in cited}
        refused = sum(map(failed, cited))
        yield audit_finding(
            self.meta,
            cited,
            fact_key="clusters",
            title="Container clusters created in a burst",
            stage="preparation",
            severity=Severity.MEDIUM,
            because=f"{called_by(cited[0])} created {count_of(len(cited), 'ECS cluster')} in {listed(regions)}, "
            + ("all" if most == len(cited) else str(most))
            + " within one hour"
            + (f" ({refused} refused)." if refused else "."),
            llr=(4.0 if most >= 40 else 3.0) - (1.0 if refused == len(cited) else 0.0),
        )


def _started(row: Row, full: Sequence[tuple[Row, Task]]) -> list[tuple[Row, Task]]:
    """The definition a start call names, when it is one of these and was written in the day before."""
    named = first_text(request(row), "taskDefinition").rpartition("/")[2]
    family = named.partition(":")[0]
    found = [
        (made, task)
        for made, task in full
        if named and (named == task.key or (family == task.family and (":" not in named or ":" not in task.key)))
        if timedelta(0) <= instant(row["time"]) - instant(made["time"]) <= LATER
    ]
    return found[-1:]


def _usage(row: Row, task: Task) -> ComputeUsage:
    asked = request(row)
    wanted = [number(first_text(asked, name)) for name in ("desiredCount", "count")]
    running = row["role"] == "start" and not failed(row)
    name = first_text(asked, "serviceName", "service") or text_of(row, "event_uid") or task.key
    cluster = first_text(asked, "cluster")
    return ComputeUsage(
        model="serverless" if running else "requested",
        started_at=instant(row["time"]),
        basis=f"task {task.key} of {task.cpu_units} CPU units and {task.memory_mib} MiB, at Fargate's x86 rates",
        region=text_of(row, "region"),
        count=max(wanted) or 1,
        vcpu=task.cpu_units / 1024,
        memory_gib=task.memory_mib / 1024 or None,
        resource=f"ecs:{text_of(row, 'region')}:{cluster}:{name}",
    )


def _usd_per_hour(usages: Iterable[ComputeUsage], facts: Facts) -> float:
    cpu_usd, memory_usd = facts.rate_usd("fargate_x86_vcpu_hour"), facts.rate_usd("fargate_x86_gb_hour")
    return sum(usage.count * ((usage.vcpu or 0) * cpu_usd + (usage.memory_gib or 0) * memory_usd) for usage in usages)


def _sentence(
    full: Sequence[tuple[Row, Task]],
    starts: Sequence[tuple[Row, Task, Row]],
    usages: Sequence[ComputeUsage],
    facts: Facts,
) -> str:
    row, task = max(full, key=lambda pair: pair[1].cpu_units)
    text = (
        f"{called_by(row)} wrote {count_of(len(full), 'task definition')} of up to {task.cpu_units} CPU units "
        f"({task.cpu_units / 1024:.0f} vCPU) with the public image {task.public_image}"
    )
    words = {word for _, one in full for word in one.mining_words}
    if words:
        text += f", which names {listed(words)}"
    tasks = sum(usage.count for usage in usages)
    vcpu = sum(usage.count * (usage.vcpu or 0) for usage in usages)
    money = f"{vcpu:,.0f} vCPU, {format_usd(_usd_per_hour(usages, facts))} an hour"
    if not starts:
        return f"{text}; no start of it is in the evidence; one task of each would be {money}."
    refused = sum(failed(start) for start, _, _ in starts)
    delay = min(instant(start["time"]) - instant(made["time"]) for start, _, made in starts)
    denied = f" ({refused} of {count_of(len(starts), 'call')} refused)" if refused else ""
    return (
        f"{text}, and asked for {count_of(tasks, 'task')} of it {format_duration(delay.total_seconds())} later"
        f"{denied}: {money}."
    )
