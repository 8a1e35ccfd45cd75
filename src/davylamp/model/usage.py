"""Compute usage: what a finding says was used, before it has a price."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ComputeUsage:
    """Compute that an attacker used or may have used.

    Args:
        model: how it reaches the bill: `stolen` (share of a machine that was running anyway),
            `launched` (the attacker started it: all of it is billed), `serverless` (priced per
            vCPU-hour and GiB-hour), `requested` (asked for, not started: exposure only), `limit` (what a group may
            start beyond that: exposure only).
        asset: asset name the usage belongs to; empty for a launched resource.
        instance_type: provider's type name; empty when unknown.
        region: provider's region; empty when unknown.
        count: machines, tasks or jobs.
        vcpu: vCPUs of one of them; None when unknown.
        memory_gib: memory of one of them; None when unknown.
        share_ratio: share of the machine that was taken, 0..1; None when nothing measured it.
        base_ratio: share of the machine that its owner used meanwhile, 0..1; None when nothing measured it.
        started_at, ended_at: half-open window; `ended_at` None means still running.
        resource: the resource's own id, so that one resource is priced once; of a stolen share the process that
            took it, so that several processes of one machine add up.
        basis: one sentence that says where the figures are from.
    """

    model: str
    started_at: datetime
    basis: str
    asset: str = ""
    provider: str = "aws"
    instance_type: str = ""
    region: str = ""
    count: int = 1
    vcpu: float | None = None
    memory_gib: float | None = None
    share_ratio: float | None = None
    base_ratio: float | None = None
    ended_at: datetime | None = None
    resource: str = ""
