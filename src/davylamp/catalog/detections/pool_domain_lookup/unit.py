"""The detection `pool_domain_lookup`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, candidates, evidence_of, instant, is_address, whole_of
from davylamp.kit.listed_names import ageing_llr, last_day, listed_by, some, texts
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import AssetRef, Finding, Observable, Technique
from davylamp.model.indicator import Indicator
from davylamp.model.severity import Confidence, Severity

SHOWN = ("time", "query_name", "query_type", "answers", "rcode", "resolver_ip", "action")


class PoolDomainLookup(Detection):
    """A machine asked DNS for a name that miners connect to.

    What it sees.
    DNS questions whose name, or a CNAME they were answered with, is covered by a `pool_endpoint` indicator on a
    label boundary. A browser miner's name gives a hint only; a pool's web site, an exchange or news gives nothing.

    Why it matters.
    Nearly every stock miner is configured with a pool's name and asks for it each time it connects.

    How it decides.
    One finding per asset and indicator. The likelihood ratio (natural log) of an endpoint name is 7.5, as far as the
    data goes: among the 10,500 names of two popular lists none is covered (tests/rooms/test_intel.py), so the false
    alarm rate is below 3 in 10,500 at 95 %, and more than half of all miners ask for a public pool's name:
    ln(0.52 / 2.9e-4) = 7.5. Names are kept as endpoints only where no web site is meant.
    It is 0.5 less where every answer was blocked (the miner was stopped, if it was one), 0.5 less within 180 days
    of the entry's expiry, and 4.0 where only records were asked that nobody dials (TXT, MX, NS, SOA). A browser
    miner's name gives 1.0. Above 20 different listed pools (`many_indicators_count`) an asset is most likely a
    resolver, a list checker or a scanner: a miner's configuration names one to a dozen pools. All of them then make
    one finding of 1.0.

    What it misses.
    Private pools and proxies under names of their own, DNS over HTTPS, addresses written into the miner. Names of
    more than six labels match only entries of up to six labels or themselves.

    What looks like it and is not.
    People who read a pool's site (site names are a class of their own); a resolver or mail filter that looks up
    other people's names; threat intelligence jobs that resolve lists; a desktop whose owner mines by choice.

    What to do.
    Find the process that asked (the host's own resolver log, or the connection that followed), and look at what the
    machine did in the minutes before the first question. Block the name at the resolver.

    References.
    https://attack.mitre.org/techniques/T1496/001/
    https://github.com/stamparm/maltrail
    """

    meta = DetectionMeta(
        uid="pool_domain_lookup",
        title="Mining pool looked up",
        group="name",
        stage="mining",
        severity=Severity.HIGH,
        techniques=(
            Technique("T1496.001", "Resource Hijacking: Compute Hijacking"),
            Technique("T1071.004", "Application Layer Protocol: DNS"),
        ),
        reads=("dns_activity",),
        references=("https://attack.mitre.org/techniques/T1496/001/",),
    )
    params: ClassVar[Mapping[str, object]] = {}
    many_indicators_count = 20

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per asset and indicator, or one for an asset that looks up whole lists."""
        for first, rows in candidates(candidates_rows, "asset"):
            asset = AssetRef("host", str(first["asset"]))
            by_indicator = _by_indicator(rows, facts)
            if len(by_indicator) > self.many_indicators_count:
                yield self._many(asset, by_indicator)
                continue
            for indicator, cited in by_indicator.values():
                yield self._one(asset, indicator, cited)

    def _one(self, asset: AssetRef, indicator: Indicator, rows: Sequence[Row]) -> Finding:
        mining = indicator.indicator_class == "pool_endpoint"
        blocked = _sum(rows, "blocked_count") == _sum(rows, "lookups_count")
        llr = self._llr(indicator, rows, blocked)
        severity = Severity.LOW if not mining else Severity.MEDIUM if blocked or llr < 5 else Severity.HIGH
        return build_finding(
            self.meta,
            fact_key=indicator.value,
            assets=(asset,),
            title=None if mining else "Browser miner's name looked up",
            because=_sentence(asset.name, indicator, rows, blocked),
            first_seen=min(instant(row["first_at"]) for row in rows),
            last_seen=max(instant(row["last_at"]) for row in rows),
            llr=llr,
            confidence=Confidence.HIGH if llr >= 5 else Confidence.LOW,
            severity=severity,
            evidence=evidence_of(rows, SHOWN),
            evidence_count=_sum(rows, "lookups_count"),
            observables=_observables(rows),
            entities=[f"answer:{address}" for address in _addresses(rows)],
        )

    def _llr(self, indicator: Indicator, rows: Sequence[Row], blocked: bool) -> float:
        if indicator.indicator_class != "pool_endpoint":
            return 1.0
        llr = 7.5 if _sum(rows, "dialling_count") else 4.0
        return llr + ageing_llr(indicator, last_day(rows)) - (0.5 if blocked else 0.0)

    def _many(self, asset: AssetRef, found: Mapping[str, tuple[Indicator, list[Row]]]) -> Finding:
        rows = [row for _, cited in found.values() for row in cited]
        return build_finding(
            self.meta,
            fact_key="many",
            assets=(asset,),
            title="Many listed pools looked up",
            because=(
                f"{asset.name} looked up names of {len(found)} different listed pools ({some(sorted(found))}); a miner "
                "is configured with a few, so this is most likely a resolver, a scanner or a job that checks lists."
            ),
            first_seen=min(instant(row["first_at"]) for row in rows),
            last_seen=max(instant(row["last_at"]) for row in rows),
            llr=1.0,
            confidence=Confidence.LOW,
            severity=Severity.LOW,
            evidence=evidence_of(rows, SHOWN),
            evidence_count=_sum(rows, "lookups_count"),
            observables=_observables(rows),
        )


def _by_indicator(rows: Sequence[Row], facts: Facts) -> Mapping[str, tuple[Indicator, list[Row]]]:
    found: dict[str, tuple[Indicator, list[Row]]] = {}
    for row in rows:
        indicator = facts.match_domain(str(row["listed_name"]))
        if indicator is None or indicator.indicator_class not in ("pool_endpoint", "browser_miner"):
            continue
        if row["listed_name"] != row["query_name"] and _is_endpoint(str(row["query_name"]), facts):
            continue  # the question itself is listed; its CNAME is the same fact
        found.setdefault(indicator.value, (indicator, []))[1].append(row)
    return dict(sorted(found.items()))


def _is_endpoint(name: str, facts: Facts) -> bool:
    indicator = facts.match_domain(name)
    return indicator is not None and indicator.indicator_class == "pool_endpoint"


def _sum(rows: Sequence[Row], column: str) -> int:
    return sum({str(row["listed_name"]): whole_of(row, column) for row in rows}.values())


def _observables(rows: Sequence[Row]) -> set[Observable]:
    names = {*texts(rows, "listed_name"), *texts(rows, "query_name")}
    return {Observable("domain", name) for name in names}


def _addresses(rows: Sequence[Row]) -> list[str]:
    """Where the name led: a connection to one of these is the pool's."""
    found = {str(answer) for row in rows for answer in _listed(row.get("answers"))}
    return sorted(address for address in found if is_address(address))


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()


def _sentence(asset: str, indicator: Indicator, rows: Sequence[Row], blocked: bool) -> str:
    count = _sum(rows, "lookups_count")
    asked = texts(rows, "query_name")
    behind = [name for name in texts(rows, "listed_name") if name not in asked]
    what = "a mining pool's endpoint" if indicator.indicator_class == "pool_endpoint" else "a browser miner"
    text = f"{asset} asked {count} time{'s' if count > 1 else ''} for {some(asked)}"
    text += f", answered with {some(behind)}" if behind else ""
    text += f": {what} ({listed_by(indicator)})"
    if blocked:
        text += "; every lookup was blocked or answered with a null address"
    elif all(row["rcode"] == "NXDOMAIN" for row in rows):
        text += "; the name no longer exists"
    if indicator.indicator_class == "pool_endpoint" and not _sum(rows, "dialling_count"):
        text += "; only record types that nobody dials were asked"
    return text + "."
