"""Size of a managed job as its request states it, in vCPUs and dollars an hour."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from davylamp.kit.audit import failed, first_text, number, request, text_of, texts
from davylamp.kit.detection import Facts, Row
from davylamp.kit.findings import instant
from davylamp.kit.launches import accelerated
from davylamp.model.usage import ComputeUsage

LAMBDA_MB_A_VCPU = 1769
LAMBDA_LARGE_MB = 3008
_WRITES_ONLY = re.compile(
    r"^(CreateProject|CreateApp|CreateBranch|CreateJob|CreateFunction|CreateEndpointConfig|.*LifecycleConfig"
    r"|CreateApplication|UpdateFunctionConfiguration|CreateEnvironment)"
)
_TYPE = re.compile(r"^(?:ml\.)?[a-z][a-z0-9-]*\.[a-z0-9-]+$")
_BUILD_VCPU = {"SMALL": 2, "MEDIUM": 4, "LARGE": 8, "XLARGE": 36, "2XLARGE": 72}
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


def _function(row: Row) -> tuple[float | None, float | None, bool]:
    memory_mb = number(first_text(request(row), "memorySize"))
    return (memory_mb / LAMBDA_MB_A_VCPU or None), (memory_mb / 1024 or None), False


def _batch(row: Row) -> tuple[float | None, float | None, bool]:
    asked = request(row)
    wanted = max(map(number, texts(asked, "vcpus", "desiredvCpus", "minvCpus", "maxvCpus")), default=0)
    return (float(wanted) or None), None, "GPU" in texts(asked, "type")


def _plain(row: Row) -> tuple[float | None, float | None, bool]:
    return None, None, False


_SIZES: Mapping[str, Callable[[Row], tuple[float | None, float | None, bool]]] = {
    "CodeBuild": _build,
    "Glue": _glue,
    "Lambda": _function,
    "Batch": _batch,
}


def job_of(row: Row) -> Job:
    """What one call asked for."""
    machine = _machine(row)
    vcpu, memory_gib, gpu = _SIZES.get(text_of(row, "product"), _plain)(row)
    runs = not failed(row) and _WRITES_ONLY.match(text_of(row, "operation")) is None
    return Job(machine, vcpu, memory_gib, _count(row), gpu or accelerated(machine), runs)


def usage_of(row: Row, job: Job) -> ComputeUsage:
    """The job for pricing: by its machine where one is named, else by vCPUs at serverless rates."""
    model = "requested" if not job.runs else "launched" if job.instance_type else "serverless"
    named = job.instance_type or (f"{job.vcpu:.0f} vCPU" if job.vcpu else "no size named")
    return ComputeUsage(
        model=model,
        started_at=instant(row["time"]),
        basis=f"{text_of(row, 'product')} {text_of(row, 'operation')}, {job.count} x {named}; the price table does "
        "not hold the service's own surcharge, so the amount is a lower bound",
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
    one = facts.price(job.instance_type, region).vcpu if job.instance_type else job.vcpu
    return (one or 0.0) * job.count
