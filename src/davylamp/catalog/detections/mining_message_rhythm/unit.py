"""The detection `mining_message_rhythm`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

from davylamp.catalog.detections.mining_message_rhythm.candidate import MET_OPEN, Candidate, read_candidate
from davylamp.catalog.detections.mining_message_rhythm.features import Shape
from davylamp.catalog.detections.mining_message_rhythm.model import LLR_FEWEST
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, evidence_of
from davylamp.kit.metadata import DetectionMeta
from davylamp.kit.processes import connection_assets, process_asset, process_observables, speaker_named
from davylamp.model.finding import Finding, Observable, Series, Technique
from davylamp.model.severity import Confidence, Severity
from davylamp.model.usage import ComputeUsage
from davylamp.units import format_duration

POINTS_MOST = 400
# Where the counts of the fits support an LLR of five and more, see "How it decides".
CLEAR_LLR = 5.3

CITED = ("src_ip", "src_port", "dst_ip", "dst_port", "tls_version", "server_name", "process_pid", "process_name")


class MiningMessageRhythm(Detection):
    """A connection whose messages come in the sizes and at the instants of a miner and its pool.

    What it sees.
    TCP connections, in clear or inside TLS 1.2 or 1.3, whose client sends messages of one or two
    sizes at memoryless instants, gets a short answer of one size to each, and whose server sends
    larger messages of one or two sizes that nobody asked for: shares, their answers, and jobs. Where the host's sensor
    may not listen to packets, it tells sizes and instants from the kernel's counters, asked ten times a second.

    Why it matters.
    A miner behind TLS, an unlisted name, a private proxy or port 443 shows neither its words nor a
    known address; sizes and instants stay visible. Variable difficulty keeps the share rate the same
    for a throttled miner, so this sees miners that a CPU threshold does not.

    How it decides.
    The opening (5 s, at most 12 messages) is left out where it was seen, and what TLS sends for itself: the closing
    alert and new keys. Every number is learned on the connection
    itself: the answer window is four times the quicker quarter's delay, sizes form classes by the
    smallest step (2, 8 or 32 bytes) that explains them, and a server message that no open request
    explains is a push. From four minutes on, a connection is judged with two requests and three pushes: ten
    minutes of a share in two minutes and a job a minute nearly always have them. The inputs
    (fixed pushes, answered requests, push and request size, memoryless gaps, echoes, pushes that
    crowd behind requests or take turns with them, messages under the 20 bytes that the shortest answer
    of any dialect has, and the weakest of these signs) are weighed by a ridge
    logistic regression fitted on emulated miners (seven dialects, share gaps of 3 to 120 s, seven
    transports, variable difficulty, throttling, proxy fan-in) against 26 kinds of emulated benign
    twins and 2,165 connections of public benign captures; `bench/fit_message_rhythm.py` computes the
    weights and prints recall and false positives for every cell and for every dialect, transport and
    twin held out. A finding needs a score of 2: there 91 % of the miners are caught (96 to
    99 % in clear and plain TLS, 71 % padded to 256 bytes), no connection of the benign captures, and
    7 of 2,147 judgeable benign ones (4 of them padded). The LLR is the score, clipped at 5.3:
    ln(recall / upper 95 % bound of false positives) for scores of 3 and more.
    Two simulators written apart, with shorter connections and other timings, gave what to expect
    elsewhere: 436 of 468 miners (93 %; 95 % interval 91 to 95) of ten minutes and more, 120 of 162 of five
    minutes, and of 1,740 connections of 58 benign kinds 2 (0.1 %), but all 30 of the one kind that is
    told below not to be told apart. Other seeds of that simulator were looked at while features were
    chosen, and four of its kinds stand in another form among the 26.
    Before it is weighed, half of four pushes and more must repeat one of three sizes (no emulated miner that is caught
    has under 60 %); the figures above are without this rule. It was found with a simulator of a language server, whose
    few requests are of one size and whose notices are of any.
    A look under four minutes (`davylamp scan host` watches a suspect's connection for one) has a model of its own,
    judged from 12 s with three requests of one size and two pushes. Few messages prove nothing one by one, so the
    same signs are also taken together: one size asked, each answered by one short size, one larger size that nobody
    asked for, at no fixed delay after a request, and gaps whose distance from an exponential is that of so few
    (Lilliefors). `bench/fit_message_brief.py` fits it on looks of 20 s to 4 minutes, four of five begun in the
    middle, and measures it on other seeds, at a score of 2: from 45 s on, 4,555 of 4,688 judgeable mining looks (of
    5,349) are caught and 15 of 8,855 judgeable benign ones mistaken; below, 989 of 1,092 (of 2,651) and 19 of 903.
    Of minutes with shares 2 to 6 s and jobs 10 to 60 s apart 1,074 of 1,190 are caught; of the public benign
    captures, whole or cut to such looks, none is mistaken. The LLR is the score, clipped at 6.0 from 45 s on, where
    scores of 6 and more support 6.6 and those of 2 to 4 together 4.0 (`BRIEF_LLR_LEAST`: none says less than 3.5),
    and at 3.3 below; how long was looked is told from the first and the last message and their number
    (`looked_for_s`), since the first share of a minute's look comes seconds after its beginning. Where no byte of
    content was seen, as with counters, whether TLS adds 22 to each size is unknown: it is clipped at 3.6
    (`SIZES_ALONE_LLR_MOST`, measured by `bench/measure_sizes_alone.py`). 22 of the 34 mistakes are answers in two
    parts.
    Stratum version 2 needs no TLS and its messages are shorter than any in JSON, so it is not weighed: a connection
    that opens by Noise as its specification says (64 bytes, then 234, none of them readable), whose frames are all
    38 bytes longer than a message can be short, with two shares of one of its sizes and two jobs, has LLR 5.3 (of
    2,157 connections of the public captures none opens so).
    That most benign connections cannot be judged at all is not credited: a host has many of them.
    Connections over 20 kB/s are not looked at: 256 miners behind one proxy stay under 8 kB/s.

    What it misses.
    A look into which one push fell, or none: under four minutes two are needed, from there on three, and below that
    nothing is judged, however many shares there are (jobs come 10 to 60 s apart, so 20 s often hold one). A short
    connection at slow shares (8 of 24 caught at five minutes and a share in two; a minute needs three shares); work
    that is polled and never pushed (HTTP getwork: `mining_dialogue` reads it where it is clear); a client that
    answers every job at once (an old bfgminer did, in clear); blanks of random number before line ends, which blur
    sizes (a quarter of such connections); polls and jobs on timers that beat together, which look like answers in
    two parts; Stratum version 2 from the middle on; dummy traffic. It needs message sizes and times, so flow logs
    do not feed it.

    What looks like it and is not.
    MQTT with subscriptions (tiny acknowledgements, publishing on a timer, pushes acknowledged by the
    client), event counters with fixed answers (nothing comes unasked, or
    only as the second part of an answer), tickers and watches (the
    client only pings on a timer), health checks and monitoring agents (timers), chat (sizes vary).
    Clear text that names another protocol, or is readable and holds no word of mining, is left out.
    Nodes that encrypt among themselves (BIP 324) may open with as many bytes, not with such frames.
    Brokers with confirms, web sockets with keep-alives and games send messages that are too short for a
    miner, or take turns.
    A sensor or key-value store that writes fixed events at random instants, gets a receipt of JSON's length for
    each and fixed commands of another size, all without heartbeats or frames of a few bytes,
    cannot be told from a miner by its rhythm; the second evidence group has to.

    What to do.
    Ask the host which process owns the connection and how much CPU it takes. Look for the remote in
    DNS answers and TLS names. Where the process is unknown, keep its binary and its parent before
    ending it, and close the way it came in first.

    References.
    Knowledge base, detection methods 2.3, 2.4 and 2.9; CJ-Sniffer and XMR-Ray (doi
    10.1186/s13635-021-00126-1) for rhythm as evidence; ATT&CK T1496.001.
    """

    meta: ClassVar[DetectionMeta] = DetectionMeta(
        uid="mining_message_rhythm",
        title="Messages have the rhythm of mining",
        group="wire",
        stage="mining",
        severity=Severity.HIGH,
        techniques=(Technique("T1496.001", "Resource Hijacking: Compute Hijacking"),),
        reads=("network_activity",),
        references=("https://attack.mitre.org/techniques/T1496/001/", "https://doi.org/10.1186/s13635-021-00126-1"),
    )
    params: ClassVar[Mapping[str, object]] = {"bytes_per_s_most": 20000}

    def judge(self, candidates: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per client (its process, where known) and remote endpoint, on its best connection."""
        best: dict[tuple[str, str, int, str], list[Candidate]] = {}
        for row in candidates:
            found = read_candidate(row)
            if found is not None and found.score >= LLR_FEWEST:
                process = process_asset(row).name if isinstance(row.get("process_pid"), int) else ""
                best.setdefault((found.asset, found.remote_ip, found.remote_port, process), []).append(found)
        for key in sorted(best):
            told = _last_told(best[key])
            yield self._finding(sorted(told, key=lambda found: (-found.llr, -found.score, found.started_at)))

    def _finding(self, found: Sequence[Candidate]) -> Finding:
        first = found[0]
        started_at = min(one.started_at for one in found)
        ended_at = max(one.ended_at for one in found)
        usage = ComputeUsage(
            model="stolen",
            asset=first.asset,
            started_at=started_at,
            ended_at=ended_at,
            basis="a connection with the rhythm of mining was seen; nothing measured how much of the machine it took",
        )
        return build_finding(
            self.meta,
            fact_key=f"{first.remote_ip}:{first.remote_port}",
            assets=connection_assets(first.asset, first.row),
            because=_because(first, len(found)),
            first_seen=started_at,
            last_seen=ended_at,
            llr=round(first.llr, 2),
            confidence=Confidence.MEDIUM if first.score >= CLEAR_LLR else Confidence.LOW,
            severity=Severity.HIGH if first.score >= CLEAR_LLR else Severity.MEDIUM,
            evidence=evidence_of([one.row for one in found], CITED),
            evidence_count=len(found),
            observables=_observables(first),
            entities=[f"ip:{first.remote_ip}", f"remote:{first.remote_ip}:{first.remote_port}"],
            compute=[usage],
            series=[_series(first)],
        )


def _last_told(found: Sequence[Candidate]) -> Iterator[Candidate]:
    """A sensor that goes on tells a connection again from its beginning: its last word holds the others."""
    last: dict[object, Candidate] = {}
    for number, each in enumerate(sorted(found, key=lambda one: one.ended_at)):
        last[each.row["src_port"] if each.row.get("state") == MET_OPEN else f"connection {number}"] = each
    yield from last.values()


def _observables(found: Candidate) -> Iterator[Observable]:
    yield Observable("ip", found.remote_ip)
    yield Observable("port", str(found.remote_port))
    yield from sorted(process_observables(found.row))
    if found.row.get("server_name"):
        yield Observable("domain", str(found.row["server_name"]))


def _because(found: Candidate, connections_count: int) -> str:
    shape = found.shape
    named = f" ({found.row['server_name']})" if found.row.get("server_name") else ""
    text = (
        f"{speaker_named(found.asset, found.row)} and {found.remote_ip}:{found.remote_port}{named} talked for "
        f"{format_duration(shape.duration_s)} in the rhythm of a miner and its pool: {shape.two_sizes_out_ratio:.0%} "
        f"of the client's messages have one of two sizes, {shape.push_ratio:.0%} of the server's "
        f"{shape.answer_count + shape.push_count} messages came unasked, {_gaps_sentence(shape)}"
        f"{'; it opened as Stratum version 2 does and has its frames' if found.stratum_v2 else ''}"
    ).replace("%", " %")
    return text if connections_count == 1 else f"{text}; {connections_count - 1} more connections do the same"


def _gaps_sentence(shape: Shape) -> str:
    if shape.gap_count == 0:
        return "too few shares to time their gaps"
    if 0.5 <= shape.gap_cv <= 1.8:
        return f"gaps between shares are memoryless (CV {shape.gap_cv:.2f}; a timer's is near 0)"
    return f"gaps between requests have CV {shape.gap_cv:.2f}"


def _series(found: Candidate) -> Series:
    """The first messages without gaps: every nth of them would show another rhythm."""
    times_s, sizes = found.times_s[:POINTS_MOST], found.sizes_bytes[:POINTS_MOST]
    return Series("rhythm", tuple(round(moment_s, 3) for moment_s in times_s), tuple(float(size) for size in sizes))
