"""Size of a managed job as its request states it, in vCPUs and dollars an hour."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from davylamp.kit.audit import failed, first_text, number, request, text_of, texts, walk
from davylamp.kit.detection import Facts, Row
from davylamp.kit.findings import instant
from davylamp.kit.launches import accelerated, vcpu_of
from davylamp.model.usage import ComputeUsage

LAMBDA_MB_A_VCPU = 1769
BUILD_LIMIT_MINUTES = 60
ENVIRONMENTS = ("CreateComputeEnvironment", "UpdateComputeEnvironment")
_WRITES_ONLY = re.compile(
    r"^(CreateProject|CreateApp|CreateBranch|CreateJob|CreateFunction|CreateEndpointConfig|.*LifecycleConfig"
    r"|CreateApplication|UpdateFunctionConfiguration|CreateEnvironment)"
)
_TYPE = re.compile(r"^(?:ml\.)?[a-z][a-z0-9-]*\.[a-z0-9-]+$")
_BUILD_VCPU = {"SMALL": 2, "MEDIUM": 4, "LARGE": 8, "XLARGE": 36, "2XLARGE": 72}
# Plans by the size in their id (2xlarge_3_0, nano_win_3_0), as GetBundles lists them: vCPUs and GB of memory.
_LIGHTSAIL_PLAN = {
    "nano": (2, 0.5),
    "micro": (2, 1),
    "small": (2, 2),
    "medium": (2, 4),
    "large": (2, 8),
    "xlarge": (4, 16),
    "2xlarge": (8, 32),
    "4xlarge": (16, 64),
}
_PLAN = re.compile(r"(?:^|_)(nano|micro|small|medium|(?:[24]?x)?large)_")
_GLUE_VCPU = {
    "Standard": 4,
    "G.025X": 2,
    "G.1X": 4,
    "G.2X": 8,
    "G.4X": 16,
    "G.8X": 32,
    "G.12X": 48,
    "G.16X": 64,
    "Z.2X": 8,
}


@dataclass(frozen=True, slots=True)
class Job:
    """What one call asked for.

    Args:
        instance_type: machine type behind it where the request names one, without the `ml.` of SageMaker.
        vcpu: vCPUs of one; None when the request does not say.
        gpu: whether accelerators are asked for.
        runs: whether the call starts something that is billed, not only writes it down.
    """

    instance_type: str
    vcpu: float | None
    memory_gib: float | None
    count: int
    gpu: bool
    runs: bool

    @property
    def large(self) -> bool:
        """Accelerators, 8 vCPUs a piece, or 32 in all."""
        return self.gpu or (self.vcpu or 0) >= 8 or (self.vcpu or 0) * self.count >= 32


def _machine(row: Row) -> str:
    named = [
        text for text in texts(request(row), "instanceType", "instanceTypes", "ec2InboundType") if _TYPE.match(text)
    ]
    named.sort(key=accelerated, reverse=True)
    return named[0].removeprefix("ml.") if named else ""


def _count(row: Row) -> int:
    names = ("instanceCount", "numberOfWorkers", "initialInstanceCount", "desiredInstances", "scale")
    counts = [number(text, 100_000) for text in texts(request(row), *names)]
    names_of_machines = texts(request(row), "instanceNames")
    size = first_text(request(row), "size")
    array = number(size, 100_000) if size.isdigit() else 0
    return max(1, len(names_of_machines), array, max(counts, default=0))


def _build(row: Row) -> tuple[float | None, float | None, bool]:
    size = first_text(request(row), "computeType", "computeTypeOverride").upper()
    kind = first_text(request(row), "type", "environmentTypeOverride").upper()
    return _BUILD_VCPU.get(size.rpartition("_")[2]), None, "GPU" in size or "GPU" in kind


def _glue(row: Row) -> tuple[float | None, float | None, bool]:
    return _GLUE_VCPU.get(first_text(request(row), "workerType")), None, False


def _plan(row: Row) -> tuple[float | None, float | None, bool]:
    named = _PLAN.search(first_text(request(row), "bundleId"))
    vcpu, memory_gib = _LIGHTSAIL_PLAN[named.group(1)] if named else (None, None)
    return vcpu, memory_gib, False


def _function(row: Row) -> tuple[float | None, float | None, bool]:
    memory_mb = number(first_text(request(row), "memorySize"))
    return (memory_mb / LAMBDA_MB_A_VCPU or None), (memory_mb / 1024 or None), False


def _batch(row: Row) -> tuple[float | None, float | None, bool]:
    """A job's own size, or the vCPUs that an environment holds at once, else those that it may grow to."""
    asked = request(row)
    needs = _requirements(asked)
    held = _held_vcpus(row)
    wanted = held or max(map(number, [*texts(asked, "vcpus", "maxvCpus"), needs.get("VCPU", "")]), default=0)
    memory_mib = number(needs.get("MEMORY", "")) or number(first_text(asked, "memory"))
    return (float(wanted) or None), (memory_mib / 1024 or None), "GPU" in needs or "GPU" in texts(asked, "type")


def _requirements(asked: object) -> dict[str, str]:
    """What a job asks for in the form `[{"type": "VCPU", "value": "8"}]`."""
    found: dict[str, str] = {}
    for _, node in walk(asked):
        if isinstance(node, dict) and isinstance(node.get("type"), str) and "value" in node:
            found[str(node["type"]).upper()] = str(node["value"])
    return found


def _held_vcpus(row: Row) -> int:
    return max(map(number, texts(request(row), "desiredvCpus", "minvCpus")), default=0)


def _plain(row: Row) -> tuple[float | None, float | None, bool]:
    return None, None, False


_SIZES: Mapping[str, Callable[[Row], tuple[float | None, float | None, bool]]] = {
    "CodeBuild": _build,
    "Glue": _glue,
    "Lambda": _function,
    "Batch": _batch,
    "Lightsail": _plan,
}


def job_of(row: Row) -> Job:
    """What one call asked for."""
    machine = _machine(row)
    vcpu, memory_gib, gpu = _SIZES.get(text_of(row, "product"), _plain)(row)
    operation = text_of(row, "operation")
    runs = not failed(row) and _WRITES_ONLY.match(operation) is None
    gpu = gpu or accelerated(machine)
    if operation in ENVIRONMENTS:
        # An environment is measured in vCPUs and may list many types; it runs nothing until a job or a minimum does.
        return Job("", vcpu, memory_gib, 1, gpu, runs and _held_vcpus(row) > 0)
    return Job(machine, vcpu, memory_gib, _count(row), gpu, runs)


def jobs_of(rows: Sequence[Row]) -> list[tuple[Row, Job]]:
    """What each call asked for; a build that names no size has its project's, where the project's making is seen."""
    projects = {
        (text_of(row, "region"), first_text(request(row), "name")): job_of(row)
        for row in rows
        if text_of(row, "product") == "CodeBuild" and text_of(row, "operation") == "CreateProject" and not failed(row)
    }
    pairs: list[tuple[Row, Job]] = []
    for row in rows:
        job = job_of(row)
        known = projects.get((text_of(row, "region"), first_text(request(row), "projectName")))
        if known is not None and job.vcpu is None:
            job = replace(job, vcpu=known.vcpu, memory_gib=known.memory_gib, gpu=known.gpu)
        pairs.append((row, job))
    return pairs


def _ended_at(row: Row) -> datetime | None:
    """A build ends with its time limit at the latest: an hour, unless the call says otherwise."""
    if not text_of(row, "operation").startswith("StartBuild"):
        return None
    limit = number(first_text(request(row), "timeoutInMinutesOverride")) or BUILD_LIMIT_MINUTES
    return instant(row["time"]) + timedelta(minutes=limit)


def priced(jobs: Sequence[tuple[Row, Job]]) -> list[tuple[Row, Job]]:
    """Without what would be counted twice: jobs of Batch run in its environments, so the larger of both stands."""
    environments = [pair for pair in jobs if text_of(pair[0], "operation") in ENVIRONMENTS]
    others = [pair for pair in jobs if text_of(pair[0], "operation") not in ENVIRONMENTS]
    if not environments or text_of(jobs[0][0], "product") != "Batch":
        return list(jobs)
    return max((environments, others), key=_running_vcpus)


def _running_vcpus(jobs: Sequence[tuple[Row, Job]]) -> tuple[float, float]:
    sizes = [(job.runs, (job.vcpu or 0.0) * job.count) for _, job in jobs]
    return sum(size for runs, size in sizes if runs), sum(size for _, size in sizes)


def usage_of(row: Row, job: Job) -> ComputeUsage:
    """The job for pricing: by its machine where one is named, else by vCPUs at serverless rates."""
    model = "requested" if not job.runs else "launched" if job.instance_type else "serverless"
    named = job.instance_type or (f"{job.vcpu:.0f} vCPU" if job.vcpu else "no size named")
    return ComputeUsage(
        model=model,
        started_at=instant(row["time"]),
        ended_at=_ended_at(row),
        basis=f"{text_of(row, 'product')} {text_of(row, 'operation')}, {job.count} x {named}; the price table does "
        "not hold the service's own surcharge, so the rate is a lower bound; what no call ends is counted on",
        instance_type=job.instance_type,
        region=text_of(row, "region"),
        count=job.count,
        vcpu=job.vcpu,
        memory_gib=job.memory_gib,
        resource=f"{text_of(row, 'product')}:{text_of(row, 'event_uid') or row.get('line')}",
    )


def usd_per_hour(job: Job, region: str, facts: Facts) -> float:
    """List price of the machine, or Fargate's rate for the vCPUs where no machine is named."""
    if job.instance_type:
        return facts.price(job.instance_type, region).usd_per_hour * job.count
    cpu_usd, memory_usd = facts.rate_usd("fargate_x86_vcpu_hour"), facts.rate_usd("fargate_x86_gb_hour")
    return job.count * ((job.vcpu or 0) * cpu_usd + (job.memory_gib or 0) * memory_usd)


def vcpu_count(job: Job, region: str, facts: Facts) -> float:
    """vCPUs of all machines of the job; 0 where unknown."""
    one = vcpu_of(job.instance_type, region, facts) if job.instance_type else job.vcpu
    return (one or 0.0) * job.count
