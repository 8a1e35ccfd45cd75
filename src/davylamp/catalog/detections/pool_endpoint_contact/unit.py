"""The detection `pool_endpoint_contact`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, candidates, evidence_of, instant, whole_of
from davylamp.kit.listed_names import listed_by, some
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import AssetRef, Finding, Observable, Technique
from davylamp.model.indicator import Indicator
from davylamp.model.severity import Confidence, Severity

SHOWN = ("time", "src_ip", "dst_ip", "dst_port", "protocol", "bytes_out", "bytes_in", "packets_out", "action", "state")
_WEB_PORTS = frozenset((80, 443, 8080, 8443))
_DAYS_PER_YEAR = 365.25


class PoolEndpointContact(Detection):
    """A machine contacted an address on which a mining pool is listed.

    What it sees.
    Flows whose destination is the address of a `pool_endpoint` indicator, on the listed port or another one.
    Entries in networks that a content delivery provider shares among its customers are refused when a set is made,
    so they cannot match.

    Why it matters.
    Addresses are what is left when a miner does not use DNS, or when only flow logs exist.

    How it decides.
    One finding per asset and address. The likelihood ratio (natural log) by what matched: 5.0 for the listed port,
    when that port is not one every web server has; 3.0 for a listed web port (80, 443, 8080, 8443) or an entry
    without a port; 1.0 for another port of an address that is listed with a port. Addresses change hands: 0.25 is
    taken for each year (`yearly_llr`) between the entry's first sighting and the contact, at most 2. 0.5 less where
    every flow was rejected. Nothing below 0.5 is reported. The weights are judgement. Above 20 listed addresses
    (`many_addresses_count`) an asset is scanning: one finding of 1.0.

    What it misses.
    Addresses in no list, which is most of them; proxies; entries past their expiry.

    What looks like it and is not.
    A scanner that touches every address; an address that a cloud provider has let to somebody else since; another
    site on the same machine (another port).

    What to do.
    Look at what the connection carried and which process held it; compare with the machine's names looked up.

    References.
    https://attack.mitre.org/techniques/T1496/001/
    https://github.com/stamparm/maltrail
    """

    meta = DetectionMeta(
        uid="pool_endpoint_contact",
        title="Listed mining pool address contacted",
        group="name",
        stage="mining",
        severity=Severity.MEDIUM,
        techniques=(Technique("T1496.001", "Resource Hijacking: Compute Hijacking"),),
        reads=("network_activity",),
        references=("https://attack.mitre.org/techniques/T1496/001/",),
    )
    params: ClassVar[Mapping[str, object]] = {}
    many_addresses_count = 20
    yearly_llr = 0.25
    least_llr = 0.5

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per asset and address, or one for an asset that contacts whole lists."""
        for first, rows in candidates(candidates_rows, "asset"):
            asset = AssetRef("host", str(first["asset"]))
            addresses = sorted({str(row["dst_ip"]) for row in rows})
            if len(addresses) > self.many_addresses_count:
                yield self._finding(asset, "many", rows, 1.0, _many_sentence(asset.name, addresses))
                continue
            for _, cited in candidates(rows, "dst_ip"):
                yield from self._one(asset, cited, facts)

    def _one(self, asset: AssetRef, rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        weighed = [(self._llr(row, facts), index) for index, row in enumerate(rows)]
        llr, index = max(weighed, key=lambda pair: (pair[0], -pair[1]))
        if llr < self.least_llr:
            return
        best = rows[index]
        yield self._finding(
            asset, str(best["dst_ip"]), rows, llr, _sentence(asset.name, best, rows, _entry(best, facts))
        )

    def _llr(self, row: Row, facts: Facts) -> float:
        indicator = _entry(row, facts)
        llr = 1.0
        if row["matched"] == "port":
            llr = 3.0 if row["dst_port"] in _WEB_PORTS else 5.0
        elif row["matched"] == "address":
            llr = 3.0
        if indicator is not None and indicator.first_seen is not None:
            years = (instant(row["last_at"]).date() - indicator.first_seen).days / _DAYS_PER_YEAR
            llr -= min(2.0, max(0.0, years) * self.yearly_llr)
        return llr - (0.5 if row["rejected_count"] == row["contacts_count"] else 0.0)

    def _finding(self, asset: AssetRef, key: str, rows: Sequence[Row], llr: float, because: str) -> Finding:
        counts = {(row["dst_ip"], row["dst_port"]): whole_of(row, "contacts_count") for row in rows}
        return build_finding(
            self.meta,
            fact_key=key,
            assets=(asset,),
            because=because,
            first_seen=min(instant(row["first_at"]) for row in rows),
            last_seen=max(instant(row["last_at"]) for row in rows),
            llr=round(llr, 2),
            confidence=Confidence.MEDIUM if llr >= 3 else Confidence.LOW,
            severity=Severity.MEDIUM if llr >= 3 else Severity.LOW,
            evidence=evidence_of(rows, SHOWN),
            evidence_count=sum(counts.values()),
            observables={Observable("ip", str(row["dst_ip"])) for row in rows},
        )


def _entry(row: Row, facts: Facts) -> Indicator | None:
    port = row["dst_port"]
    return facts.match_address(str(row["dst_ip"]), port if isinstance(port, int) else None)


def _sentence(asset: str, best: Row, rows: Sequence[Row], indicator: Indicator | None) -> str:
    count = sum({row["dst_port"]: whole_of(row, "contacts_count") for row in rows}.values())
    target = f"{best['dst_ip']} port {best['dst_port']}"
    text = f"{asset} contacted {target} ({count} flow{'s' if count > 1 else ''} to that address)"
    if best["matched"] == "other_port":
        text += "; the address is listed as a mining pool's, on another port"
    elif indicator is not None:
        text += f": listed as a mining pool's endpoint ({listed_by(indicator)})"
    text += "; every flow was rejected" if best["rejected_count"] == best["contacts_count"] else ""
    return text + "."


def _many_sentence(asset: str, addresses: list[str]) -> str:
    return (
        f"{asset} contacted {len(addresses)} different listed addresses ({some(addresses)}); a miner is configured "
        "with a few, so this is most likely a scanner or a job that checks lists."
    )
