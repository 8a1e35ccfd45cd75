"""The detection `hosts_file_tampering`."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from davylamp.catalog.detections.hosts_file_tampering.vendors import SECURITY, UPDATES, within
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, candidates, evidence_of, instant
from davylamp.kit.listed_names import some
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import AssetRef, Finding, Observable, Technique
from davylamp.model.severity import Confidence, Severity

SHOWN = ("name", "value", "file_path", "file_line")


@dataclass(frozen=True)
class _Kind:
    """What an entry does.

    Args:
        llr: what one entry of the kind is worth.
        words: for the sentence; `{}` takes the names.
    """

    key: str
    llr: float
    words: str


POOL_ELSEWHERE = _Kind(
    "pool_elsewhere", 5.0, "mining pools ({}) are sent to another address, as miners do behind a relay"
)
POOL_NOWHERE = _Kind("pool_nowhere", 3.0, "mining pools ({}) are sent nowhere, as miners do to their rivals")
SECURITY_NOWHERE = _Kind("security_nowhere", 3.0, "security services ({}) are sent nowhere")
SECURITY_ELSEWHERE = _Kind("security_elsewhere", 2.0, "security services ({}) are sent to another address")
UPDATES_NOWHERE = _Kind("updates_nowhere", 2.0, "the system's updates ({}) are sent nowhere")


class HostsFileTampering(Detection):
    """The hosts file sends pools, security services or updates nowhere, or pools elsewhere.

    What it sees.
    Entries of the host's own hosts file for names of mining pools, security vendors, clouds' agents and the system's
    updates.

    Why it matters.
    Miners send their rivals' pools nowhere (ShadowRay 2.0), silence agents and updates, and lead a pool's name to
    their own relay, so that neither resolver logs nor lists of addresses show it.

    How it decides.
    A pool's name with another address than nowhere: 5.0, whether the address is private or not, since relays stand
    anywhere. Pools sent nowhere: 3.0, an administrator may have done so. Security services sent nowhere: 3.0,
    elsewhere on a public address: 2.0. Updates sent nowhere: 2.0. Each kind is one finding. A file that sends 200
    names nowhere or more (`block_list_count`; published block lists have thousands, reported miners a handful to some
    dozens) is a block list, and what it sends nowhere is not judged. Weights are judgements.

    What it misses.
    Entries hidden within a block list; resolvers, proxies and firewall rules that do the same; names we do not list;
    files of containers.

    What looks like it and is not.
    Block lists against advertising or mining; mirrors of updates on private addresses; names of one's own machines.

    What to do.
    Ask who wrote the lines; keep a copy, remove them, and look for the same lines on other hosts. A pool sent to an
    address names a relay: look for connections to it.

    References.
    https://www.oligo.security/blog/shadowray-2-0-attackers-turn-ai-against-itself-in-global-campaign-that-hijacks-ai-into-self-propagating-botnet
    https://attack.mitre.org/techniques/T1562/001/
    """

    meta = DetectionMeta(
        uid="hosts_file_tampering",
        title="The hosts file misleads pools, agents or updates",
        group="host_identity",
        stage="impairment",
        severity=Severity.HIGH,
        techniques=(
            Technique("T1496.001", "Resource Hijacking: Compute Hijacking"),
            Technique("T1562.001", "Impair Defenses: Disable or Modify Tools"),
        ),
        reads=("host_setting",),
        references=("https://attack.mitre.org/techniques/T1562/001/",),
    )
    params: ClassVar[Mapping[str, object]] = {"block_list_count": 200}

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding a host and kind of entry."""
        for first, rows in candidates(candidates_rows, "asset"):
            by_kind: dict[_Kind, list[Row]] = {}
            for row in rows:
                if kind := _kind(row, facts):
                    by_kind.setdefault(kind, []).append(row)
            for kind, cited in by_kind.items():
                yield self._finding(str(first["asset"]), kind, cited)

    def _finding(self, asset: str, kind: _Kind, rows: Sequence[Row]) -> Finding:
        names = sorted({str(row["name"]) for row in rows})
        relays = sorted({str(row["value"]) for row in rows if row["nowhere"] == 0})
        return build_finding(
            self.meta,
            fact_key=kind.key,
            assets=(AssetRef("host", asset),),
            because=f"in {rows[0]['file_path'] or 'the hosts file'} {kind.words.format(some(names))}",
            first_seen=_since(rows),
            last_seen=max(instant(row["time"]) for row in rows),
            llr=kind.llr,
            confidence=Confidence.HIGH if kind.llr >= 4 else Confidence.MEDIUM,
            severity=None if kind.llr >= 4 else Severity.MEDIUM,
            evidence=evidence_of(rows, SHOWN),
            evidence_count=len(rows),
            observables=[*(Observable("domain", name) for name in names), *(Observable("ip", ip) for ip in relays)],
            entities=[f"ip:{ip}" for ip in relays],
        )


def _kind(row: Row, facts: Facts) -> _Kind | None:
    name, nowhere = str(row["name"]).rstrip("."), row["nowhere"] == 1
    indicator = facts.match_domain(name)
    if indicator is not None and indicator.indicator_class == "pool_endpoint":
        return POOL_NOWHERE if nowhere else POOL_ELSEWHERE
    if within(name, UPDATES):
        return UPDATES_NOWHERE if nowhere else None
    if within(name, SECURITY):
        return SECURITY_NOWHERE if nowhere else SECURITY_ELSEWHERE if _is_public(str(row["value"])) else None
    return None


def _is_public(value: str) -> bool:
    try:
        return ipaddress.ip_address(value).is_global
    except ValueError:
        return False


def _since(rows: Sequence[Row]) -> datetime:
    """When the file changed last; it may have been set back, and never lies after the look."""
    looked = min(instant(row["time"]) for row in rows)
    return min([*(instant(row["modified_at"]) for row in rows if isinstance(row["modified_at"], datetime)), looked])
