"""Writes the host detections' cases anew: small `davylamp.host/1` files of processes that compute and talk.

`python -m tests.catalog.make_host_cases`; the draws are seeded, so the files come out the same. Shapes follow the
knowledge base: shares 5 s apart on average with exponential gaps, jobs every 15 s, a 201-byte share, a 71-byte answer.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from davylamp.agent.record import Recorder

UNITS = Path(__file__).resolve().parents[2] / "src" / "davylamp" / "catalog" / "detections"
BEGAN_AT = 1_764_210_000.0
HOST = "web1"


class HostFile:
    """One file of records.

    Args:
        length_s: how long the host was looked at, a window a second.
    """

    def __init__(self, length_s: int = 20, cpu_count: int = 4) -> None:
        self.lines: list[str] = []
        self.length_s = length_s
        self.recorder = Recorder(self.lines.append, device_name=HOST)
        self.recorder.header(BEGAN_AT, boot_at=BEGAN_AT - 86_400)
        for second in range(0, length_s, 1 if length_s <= 100 else 60):
            self.recorder.record(
                "resource_usage", BEGAN_AT + second, metric="cpu", used_ratio=0.5, period_s=1.0, cpu_count=cpu_count
            )

    def process(self, pid: int, name: str, *, age_s: float = 600.0, **columns: Any) -> float:
        """A process as the look's snapshot tells it; returns its start."""
        started_at = BEGAN_AT - age_s
        told: dict[str, object] = {
            "activity": "snapshot",
            "parent_process_pid": 1,
            "process_name": name,
            "command_line": name,
            "image_path": f"/usr/local/bin/{name}",
            "image_state": "file",
            "user_name": "root",
        }
        self.recorder.record(
            "process_activity", BEGAN_AT, process_pid=pid, process_started_at=started_at, **(told | columns)
        )
        return started_at

    def burns(
        self,
        pid: int,
        started_at: float,
        cpus: float,
        user_ratio: float = 0.99,
        bytes_per_s: int | None = 100,
        idle: frozenset[int] = frozenset(),
        only: range | None = None,
        **columns: object,
    ) -> None:
        """Windows of one second in which the process uses so many CPUs; none in the idle ones, or of `only` these."""
        for second in range(self.length_s) if only is None else only:
            used = 0.0 if second in idle else cpus
            if len(idle) > 100 and second in idle and second % 60:
                continue  # a long idleness is told by one window a minute: files stay small
            self.recorder.record(
                "process_usage",
                BEGAN_AT + second,
                end_time=BEGAN_AT + second + 1.0,
                process_pid=pid,
                process_started_at=started_at,
                cpu_user_s=used * user_ratio,
                cpu_system_s=used * (1 - user_ratio),
                cpu_allowed_count=4.0,
                transferred_bytes=bytes_per_s,
                storage_bytes=None if bytes_per_s is None else 0,
                **columns,
            )

    def connection(
        self,
        pid: int,
        started_at: float,
        messages: list[tuple[float, int, int]],
        remote: tuple[str, int],
        uid: str = "a1",
    ) -> None:
        """A connection with its counters after each message (second, bytes out, bytes in), and at both ends."""
        out, back = 260, 303  # a login and its answer before the look began (knowledge base, 2.3)
        for second, more_out, more_in in [(0.0, 0, 0), *messages, (float(self.length_s), 0, 0)]:
            out, back = out + more_out, back + more_in
            self.recorder.record(
                "socket_usage",
                BEGAN_AT + second,
                socket_uid=uid,
                protocol="tcp",
                state="established",
                direction="outgoing",
                src_ip="10.0.0.5",
                src_port=41000 + int(uid, 16) % 1000,
                dst_ip=remote[0],
                dst_port=remote[1],
                bytes_out=out,
                bytes_in=back,
                process_pid=pid,
                process_started_at=started_at,
            )

    def write(self, unit: str, name: str) -> None:
        """Writes the file into a unit's cases."""
        target = UNITS / unit / "cases" / f"{name}.jsonl"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("".join(self.lines), encoding="ascii")


def mining(length_s: int, seed: int, share_s: float = 5.0, job_s: float = 15.0) -> list[tuple[float, int, int]]:
    """Messages of a mining connection: shares with answers, and jobs nobody asked for, in windows of a second."""
    draw = random.Random(seed)
    events: list[tuple[float, int, int]] = []
    for mean_s, out, back in ((share_s, 201, 71), (job_s, 0, 253)):
        at = draw.expovariate(1 / mean_s)
        while at < length_s:
            events.append((float(int(at) + 1), out, back))
            at += draw.expovariate(1 / mean_s)
    return sorted(events)


POOL = ("198.51.100.7", 443)


def steady_compute() -> None:
    """Cases of `steady_compute_thin_socket`."""
    unit = "steady_compute_thin_socket"
    made = HostFile()
    made.burns(4242, made.process(4242, "dbus-worker"), cpus=3.9)
    made.connection(4242, BEGAN_AT - 600, mining(20, 1), POOL)
    made.write(unit, "fires_on_unknown_name_and_pool")

    made = HostFile(60)
    started = made.process(4242, "dbus-worker")
    made.burns(4242, started, cpus=4.0, idle=frozenset(second for second in range(60) if second % 10 >= 3))
    made.connection(4242, started, mining(60, 2), ("127.0.0.1", 18080))
    made.write(unit, "fires_on_three_seconds_of_ten_through_a_proxy_here")

    made = HostFile(900)
    started = made.process(4248, "dbus-worker", age_s=90_000)
    made.burns(4248, started, cpus=1.0, idle=frozenset(range(860)))
    made.connection(4248, started, mining(900, 6), POOL)
    made.write(unit, "fires_on_one_that_idled_before")

    made = HostFile()
    started = made.process(700, "python3", age_s=500)
    for worker in (701, 702, 703):
        made.burns(worker, made.process(worker, "python3", age_s=499, parent_process_pid=700), cpus=1.0)
    made.connection(700, started, mining(20, 3), POOL)
    made.write(unit, "fires_on_workers_of_a_process_that_talks")

    # A script talks and starts another program, through a shell, that computes.
    made = HostFile()
    started = made.process(710, "python3", age_s=500)
    made.process(711, "sh", age_s=499, parent_process_pid=710)
    for worker in (712, 713):
        made.burns(worker, made.process(worker, "solver", age_s=499, parent_process_pid=711), cpus=1.0)
    # What else it started reads and writes.
    made.burns(714, made.process(714, "cc1", age_s=499, parent_process_pid=711), cpus=1.0, bytes_per_s=90_000_000)
    made.connection(710, started, mining(20, 7), POOL)
    made.write(unit, "fires_on_another_program_that_a_talker_started")

    made = HostFile()
    made.process(720, "bash", age_s=501)
    started = made.process(721, "python3", age_s=500, parent_process_pid=720)
    made.burns(722, made.process(722, "solver", age_s=499, parent_process_pid=720), cpus=1.0)
    made.connection(721, started, mining(20, 8), POOL)
    made.write(unit, "misses_one_beside_who_talks")

    # Workers that each keep a connection to one end are told once.
    made = HostFile()
    made.process(760, "python3", age_s=500)
    for worker in (761, 762, 763):
        started = made.process(worker, "python3", age_s=499, parent_process_pid=760)
        made.burns(worker, started, cpus=0.6)
        made.connection(worker, started, mining(20, worker), POOL, uid=f"e{worker}")
    made.write(unit, "fires_on_three_workers_with_a_connection_each")

    # What the first process starts is no kin: a service that computes and another one that talks.
    made = HostFile()
    started = made.process(731, "monitor-agent", age_s=500)
    made.burns(732, made.process(732, "solver", age_s=499), cpus=1.0)
    made.connection(731, started, [(float(second), 180, 40) for second in range(1, 20, 5)], POOL)
    made.write(unit, "quiet_on_two_services")

    # An agent of a build service: its step reads and writes.
    made = HostFile()
    started = made.process(741, "ci-agent", age_s=500)
    step = made.process(742, "cc1", age_s=15, parent_process_pid=741)
    made.burns(742, step, cpus=1.0, user_ratio=0.95, bytes_per_s=400_000)
    made.connection(741, started, [(float(second), 1800, 90) for second in range(3, 20, 3)], POOL)
    made.write(unit, "quiet_on_step_of_a_build_agent")

    # A worker for each job, each too short to be told from a start.
    made = HostFile(60)
    started = made.process(750, "python3", age_s=500)
    for number in range(10):
        begun_at = made.process(751 + number, "solver", age_s=-6.0 * number, parent_process_pid=750)
        made.burns(751 + number, begun_at, cpus=1.0, only=range(6 * number, 6 * number + 6))
    made.connection(750, started, mining(60, 9), POOL)
    made.write(unit, "misses_workers_that_live_for_seconds")

    made = HostFile()
    made.burns(900, made.process(900, "zstd"), cpus=3.9, bytes_per_s=400_000_000)
    made.connection(900, BEGAN_AT - 600, [], POOL)
    made.write(unit, "quiet_on_compression_with_an_idle_connection")

    made = HostFile()
    made.burns(901, made.process(901, "python3"), cpus=3.9)
    made.write(unit, "quiet_on_matrix_product_without_connection")

    made = HostFile()
    made.burns(902, made.process(902, "mysqld"), cpus=2.0, user_ratio=0.7, bytes_per_s=3_000_000)
    made.connection(902, BEGAN_AT - 600, [(float(second), 9000, 800) for second in range(1, 20)], ("10.0.0.9", 3306))
    made.write(unit, "quiet_on_database_with_a_replica")

    made = HostFile()
    started = made.process(903, "node-peer")
    made.burns(903, started, cpus=0.6)
    for peer in range(8):
        made.connection(903, started, [(3.0, 61, 0), (9.0, 0, 61)], (f"198.51.100.{peer}", 8333), uid=f"b{peer}")
    made.write(unit, "quiet_on_peer_of_a_chain")

    made = HostFile()
    started = made.process(907, "node-peer")
    made.burns(907, started, cpus=0.6)
    for peer in range(8):
        made.connection(907, started, [(3.0, 61, 0), (9.0, 0, 61)], ("127.0.0.1", 9050), uid=f"c{peer}")
    made.write(unit, "quiet_on_peer_behind_a_proxy_here")

    made = HostFile(8)
    made.burns(904, made.process(904, "installer", age_s=2), cpus=1.0)
    made.connection(904, BEGAN_AT - 2, mining(8, 4, share_s=2), POOL)
    made.write(unit, "quiet_on_eight_seconds_of_a_start")

    made = HostFile()
    made.burns(905, made.process(905, "hidden-worker"), cpus=0.03)
    made.connection(905, BEGAN_AT - 600, mining(20, 5), POOL)
    made.write(unit, "misses_a_thirtieth_of_a_core")

    made = HostFile()
    made.burns(905, made.process(905, "hidden-worker"), cpus=0.03, cpu_wait_s=0.2)
    made.connection(905, BEGAN_AT - 600, mining(20, 5), POOL)
    made.write(unit, "fires_on_a_throttled_one_among_many_that_want_the_cpu")

    made = HostFile(40)
    started_at = made.process(907, "session-agent", age_s=1.0)
    made.burns(907, started_at, cpus=0.3)
    made.recorder.record(
        "process_usage", BEGAN_AT - 1, end_time=BEGAN_AT, process_pid=907, process_started_at=started_at,
        cpu_user_s=0.1, cpu_system_s=0.0, transferred_bytes=1_200_000, storage_bytes=0,
    )  # fmt: skip
    made.connection(907, started_at, mining(40, 5), POOL)
    made.write(unit, "fires_on_one_that_started_during_the_look")

    made = HostFile()
    made.recorder.record("process_usage", BEGAN_AT, process_pid=-1, cpu_user_s="NaN", end_time="never")
    made.burns(906, made.process(906, "a\nb\x1b[31m\u202e"), cpus=float("1e308"))
    made.connection(906, 0.0, [(1.0, 2**62, 2**62)], ("not an address", 70000))
    made.lines.append('{"record":"socket_usage","time":1764210001,"bytes_out":')
    made.write(unit, "survives_absurd_figures")


def pool_socket() -> None:
    """Cases of `pool_socket_owner`: names and addresses are of the bundled set, and are never looked up."""
    unit = "pool_socket_owner"
    made = HostFile()
    started = made.process(4242, "dbus-worker")
    made.connection(4242, started, mining(20, 1), POOL)
    made.recorder.record(
        "dns_activity", BEGAN_AT - 599, query_name="pool.supportxmr.com", query_type="A", answers=[POOL[0]]
    )
    made.write(unit, "fires_on_answer_of_dns_before")

    made = HostFile()
    started = made.process(4243, "dbus-worker")
    made.connection(4243, started, mining(20, 2), ("127.0.0.1", 13333))
    made.recorder.record(
        "host_setting", BEGAN_AT, kind="hosts_entry", name="xmr.2miners.com", value="127.0.0.1", file_path="/etc/hosts"
    )
    made.write(unit, "fires_on_line_of_hosts_file_to_a_tunnel_here")

    made = HostFile()
    started = made.process(4244, "java")
    made.connection(4244, started, [(3.0, 4000, 90_000)], POOL)
    made.recorder.record(
        "dns_activity", BEGAN_AT - 599, query_name="supportxmr.com.example.org", query_type="A", answers=[POOL[0]]
    )
    made.recorder.record("dns_activity", BEGAN_AT - 9, query_name="coinbase.com", query_type="A", answers=[POOL[0]])
    made.write(unit, "quiet_on_names_that_only_look_like_it")

    made = HostFile()
    started = made.process(4245, "nginx")
    made.connection(4245, started, [(3.0, 4000, 900)], ("198.51.100.9", 443))
    made.recorder.record(
        "dns_activity", BEGAN_AT - 599, query_name="pool.supportxmr.com", query_type="A", answers=[POOL[0]]
    )
    made.write(unit, "quiet_on_connection_elsewhere_after_a_lookup")

    made = HostFile()
    started = made.process(4246, "dbus-worker")
    made.connection(4246, started, mining(20, 3), ("203.0.113.50", 443))
    made.write(unit, "misses_a_proxy_in_no_list")

    made = HostFile()
    started = made.process(4247, "a\nb\x1b[31m")
    made.connection(4247, started, [(1.0, 2**62, 1)], ("::ffff:999.1.1.1", -5))
    made.recorder.record("dns_activity", BEGAN_AT, query_name="\x00." * 300, answers=["::ffff:999.1.1.1", "\u202e", ""])
    made.lines.append('{"record":"dns_activity","time":1764210001,"answers":{"a":1},"query_name":["x"]}\n')
    made.write(unit, "survives_hostile_names")


if __name__ == "__main__":
    from tests.catalog import host_cpu_cases, host_image_cases, host_socket_cases

    steady_compute()
    pool_socket()
    host_cpu_cases.memory_shape()
    host_cpu_cases.accounting_gap()
    host_cpu_cases.hidden()
    host_socket_cases.sizes_alone()
    host_socket_cases.message_lattice()
    host_image_cases.image_content()
