"""The detection `mining_dialogue`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from davylamp.catalog.detections.mining_dialogue.verdict import DIALECT_NAMES, TEMPLATES_FEWEST, Verdict, judge_payloads
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, evidence_of, instant
from davylamp.kit.metadata import DetectionMeta
from davylamp.kit.processes import connection_assets, process_asset, process_observables, speaker_named
from davylamp.model.finding import Finding, Observable, Technique
from davylamp.model.severity import Confidence, Severity
from davylamp.model.usage import ComputeUsage

LLR_WHOLE = 9.0
LLR_SHARE = 6.0
LLR_ATTEMPT = 4.0
NAMES_MOST = 20
CITED = ("src_ip", "src_port", "dst_ip", "dst_port", "process_pid", "process_name")


@dataclass(frozen=True)
class _Seen:
    row: Row
    verdict: Verdict
    asset: str
    local_ip: str
    remote_ip: str
    remote_port: int
    started_at: datetime
    ended_at: datetime

    @property
    def process(self) -> str:
        """The process that speaks as the client, empty where nothing says."""
        known = self.verdict.client_is_source and isinstance(self.row.get("process_pid"), int)
        return process_asset(self.row).name if known else ""


class MiningDialogue(Detection):
    """A miner and its pool heard talking in clear text.

    What it sees.
    The first bytes of a connection, read as JSON: Bitcoin-style stratum (also as Zcash and NiceHash
    write it), the CryptoNote dialect (`login`, `job`, `submit`, `keepalived`), the Ethereum family
    (`eth_submitLogin`, `eth_getWork`, `eth_submitWork`), Grin's form of it, and `getwork` or
    `getblocktemplate` over HTTP.

    Why it matters.
    Nothing else speaks so. A complete dialogue is a fact: it alone raises an incident. It names the
    worker or wallet that is paid and the program that mines.

    How it decides.
    On the sequence and on the shape of parameters, never on a method's name alone. Complete is: a
    job of unmistakable shape from the server (a notify with a 32-byte hash; a blob of 64 digits and
    more with target and job id), also where the capture began in the middle; a subscription and
    its answer; two shares with session id, nonce and 32-byte result where the server names no jobs of
    another kind; two Ethereum shares; work asked for and given, or given twice with one seed or
    boundary (a node gives lists of hashes, too). A block template counts from the second one (`TEMPLATES_FEWEST`)
    or when it is asked for a wallet: one alone has LLR 4, and none where the same connection asks for two things that
    only those want who look after a node (peers, memory pool, traffic; `WATCHING_METHODS_FEWEST`). At least 60 % of
    both directions' bytes must be such objects (`JSON_RATIO_FEWEST`: a line protocol is nothing but
    objects, a page that quotes one is mostly prose), no direction may speak both parts, and stratum
    inside an HTTP answer does not count. LLR 9 when complete: no such sequence in 2,470 connections
    of public benign captures, which alone would support ln(2470 / 3) = 6.7; the rest is that the
    shapes carry 32-byte digests under the dialect's own names. An attempt without an answer (a
    subscribe, a login with a wallet, an unanswered getwork) is no fact and has LLR 4; one share of
    unmistakable shape, heard without its job as in a short look at a host, 6 (none in the same captures).

    What it misses.
    TLS and stratum version 2 (`mining_message_rhythm` sees their rhythm); web-socket frames from the
    client, which are masked; bodies compressed by HTTP; a first job beyond the first 8 KiB; captures
    cut to headers.

    What looks like it and is not.
    JSON-RPC services with methods `login`, `submit` or `job` whose parameters hold no blob, nonce
    and digest; pages, mails and logs that quote a dialogue; a node's own inventory chatter; an
    exporter of a node's figures. One that polls `getblocktemplate` and nothing else, or each time on another
    connection, does speak this dialogue: declare that host.

    What to do.
    Find the process that owns the connection and how it was started; keep binary, parent and command
    line; then end it and close its way in. Search the worker and wallet in other evidence.

    References.
    Knowledge base, detection methods 2.2 and 2.8; ATT&CK T1496.001.
    """

    meta: ClassVar[DetectionMeta] = DetectionMeta(
        uid="mining_dialogue",
        title="A miner talks with its pool in clear text",
        group="wire",
        stage="mining",
        severity=Severity.CRITICAL,
        techniques=(Technique("T1496.001", "Resource Hijacking: Compute Hijacking"),),
        reads=("network_activity",),
        references=(
            "https://attack.mitre.org/techniques/T1496/001/",
            "https://en.bitcoin.it/wiki/Stratum_mining_protocol",
        ),
    )

    def judge(self, candidates: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per client and remote endpoint; per process where the host's own sensor saw who held it."""
        groups: dict[tuple[str, str, int, str], list[_Seen]] = {}
        for row in candidates:
            seen = _seen(row)
            if seen is not None:
                groups.setdefault((seen.asset, seen.remote_ip, seen.remote_port, seen.process), []).append(seen)
        for key in sorted(groups):
            yield self._finding(sorted(groups[key], key=lambda seen: (not seen.verdict.whole, seen.started_at)))

    def _finding(self, seen: Sequence[_Seen]) -> Finding:
        first = seen[0]
        whole = _is_whole(seen)
        started_at = min(one.started_at for one in seen)
        ended_at = max(one.ended_at for one in seen)
        usage = ComputeUsage(
            model="stolen",
            asset=first.asset,
            started_at=started_at,
            ended_at=ended_at,
            basis="a mining dialogue was seen; nothing measured which share of the machine it took",
        )
        return build_finding(
            self.meta,
            fact_key=f"{first.remote_ip}:{first.remote_port}",
            assets=connection_assets(first.asset, first.row, first.verdict.client_is_source),
            title=None if whole else _title(first.verdict),
            because=_because(seen),
            first_seen=started_at,
            last_seen=ended_at,
            llr=LLR_WHOLE if whole else LLR_SHARE if first.verdict.shares_count else LLR_ATTEMPT,
            confidence=Confidence.HIGH if whole else Confidence.MEDIUM,
            severity=Severity.CRITICAL if whole else Severity.MEDIUM,
            fact=whole,
            evidence=evidence_of([one.row for one in seen], CITED),
            evidence_count=len(seen),
            observables=_observables(seen),
            entities=[
                f"ip:{first.local_ip}",
                f"ip:{first.remote_ip}",
                f"remote:{first.remote_ip}:{first.remote_port}",
            ],
            compute=[usage] if whole else [],
        )


def _is_whole(seen: Sequence[_Seen]) -> bool:
    """Whether one connection is complete, or several together: a node closes an idle one before the next poll."""
    return seen[0].verdict.whole or sum(one.verdict.templates_count for one in seen) >= TEMPLATES_FEWEST


def _title(verdict: Verdict) -> str:
    if verdict.shares_count:
        return "Shares handed in"
    return "A block template asked for" if verdict.templates_count else "An attempt to open a mining dialogue"


def _seen(row: Row) -> _Seen | None:
    verdict = judge_payloads(_bytes(row.get("payload_out")), _bytes(row.get("payload_in")))
    if verdict is None:
        return None
    local, remote = ("src", "dst") if verdict.client_is_source else ("dst", "src")
    asset = row.get("asset") if verdict.client_is_source else row.get("peer_asset")
    port = row.get(f"{remote}_port")
    started_at = instant(row["time"])
    return _Seen(
        row=row,
        verdict=verdict,
        asset=str(asset or row[f"{local}_ip"]),
        local_ip=str(row[f"{local}_ip"]),
        remote_ip=str(row[f"{remote}_ip"]),
        remote_port=port if isinstance(port, int) else 0,
        started_at=started_at,
        ended_at=instant(row["end_time"]) if row.get("end_time") else started_at,
    )


def _bytes(value: object) -> bytes:
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else b""


def _names(seen: Sequence[_Seen], what: str) -> list[str]:
    return list(dict.fromkeys(name for one in seen for name in getattr(one.verdict, what)))[:NAMES_MOST]


def _observables(seen: Sequence[_Seen]) -> list[Observable]:
    first = seen[0]
    found = [Observable("ip", first.remote_ip), Observable("port", str(first.remote_port))]
    found += process_observables(first.row) if first.verdict.client_is_source else set()
    found += [Observable("user_name", name) for name in _names(seen, "logins")]
    found += [Observable("user_agent", name) for name in _names(seen, "agents")]
    return found


def _because(seen: Sequence[_Seen]) -> str:
    first = seen[0]
    verdict = first.verdict
    words = ", ".join(
        dict.fromkeys(word for one in seen if one.verdict.whole == verdict.whole for word in one.verdict.words)
    )
    remote = f"{first.remote_ip}:{first.remote_port}"
    speaker = speaker_named(first.asset, first.row, verdict.client_is_source)
    dialect = DIALECT_NAMES[verdict.dialect]
    counted = f" ({len(seen)} connections)" if len(seen) > 1 else ""
    if _is_whole(seen):
        return _told_whole(
            seen, f"{speaker} spoke to a mining pool in clear text: {dialect} with {remote}{counted}", words
        )
    if verdict.templates_count:
        return f"{speaker} asked {remote} once for a block template, as a miner's first question does ({words})"
    if verdict.shares_count:
        return (
            f"{speaker} handed in shares in {dialect} to {remote}{counted}; no job was heard in what was kept "
            f"of it ({words})"
        )
    return f"{speaker} tried to speak {dialect} with {remote}{counted} and was not answered as a pool would ({words})"


def _told_whole(seen: Sequence[_Seen], lead: str, words: str) -> str:
    jobs = sum(one.verdict.jobs_count for one in seen)
    shares = sum(one.verdict.shares_count for one in seen)
    return (
        f"{lead}, {jobs} job{'s' if jobs != 1 else ''} and {shares} share{'s' if shares != 1 else ''} "
        f"in what was kept of it ({words})"
    )
