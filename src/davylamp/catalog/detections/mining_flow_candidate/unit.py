"""The detection `mining_flow_candidate`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from davylamp.kit.addresses import NOT_PUBLIC
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, evidence_of, instant, number_of, whole_of
from davylamp.kit.findings import candidates as grouped
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import AssetRef, Finding, Observable, Technique
from davylamp.model.severity import Confidence, Severity
from davylamp.units import format_bytes, format_duration

LLR_SHAPE = 1.0
LLR_POOL_PORT = 0.7
LLR_LONG = 0.3
LONG_S = 6 * 3600.0


class MiningFlowCandidate(Detection):
    """A long, thin, steady connection that could be a miner's, as flow records show it.

    What it sees.
    Flow records without messages (VPC flow logs, NetFlow, Zeek's conn log): a TCP connection to a
    public address, open for more than an hour, a few bytes a second each way without pause, to a
    remote that hardly any other asset talks with. One-way records of both directions and the
    fragments a recorder cuts a connection into are put together first.

    Why it matters.
    Flow logs are often all there is. A list of the few connections worth a look saves a day.

    How it decides.
    Never more than a candidate: nothing in such records separates a miner from a keep-alive
    (detection.md 2.7), so LLR is 1, plus 0.7 on a port that pools use (threats.md, pool ports), plus
    0.3 from six hours on; at most 2, far under a posterior of 0.2. Longer than 3,600 s
    (`span_s_fewest`); bytes in at least half of the time (`covered_ratio_fewest`; measured for
    mining: 0.56 to 1); 3 to 270 bytes a second each way (`bytes_per_s_*`; measured 376 to 8,072 bytes
    a minute, doubled either way); at most 1,000 bytes a packet (measured 82 to 927); a coefficient
    of variation of the rate of at most 2.5 (measured 0.07 to 2.46); at most two assets with that
    remote (`assets_count_most`) and three candidates an asset: what half the fleet talks with is the
    fleet's own service, and a longer list is not read.

    What it misses.
    Pools on private addresses, relays that a fleet shares, connections that break within the hour,
    proxies whose traffic is larger, UDP.

    What looks like it and is not.
    Agents, chat, tunnels, message queues, remote shells left open: most candidates are one of these.

    What to do.
    Nothing on this alone. Look for a name, a process or CPU time that goes with it; capture a minute
    of packets, which `mining_dialogue` and `mining_message_rhythm` can judge.

    References.
    Knowledge base, detection methods 2.7, and threats, pool ports; ATT&CK T1496.001.
    """

    meta: ClassVar[DetectionMeta] = DetectionMeta(
        uid="mining_flow_candidate",
        title="A long, thin, steady connection",
        group="wire",
        stage="mining",
        severity=Severity.INFORMATIONAL,
        techniques=(Technique("T1496.001", "Resource Hijacking: Compute Hijacking"),),
        reads=("network_activity",),
        references=("https://attack.mitre.org/techniques/T1496/001/",),
    )
    params: ClassVar[Mapping[str, object]] = {
        "not_public": NOT_PUBLIC,
        "span_s_fewest": 3600.0,
        "covered_ratio_fewest": 0.5,
        "bytes_per_s_fewest": 3.0,
        "bytes_per_s_most": 270.0,
        "bytes_per_packet_most": 1000.0,
        "spread_ratio_most": 2.5,
        "assets_count_most": 2,
        "candidates_count_most": 3,
    }

    def judge(self, candidates: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One candidate finding per asset and remote endpoint."""
        for first, rows in grouped(candidates, "asset", "remote_ip", "remote_port"):
            yield self._finding(first, rows)

    def _finding(self, first: Row, rows: Sequence[Row]) -> Finding:
        remote = f"{first['remote_ip']}:{first['remote_port']}"
        span_s = max(number_of(row, "span_s") for row in rows)
        llr = LLR_SHAPE + LLR_POOL_PORT * bool(first["pool_port"]) + LLR_LONG * (span_s >= LONG_S)
        counts = {str(row["local_port"]): number_of(row, "records_count") for row in rows}
        return build_finding(
            self.meta,
            fact_key=remote,
            assets=[AssetRef("host", str(first["asset"]))],
            because=_because(first, remote, span_s),
            first_seen=min(instant(row["started_at"]) for row in rows),
            last_seen=max(instant(row["ended_at"]) for row in rows),
            llr=round(llr, 2),
            confidence=Confidence.LOW,
            severity=Severity.LOW if first["pool_port"] else Severity.INFORMATIONAL,
            evidence=evidence_of(rows, ("local_ip", "local_port", "remote_ip", "remote_port")),
            evidence_count=int(sum(counts.values())),
            observables=[
                Observable("ip", str(first["remote_ip"])),
                Observable("port", str(first["remote_port"])),
            ],
            entities=[f"ip:{first['remote_ip']}", f"remote:{remote}"],
        )


def _because(first: Row, remote: str, span_s: float) -> str:
    seconds = max(number_of(first, "span_s"), 1.0)
    sent, got = (format_bytes(number_of(first, name) / seconds * 60) for name in ("sent_bytes", "got_bytes"))
    shared = whole_of(first, "assets_count")
    text = (
        f"a connection with {remote} was open for {format_duration(span_s)} at a steady {sent} out and {got} in "
        f"a minute; {'no other asset talks' if shared < 2 else 'one other asset talks'} with that address"
    )
    return f"{text}; pools use that port" if first["pool_port"] else text
