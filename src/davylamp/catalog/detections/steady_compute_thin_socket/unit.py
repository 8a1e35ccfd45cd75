"""The detection `steady_compute_thin_socket`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from davylamp.catalog.detections.steady_compute_thin_socket.shape import WORKERS_NAMED_COUNT, Shape, shape_of
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import candidates
from davylamp.kit.metadata import DetectionMeta
from davylamp.kit.processes import (
    parents_said,
    process_asset,
    process_finding,
    process_named,
    process_observables,
    process_started_at,
)
from davylamp.model.finding import Finding, Observable, Technique
from davylamp.model.severity import Severity
from davylamp.units import format_duration

CITED = ("lineage", "container_uid", "cpu_user_s", "cpu_system_s", "transferred_bytes", "dst_ip", "dst_port")
LLR_LASTING = 5.5
LLR_MEASURED = 5.0
LLR_BYTES_NOT_SEEN = 4.0
LLR_SILENT = 3.5
LLR_ONE_WAY = 3.0
# Who burns is another program, which the one that talks has started.
LLR_STARTED, TIE_STARTED = 4.0, 2


class SteadyComputeThinSocket(Detection):
    """A process burns CPU, moves next to no bytes, and keeps one quiet connection open all the while.

    What it sees.
    For each process: CPU time in user mode, bytes through files, pipes and sockets and bytes of storage for each second
    of CPU, and the outgoing connections it holds, with the kernel's own counters. One that burns and holds no
    connection counts with the nearest of its kin that does, its parent or its grandparent (a shell may stand between),
    together with the others of its program; the finding names all of them.

    Why it matters.
    A miner may take another name, another port and another list's unknown pool, may wrap itself in TLS and throttle
    itself; it cannot stop computing, and it cannot stop hearing of new work. What it computes goes nowhere: tens of
    bytes a second for whole cores. That is the best single feature of a host, and does not depend on names or level.

    How it decides.
    Over the last ten minutes of a process (`look_back_s`: one that idled for hours and then began is seen), looked at
    for at least 12 s (`seconds_least`) in at least 8 windows (`windows_count`): below that a start-up looks the same.
    At least a twentieth of one CPU (`cpu_least_ratio`; a miner throttled to a tenth of a core earns cents a month,
    knowledge base, cost; time in which it was ready and waited for a CPU counts too, since throttled to 30 % one got
    2 to 8 % of a CPU that many wanted; `cpu_given_least_ratio`, 1 %, is what the sensor takes windows of), 85 % of it
    in user mode (`user_least_ratio`: hashing calls the kernel for nothing; our emulations are at 97 to 100 %), and at
    most 20 kB for a second of CPU (`bytes_per_cpu_s_most`: the published mining flows carry 9 to 140 bytes a second,
    so a miner throttled to a tenth of a core stays below 1.4 kB; what the program reads in the first five seconds of
    its life is left out; compression, encoding, compilation and databases move megabytes). One connection that was
    open all the time, carried something both ways in its life, and in the window no more than 400 bytes a second
    (`thin_bytes_per_s`, the limit of the published rule, detection methods 2.4). A process with more than four
    outgoing connections (`connections_most_count`) is a peer or a service. Level, plateau and duty cycle are not
    asked: throttling changes them at will. The likelihood ratio (natural log) is 5: of benign machines a few in a
    thousand run a lasting computation that reports over a quiet connection (executors with a heartbeat, training with
    a metrics upload). It is 5.5 where it was seen for 55 s (`lasting_least_s`), more than half a core of it, bytes
    seen, and its one connection spoke both ways in that time: a build's step, a query or a request's worker ends
    within a minute, a driver's link and a database client stay silent, and a service holds more connections than one;
    what is left are the executors, so it is not much more. No figure of public machines backs either number: they are
    judgement, and neither makes an incident without evidence of another kind. It is 4 where the bytes could not be
    seen (another user's process), and where another program started what burns and talks (agents of build and job
    services do so all day), 3.5 where nothing moved on the connection in the window (an idle client of a database, a
    driver's link), 3 where it has never carried anything back.

    What it misses.
    A miner whose talk goes through another program that has not started it and that it reaches by other ways than a
    connection (a pipe, shared memory); workers that live for seconds each; one that shares a process with a busy
    server; GPU mining, which burns no CPU; less than a twentieth of a core. What the connection says is not
    weighed: one message in the look is "it moved". Whether those are shares and jobs the detections of messages
    judge, and they need two pushes in the look; where one fell into it, this finding stands alone and is no
    incident.

    What looks like it and is not.
    Executors of Spark, Ray and Dask, BOINC and Folding clients, training that reports to a tracker, a debugger's
    target: steady computation with a heartbeat. Their beats are periodic, their messages vary; `socket_message_lattice`
    and `mining_message_rhythm` tell that apart, and without them this finding alone is no incident.

    What to do.
    Ask what the process is for. If nobody knows: keep its image (`/proc/PID/exe`), its command line and its parents;
    then freeze it (`kill -STOP PID`) and look at what it talks to.

    References.
    Knowledge base, detection methods 2.3, 2.4 and 4.2; https://attack.mitre.org/techniques/T1496/001/
    """

    meta: ClassVar[DetectionMeta] = DetectionMeta(
        uid="steady_compute_thin_socket",
        title="Computes much, moves nothing, keeps one quiet connection",
        group="host_cpu",
        stage="mining",
        severity=Severity.HIGH,
        techniques=(Technique("T1496.001", "Resource Hijacking: Compute Hijacking"),),
        reads=("process_usage", "socket_usage", "process_activity"),
        references=("https://attack.mitre.org/techniques/T1496/001/",),
    )
    params: ClassVar[Mapping[str, object]] = {
        "windows_count": 8,
        "cpu_least_ratio": 0.05,
        "cpu_given_least_ratio": 0.01,
        "windows_most_count": 600,
        "look_back_s": 600,
    }
    seconds_least = 12.0
    user_least_ratio = 0.85
    bytes_per_cpu_s_most = 20_000.0
    thin_bytes_per_s = 400.0
    connections_most_count = 4
    lasting_least_s = 55.0
    lasting_cpu_ratio = 0.5

    def could_look(self, facts: Facts) -> str:
        """A sensor that met nobody who burns, or no connection, has looked; a log of commands has not."""
        sensed = ("process_usage", "socket_usage", "listening_port")
        return "" if any(map(facts.has_rows, sensed)) else "no process_usage and no socket_usage evidence"

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per process, and one for those of a program that one parent started and that talk to one end."""
        alike: dict[tuple[object, ...], list[Finding]] = {}
        for first, rows in candidates(candidates_rows, "asset", "process_pid", "process_started_at", "team_name"):
            shape = shape_of(rows)
            if shape is not None and self._is_miner_like(shape):
                alike.setdefault(_pool_of_workers(first, shape), []).append(self._finding(first, rows, shape))
        for findings in alike.values():
            yield _as_one(findings)

    def _is_miner_like(self, shape: Shape) -> bool:
        return (
            shape.length_s >= self.seconds_least
            and shape.user_ratio >= self.user_least_ratio
            and shape.bytes_per_cpu_s <= self.bytes_per_cpu_s_most
            and shape.connections_count <= self.connections_most_count
            and shape.thin is not None
            and shape.thin_bytes_per_s <= self.thin_bytes_per_s
        )

    def _lasts(self, shape: Shape) -> bool:
        return (
            shape.length_s >= self.lasting_least_s
            and shape.cpu_ratio > self.lasting_cpu_ratio
            and shape.connections_count == 1
            and shape.talked
        )

    def _finding(self, first: Row, rows: Sequence[Row], shape: Shape) -> Finding:
        assert shape.thin is not None
        remote = (str(shape.thin["dst_ip"]), str(shape.thin["dst_port"]))
        llr = LLR_MEASURED if shape.bytes_seen else LLR_BYTES_NOT_SEEN
        if shape.bytes_seen and self._lasts(shape):
            llr = LLR_LASTING
        if not shape.moved:
            llr = LLR_SILENT
        if not shape.answered:
            llr = LLR_ONE_WAY
        if shape.tie >= TIE_STARTED:
            llr = min(llr, LLR_STARTED)
        found = process_finding(
            self.meta,
            [shape.thin, *(row for row in rows if row["kind"] == "window")],
            because=_sentence(first, shape),
            llr=llr,
            fact_key=f"steady {first['team_name']}".rstrip(),
            columns=(
                "lineage",
                "container_uid",
                "cpu_user_s",
                "cpu_system_s",
                "transferred_bytes",
                "dst_ip",
                "dst_port",
            ),
            first_seen=process_started_at(first),
            observables=[Observable("ip", remote[0]), Observable("port", remote[1])],
            entities=[f"ip:{remote[0]}", f"remote:{remote[0]}:{remote[1]}"],
            severity=Severity.MEDIUM if shape.tie >= TIE_STARTED else None,
        )
        # Workers are the miner as much as who talks for them; the finding stays the same one when they change.
        pids = set(found.observables).union(*map(process_observables, shape.workers))
        return replace(
            found,
            assets=(*found.assets, *(process_asset(worker) for worker in shape.workers)),
            observables=tuple(sorted(pids)),
        )


def _pool_of_workers(first: Row, shape: Shape) -> tuple[object, ...]:
    """What workers have in common that each hold a connection of their own; of the first process's children nothing."""
    assert shape.thin is not None
    parent = first["parent_process_pid"]
    own = parent if isinstance(parent, int) and parent > 1 else (first["process_pid"], first["process_started_at"])
    return first["asset"], own, first["image_path"], first["team_name"], shape.thin["dst_ip"], shape.thin["dst_port"]


def _as_one(findings: Sequence[Finding]) -> Finding:
    """The first finding with what the others name: twelve workers of one test run are one thing to look at."""
    first, *others = sorted(findings, key=lambda found: (found.first_seen, found.uid))
    if not others:
        return first
    named = {asset: None for found in (first, *others[:WORKERS_NAMED_COUNT]) for asset in found.assets}
    pids = {seen for found in (first, *others[:WORKERS_NAMED_COUNT]) for seen in found.observables}
    told = ", ".join(asset.name.partition("@")[0] for asset in list(named)[len(first.assets) :])
    return replace(
        first,
        llr=max(found.llr for found in findings),
        last_seen=max(found.last_seen for found in findings),
        assets=tuple(named),
        observables=tuple(sorted(pids)),
        because=f"{first.because}; {len(others)} more of its program and parent do the same ({told})",
        evidence_count=sum(found.evidence_count for found in findings),
    )


def _sentence(first: Row, shape: Shape) -> str:
    assert shape.thin is not None
    workers = _workers_said(shape)
    cpus = f"{shape.cpu_ratio:.1f}" if shape.cpu_ratio >= 0.1 else f"{shape.cpu_ratio:.2f}"
    parents = parents_said(first)
    started = f"; it was {parents}" if parents else ""
    moved = f"{shape.bytes_per_cpu_s:,.0f} bytes for a second of CPU" if shape.bytes_seen else "bytes not seen"
    return (
        f"{process_named(first)}{workers} burned {cpus} CPUs over {format_duration(shape.length_s)}, "
        f"{shape.user_ratio:.0%} of it computing, moved {moved}, and kept one connection to "
        f"{shape.thin['dst_ip']}:{shape.thin['dst_port']} open at {shape.thin_bytes_per_s:.0f} bytes a second{started}"
    ).replace("%", " %")


def _workers_said(shape: Shape) -> str:
    pids = ", ".join(str(worker["process_pid"]) for worker in shape.workers)
    if shape.tie >= TIE_STARTED:
        return f" and what it started ({pids})"
    return f" with {shape.members_count} workers ({pids})" if shape.members_count > 1 and pids else ""
