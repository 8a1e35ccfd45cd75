"""The detection `pool_server_name`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, candidates, evidence_of, instant, number_of, whole_of
from davylamp.kit.listed_names import ageing_llr, last_day, listed_by, some, texts
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import AssetRef, Finding, Observable, Technique
from davylamp.model.indicator import Indicator
from davylamp.model.severity import Confidence, Severity
from davylamp.units import format_duration

SHOWN = ("time", "name", "src_ip", "dst_ip", "dst_port", "bytes_out", "bytes_in", "application", "user_agent", "action")


class PoolServerName(Detection):
    """A machine opened a connection that names a mining pool's endpoint as its server.

    What it sees.
    The TLS server name or HTTP host of a connection, covered by a `pool_endpoint` indicator on a label boundary. A
    browser miner's name gives a hint only; a pool's web site gives nothing.

    Why it matters.
    Mining inside TLS shows no dialogue, but its client still names the pool. Unlike a DNS question, the name stands
    on the connection itself, so its bytes and its length are known.

    How it decides.
    One finding per asset and indicator. The likelihood ratio (natural log) is 7.5, as in `pool_domain_lookup` and
    on the same ground: none of 10,500 popular names is covered. Pools show their pages on some of their endpoints'
    names, so 3.0 remains where every connection went to port 80 or 443 and either carried a browser's user agent or
    was measured shorter than 300 s (`visit_s`; miners stay for hours, knowledge of captured sessions says 1 to 2
    messages a minute for as long as they run). 0.5 less where every connection was rejected, 0.5 less within 180
    days of the entry's expiry. A browser miner's name gives 1.0. Above 20 listed pools (`many_indicators_count`)
    the asset is a proxy or a scanner: one finding of 1.0.

    What it misses.
    Encrypted client hello, connections without a server name, pools behind names of their own, stratum in clear or
    inside a tunnel.

    What looks like it and is not.
    Somebody reading a pool's statistics page on the endpoint's name; a forward proxy that connects for others.

    What to do.
    Find the process that holds the connection; cut its egress; look at what the machine did before the first
    connection.

    References.
    https://attack.mitre.org/techniques/T1496/001/
    https://www.rfc-editor.org/rfc/rfc6066#section-3
    """

    meta = DetectionMeta(
        uid="pool_server_name",
        title="Connection names a mining pool as its server",
        group="name",
        stage="mining",
        severity=Severity.HIGH,
        techniques=(
            Technique("T1496.001", "Resource Hijacking: Compute Hijacking"),
            Technique("T1071.001", "Application Layer Protocol: Web Protocols"),
        ),
        reads=("network_activity",),
        references=("https://attack.mitre.org/techniques/T1496/001/",),
    )
    params: ClassVar[Mapping[str, object]] = {}
    visit_s = 300.0
    many_indicators_count = 20

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per asset and indicator, or one for an asset that connects to whole lists."""
        for first, rows in candidates(candidates_rows, "asset"):
            asset = AssetRef("host", str(first["asset"]))
            found = _by_indicator(rows, facts)
            if len(found) > self.many_indicators_count:
                every = [row for _, cited in found.values() for row in cited]
                yield self._finding(asset, "many", every, 1.0, _many_sentence(asset.name, list(found)))
                continue
            for indicator, cited in found.values():
                yield self._one(asset, indicator, cited)

    def _one(self, asset: AssetRef, indicator: Indicator, rows: Sequence[Row]) -> Finding:
        visit = self._like_a_visit(rows)
        llr = 1.0
        if indicator.indicator_class == "pool_endpoint":
            rejected = _sum(rows, "rejected_count") == _sum(rows, "connections_count")
            llr = (3.0 if visit else 7.5) + ageing_llr(indicator, last_day(rows)) - (0.5 if rejected else 0.0)
        return self._finding(asset, indicator.value, rows, llr, _sentence(asset.name, indicator, rows, visit))

    def _like_a_visit(self, rows: Sequence[Row]) -> bool:
        if _sum(rows, "other_port_count"):
            return False
        if _sum(rows, "browser_count"):
            return True
        longest_s = max(number_of(row, "longest_s") for row in rows)
        return not _sum(rows, "unmeasured_count") and longest_s < self.visit_s

    def _finding(self, asset: AssetRef, key: str, rows: Sequence[Row], llr: float, because: str) -> Finding:
        names = {Observable("domain", name) for name in texts(rows, "name")}
        return build_finding(
            self.meta,
            fact_key=key,
            assets=(asset,),
            because=because,
            first_seen=min(instant(row["first_at"]) for row in rows),
            last_seen=max(instant(row["last_at"]) for row in rows),
            llr=llr,
            confidence=Confidence.HIGH if llr >= 5 else Confidence.MEDIUM if llr >= 2 else Confidence.LOW,
            severity=Severity.HIGH if llr >= 5 else Severity.MEDIUM if llr >= 2 else Severity.LOW,
            evidence=evidence_of(rows, SHOWN),
            evidence_count=_sum(rows, "connections_count"),
            observables=names | {Observable("ip", address) for address in texts(rows, "dst_ip")},
        )


def _by_indicator(rows: Sequence[Row], facts: Facts) -> Mapping[str, tuple[Indicator, list[Row]]]:
    found: dict[str, tuple[Indicator, list[Row]]] = {}
    for row in rows:
        indicator = facts.match_domain(str(row["name"]))
        if indicator is not None and indicator.indicator_class in ("pool_endpoint", "browser_miner"):
            found.setdefault(indicator.value, (indicator, []))[1].append(row)
    return dict(sorted(found.items()))


def _sum(rows: Sequence[Row], column: str) -> int:
    return sum({str(row["name"]): whole_of(row, column) for row in rows}.values())


def _sentence(asset: str, indicator: Indicator, rows: Sequence[Row], visit: bool) -> str:
    count = _sum(rows, "connections_count")
    what = "a mining pool's endpoint" if indicator.indicator_class == "pool_endpoint" else "a browser miner"
    longest_s = max(number_of(row, "longest_s") for row in rows)
    text = f"{asset} opened {count} connection{'s' if count > 1 else ''} that name{'s' if count == 1 else ''} "
    text += f"{some(texts(rows, 'name'))} as the server: {what} ({listed_by(indicator)})"
    text += f"; the longest lasted {format_duration(longest_s)}" if longest_s else ""
    text += "; a visit to the pool's page on that name would look the same" if visit else ""
    return text + "."


def _many_sentence(asset: str, values: list[str]) -> str:
    return (
        f"{asset} opened connections to {len(values)} different listed pools ({some(values)}); a miner is configured "
        "with a few, so this is most likely a proxy, a scanner or a job that checks lists."
    )
