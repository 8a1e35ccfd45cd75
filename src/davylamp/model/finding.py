"""A finding: one fact about one asset, with the evidence that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from davylamp.model.severity import Confidence, Severity
from davylamp.model.usage import ComputeUsage

GROUPS = ("name", "wire", "host_cpu", "host_identity", "auth", "audit", "cost", "posture")
STAGES = (
    "reconnaissance",
    "access",
    "discovery",
    "preparation",
    "impairment",
    "persistence",
    "mining",
    "impact",
    "follow_on",
)
EVIDENCE_SHOWN_COUNT = 50


@dataclass(frozen=True, slots=True, order=True)
class Technique:
    """An ATT&CK technique with the version of ATT&CK its id is from."""

    id: str
    name: str
    attack_version: str = "18"


@dataclass(frozen=True, slots=True, order=True)
class AssetRef:
    """Names an asset: kind is host, account, instance, process, cluster or principal."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True, order=True)
class Observable:
    """A value worth searching for elsewhere; `type` such as ip, domain, port, user_name, access_key."""

    type: str
    value: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """One cited record: where it stands and the columns that matter."""

    path: str
    line: int | None = None
    frame: int | None = None
    byte_offset: int | None = None
    columns: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers to draw beside a finding.

    `kind` is `rhythm` (x seconds since start, y signed message bytes) or `cpu_floor`
    (x instants in epoch seconds, y used ratio; `levels` holds the named levels to draw).
    """

    kind: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    levels: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact about one asset.

    Args:
        uid: stable identity: same unit, assets and fact give the same uid.
        llr: natural log of p(seen | mining) / p(seen | benign).
        fact: True when the finding alone may raise an incident (ARCHITECTURE, fusion).
        entities: `kind:value` keys that link findings (host:web1, ip:..., principal:..., access_key:...).
        compute: what the finding says about compute used, for pricing.
    """

    uid: str
    unit: str
    title: str
    group: str
    severity: Severity
    confidence: Confidence
    llr: float
    stage: str
    fact: bool
    techniques: tuple[Technique, ...]
    assets: tuple[AssetRef, ...]
    observables: tuple[Observable, ...]
    first_seen: datetime
    last_seen: datetime
    because: str
    evidence: tuple[Evidence, ...]
    evidence_count: int
    entities: tuple[str, ...] = ()
    compute: tuple[ComputeUsage, ...] = ()
    series: tuple[Series, ...] = ()
