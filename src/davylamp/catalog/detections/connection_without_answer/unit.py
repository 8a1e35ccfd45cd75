"""The detection `connection_without_answer`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import ClassVar

from davylamp.kit.addresses import NOT_PUBLIC
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, candidates, evidence_of, instant, number_of, whole_of
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import AssetRef, Finding, Observable, Technique
from davylamp.model.severity import Confidence, Severity
from davylamp.units import format_duration

SHOWN = ("time", "end_time", "src_ip", "dst_ip", "dst_port", "protocol", "bytes_out", "bytes_in", "server_name")
_WEB_PORTS = frozenset((80, 443))


class ConnectionWithoutAnswer(Detection):
    """A machine holds a connection to a public address that no DNS answer of its own explains.

    What it sees.
    Long or repeated TCP connections to a public address that was in no answer to the same asset in the 24 hours
    before, although the evidence holds that asset's DNS and it explains most of what else the asset dials.

    Why it matters.
    Miners with an address written into them, or with a resolver of their own, dial without asking. Most other
    software asks.

    How it decides.
    DNS evidence must be there and be telling: at least 20 answered questions of the asset (`answered_count`), half
    of all its questions answered, half of the public places it dials explained and at least 3 (`explained_count`),
    and it must begin an hour (`covered_s`) before the connection, the usual time to live of an answer. An answer
    explains a connection for 24 hours (`slack_s`, knowledge/detection.md 3). Only connections of 300 s (`long_s`)
    or five (`repeats_count`) over 300 s are reported, the five longest per asset (`most_per_asset_count`): a weak
    hint must not flood. Left out are private, link-local (instance metadata) and multicast addresses, name and time
    servers. The likelihood ratio (natural log) is 1.0; 0.5 where DNS evidence began less than 24 hours before (an
    older answer may still be cached) or where the port is 80 or 443, and 1.5 where neither holds and the connection
    lasted an hour. The numbers besides the 24 hours are judgement.

    What it misses.
    Addresses that another name explains; machines whose DNS is not in the evidence; UDP.

    What looks like it and is not.
    Addresses from configuration (monitoring, VPN peers, mirrors, administrators' SSH); peer-to-peer programs; names
    in the hosts file; answers kept longer than their time to live.

    What to do.
    See which process holds the connection and where its configuration has the address from.

    References.
    https://attack.mitre.org/techniques/T1496/001/
    """

    meta = DetectionMeta(
        uid="connection_without_answer",
        title="Lasting connection to an address no DNS answer explains",
        group="name",
        stage="mining",
        severity=Severity.LOW,
        techniques=(
            Technique("T1496.001", "Resource Hijacking: Compute Hijacking"),
            Technique("T1071", "Application Layer Protocol"),
        ),
        reads=("network_activity", "dns_activity"),
        references=("https://attack.mitre.org/techniques/T1496/001/",),
    )
    params: ClassVar[Mapping[str, object]] = {
        "not_public": NOT_PUBLIC,
        "answered_count": 20,
        "explained_count": 3,
        "covered_s": 3600,
        "slack_s": 86400,
        "long_s": 300,
        "repeats_count": 5,
        "most_per_asset_count": 5,
    }
    hour_s = 3600.0

    def could_look(self, facts: Facts) -> str:
        """Both classes are needed: absence says something only where DNS was recorded."""
        missing = [name for name in self.meta.reads if not facts.has_rows(name)]
        return f"no {missing[0]} evidence" if missing else ""

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per asset, address and port."""
        for first, rows in candidates(candidates_rows, "asset", "dst_ip", "dst_port"):
            longest_s = number_of(first, "longest_s")
            yield build_finding(
                self.meta,
                fact_key=f"{first['dst_ip']}:{first['dst_port']}",
                assets=(AssetRef("host", str(first["asset"])),),
                because=_sentence(first, longest_s),
                first_seen=instant(first["first_at"]),
                last_seen=instant(first["last_at"]),
                llr=self._llr(first, longest_s),
                confidence=Confidence.LOW,
                evidence=evidence_of(rows, SHOWN),
                evidence_count=whole_of(first, "connections_count"),
                observables=(Observable("ip", str(first["dst_ip"])),),
            )

    def _llr(self, row: Row, longest_s: float) -> float:
        covered = instant(row["first_at"]) - instant(row["covered_from"])
        if covered < timedelta(days=1) or row["dst_port"] in _WEB_PORTS:
            return 0.5
        return 1.5 if longest_s >= self.hour_s else 1.0


def _sentence(row: Row, longest_s: float) -> str:
    count = whole_of(row, "connections_count")
    covered = (instant(row["first_at"]) - instant(row["covered_from"])).total_seconds()
    return (
        f"{row['asset']} dialled {row['dst_ip']} port {row['dst_port']} {count} time{'s' if count > 1 else ''} "
        f"(longest {format_duration(longest_s)}); none of its DNS answers holds that address, and its DNS is known "
        f"since {format_duration(covered)} before."
    )
