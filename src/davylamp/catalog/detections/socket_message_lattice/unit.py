"""The detection `socket_message_lattice`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

from davylamp.catalog.detections.socket_message_lattice.lattice import FINE_STEP_S, Lattice, Reading, lattice_of
from davylamp.catalog.detections.socket_message_lattice.model import (
    COARSE_LLR_MOST,
    FINE_LLR_MOST,
    LLR_FEWEST,
    judgeable,
    score,
)
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import candidates, instant
from davylamp.kit.metadata import DetectionMeta
from davylamp.kit.processes import process_finding, process_named
from davylamp.model.finding import Finding, Observable, Series, Technique
from davylamp.model.severity import Severity
from davylamp.units import format_duration

CITED = ("lineage", "container_uid", "dst_ip", "dst_port", "bytes_out", "bytes_in", "segments_out", "segments_in")
POINTS_MOST = 400
# What is cited of a connection; the rest is counted.
CITED_MOST = 20


class SocketMessageLattice(Detection):
    """The kernel's counters of one connection grow by a share, its answer and a job, and by nothing else.

    What it sees.
    For each outgoing TCP connection of a process how many bytes and segments it has carried each way, and how long ago
    the last went each way, whenever that was looked at (`socket_usage`): each second in a look at a host, up to ten
    seconds apart in the watch. No packet is needed, and nothing of the content.

    Why it matters.
    Packets may not be captured (no CAP_NET_RAW, another network namespace, a busy link), TLS hides the words and a
    private proxy the address. The counters cost nothing and are always there, and what a miner and its pool say are
    three sizes: what such counters gain are few sums.

    How it decides.
    Sizes are learned on the connection: the commonest size sent, the commonest answer in looks with as many
    segments each way, and up to two sizes of what came while no request stood open. A gain is explained where it is
    a sum of as many of them as it has segments (within 4 bytes each, for counters and nonces that grow). Judged
    from 15 s with three requests and two pushes. The inputs (what is explained, what repeats, a job larger than an
    answer, sizes, gaps without memory by Lilliefors' distance or, in longer looks, by the dispersion of their
    counts, pushes at one delay after a request or in its look, sizes below any object of a mining dialect, and all
    of these together) are weighed by ridge logistic regressions, one for looks each second or two and one for
    longer ones; `bench/fit_message_lattice.py` computes them on emulated miners (seven dialects, shares 2 to 20 s
    apart, clear and TLS) and 26 kinds of benign twins, looked at for 20 s to 5 minutes from the middle on, and
    measures on other seeds. Each second or two, a score of 2 catches 2,105 of 3,279 judgeable mining looks (of
    4,823; 592 of 907 in a minute at one a second) and mistakes 73 of 5,761 benign ones; each 5 or 10 s, 1,228 of
    1,817 and 80 of 2,427. The LLR is the score, clipped at 4.0 and 2.5: ln(recall / upper 95 % bound of false
    alarms) is 4.3 for scores of 4 and more, and 2.8 for those of 2 and more in longer looks. Four fifths of the
    mistakes are answers in two parts, leases on timers and late answers. Above 20 kB/s a connection is not looked
    at (`bytes_per_s_most`, as in `mining_message_rhythm`).

    What it misses.
    Fewer than three shares and two jobs in the look: a look into which one push fell, or none, is not judged,
    however many shares it holds (jobs come 10 to 60 s apart, so 20 s often hold one); shares in two segments
    (Zcash's 2.8 kB); padding and blanks of random number; two dialogues in one connection (a proxy with several
    miners speaks too densely for looks of ten seconds); connections without an owner that the sensor could see.

    What looks like it and is not.
    Answers in two parts (the second follows its request), leases and watches on timers, tickers and health checks
    (nothing is asked, or by the clock), MQTT and brokers (receipts of a few bytes). Inside TLS the counters do not tell
    22 bytes of overhead from content, so receipts are told apart less well than with packets. A store that writes fixed
    events at random instants and hears of fixed changes cannot be told from a miner by its counters; what the process
    computes has to (`steady_compute_thin_socket`).

    What to do.
    Ask what the process is for. `davylamp scan host --observe 60s` as root looks at the packets as well. Keep its
    image and its parents before ending it.

    References.
    Knowledge base, detection methods 2.3 to 2.5; Linux tcp_info (include/uapi/linux/tcp.h); ATT&CK T1496.001.
    """

    meta: ClassVar[DetectionMeta] = DetectionMeta(
        uid="socket_message_lattice",
        title="A connection's counters grow by a miner's messages",
        group="wire",
        stage="mining",
        severity=Severity.MEDIUM,
        techniques=(Technique("T1496.001", "Resource Hijacking: Compute Hijacking"),),
        reads=("socket_usage", "process_activity"),
        references=("https://attack.mitre.org/techniques/T1496/001/",),
    )
    params: ClassVar[Mapping[str, object]] = {
        "readings_least_count": 6,
        "readings_most_count": 600,
        "bytes_per_s_most": 20000,
    }

    def could_look(self, facts: Facts) -> str:
        """A sensor that met no connection has looked."""
        looked = any(map(facts.has_rows, ("socket_usage", "listening_port")))
        return "" if looked else "no socket_usage evidence"

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per process and remote endpoint, on its best connection."""
        best: dict[tuple[object, ...], tuple[float, Lattice, Sequence[Row]]] = {}
        columns = ("asset", "process_pid", "process_started_at", "socket_uid")
        for first, rows in candidates(candidates_rows, *columns):
            ordered = sorted(rows, key=lambda row: instant(row["time"]))
            lattice = lattice_of(list(_readings(ordered)))
            if lattice is None or not judgeable(lattice):
                continue
            said = score(lattice)
            key = tuple(str(first.get(name)) for name in (*columns[:3], "dst_ip", "dst_port"))
            if said >= LLR_FEWEST and (key not in best or said > best[key][0]):
                best[key] = (said, lattice, ordered)
        for _, (said, lattice, readings) in sorted(best.items(), key=lambda item: item[0]):
            yield self._finding(said, lattice, readings)

    def _finding(self, said: float, lattice: Lattice, rows: Sequence[Row]) -> Finding:
        first = rows[0]
        remote = (str(first["dst_ip"]), str(first["dst_port"]))
        most = FINE_LLR_MOST if lattice.step_s <= FINE_STEP_S else COARSE_LLR_MOST
        return process_finding(
            self.meta,
            rows[:CITED_MOST],
            because=_sentence(first, lattice),
            llr=min(said, most),
            fact_key=f"{remote[0]}:{remote[1]}",
            columns=CITED,
            evidence_count=len(rows),
            observables=[Observable("ip", remote[0]), Observable("port", remote[1])],
            entities=[f"ip:{remote[0]}", f"remote:{remote[0]}:{remote[1]}"],
            series=[_series(rows)],
        )


def _readings(rows: Sequence[Row]) -> Iterator[Reading]:
    """Readings in order of time; one whose counters fell is of another connection and is left out."""
    begun_at = instant(rows[0]["time"])
    out = back = 0
    for row in rows:
        reading = Reading(
            at_s=(instant(row["time"]) - begun_at).total_seconds(),
            out_bytes=_whole(row["bytes_out"]) or 0,
            in_bytes=_whole(row["bytes_in"]) or 0,
            out_count=_whole(row["segments_out"]),
            in_count=_whole(row["segments_in"]),
            sent_ago_s=_seconds(row["last_sent_ago_s"]),
            received_ago_s=_seconds(row["last_received_ago_s"]),
        )
        if reading.out_bytes >= out and reading.in_bytes >= back:
            out, back = reading.out_bytes, reading.in_bytes
            yield reading


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e9 else None


def _sentence(first: Row, lattice: Lattice) -> str:
    return (
        f"{process_named(first)} and {first['dst_ip']}:{first['dst_port']} for {format_duration(lattice.duration_s)}: "
        f"{lattice.explained_ratio:.0%} of what the connection's counters gained are sums of {lattice.share_bytes} "
        f"bytes sent ({lattice.share_count} times), {lattice.answer_bytes} in answer and {lattice.job_bytes} that "
        f"nobody asked for ({lattice.push_count} times), as a miner's shares and a pool's jobs are"
    ).replace("%", " %")


def _series(rows: Sequence[Row]) -> Series:
    """Payload both ways since the first reading."""
    begun_at = instant(rows[0]["time"])
    base = (_whole(rows[0]["bytes_out"]) or 0) + (_whole(rows[0]["bytes_in"]) or 0)
    shown = rows[:POINTS_MOST]
    return Series(
        "connection bytes",
        tuple(round((instant(row["time"]) - begun_at).total_seconds(), 3) for row in shown),
        tuple(float((_whole(row["bytes_out"]) or 0) + (_whole(row["bytes_in"]) or 0) - base) for row in shown),
    )
