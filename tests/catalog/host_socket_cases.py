"""The cases of `socket_message_lattice`, as the kernel counts dialogues; `make_host_cases.py` writes them."""

from __future__ import annotations

from davylamp.kit.emulation.message import Dialogue
from davylamp.kit.emulation.mining import MiningRhythm, mining_dialogue
from davylamp.kit.emulation.transport import encrypted
from davylamp.kit.emulation.twins import twin_dialogue
from tests.catalog.make_host_cases import BEGAN_AT, POOL, HostFile


def counted(
    made: HostFile,
    pid: int,
    started_at: float,
    dialogue: Dialogue,
    remote: tuple[str, int],
    begin_s: float = 10.0,
    step_s: float = 1.0,
) -> None:
    """A dialogue as the kernel counts it, from its tenth second on: a row at each look in which something moved."""
    told = (-1, -1)
    for look in range(int(made.length_s / step_s) + 1):
        now_s = begin_s + look * step_s
        sent = [each for each in dialogue if each.outbound and each.time_s <= now_s]
        heard = [each for each in dialogue if not each.outbound and each.time_s <= now_s]
        counters = (sum(len(each.payload) for each in sent), sum(len(each.payload) for each in heard))
        if counters == told:
            continue
        told = counters
        made.recorder.record(
            "socket_usage",
            BEGAN_AT + look * step_s,
            socket_uid="d1",
            protocol="tcp",
            state="established",
            direction="outgoing",
            src_ip="10.0.0.5",
            src_port=41077,
            dst_ip=remote[0],
            dst_port=remote[1],
            bytes_out=counters[0],
            bytes_in=counters[1],
            segments_out=len(sent),
            segments_in=len(heard),
            last_sent_ago_s=round(now_s - sent[-1].time_s, 3) if sent else None,
            last_received_ago_s=round(now_s - heard[-1].time_s, 3) if heard else None,
            process_pid=pid,
            process_started_at=started_at,
        )


def sizes_alone() -> None:
    """Cases of `mining_message_rhythm` where packets are refused: sizes and times as the counters tell them."""
    unit = "mining_message_rhythm"

    def write(name: str, dialogue: Dialogue, begin_s: float = 10.0, length_s: float = 60.0) -> None:
        made = HostFile(int(length_s))
        started = made.process(4242, "session-agent")
        inside = [each for each in dialogue if begin_s <= each.time_s < begin_s + length_s]
        sizes = [len(each.payload) * (1 if each.outbound else -1) for each in inside]
        made.recorder.record(
            "network_activity",
            BEGAN_AT + inside[0].time_s - begin_s,
            end_time=BEGAN_AT + inside[-1].time_s - begin_s,
            protocol="tcp",
            state="established",
            src_ip="10.0.0.5",
            src_port=41077,
            dst_ip=POOL[0],
            dst_port=POOL[1],
            bytes_out=sum(size for size in sizes if size > 0),
            bytes_in=-sum(size for size in sizes if size < 0),
            message_times_s=[each.time_s - inside[0].time_s for each in inside],
            message_sizes_bytes=sizes,
            process_pid=4242,
            process_started_at=started,
            process_name="session-agent",
        )
        made.write(unit, name)

    minute = MiningRhythm(duration_s=90.0, share_gap_s=5.0, job_period_s=15.0, block_gap_s=120.0)
    write("fires_on_sizes_alone", mining_dialogue("cryptonote", 13, minute))
    write("fires_on_sizes_alone_of_tls", encrypted(mining_dialogue("cryptonote", 14, minute), 14))
    for twin in ("grpc_health", "mqtt", "ticker_fixed", "two_part_answers", "watch_with_leases"):
        write(f"quiet_on_{twin}_by_sizes_alone", encrypted(twin_dialogue(twin, 15, 90.0), 15))


def message_lattice() -> None:
    """Cases of `socket_message_lattice`: dialogues of our emulation as the kernel's counters show them."""
    unit = "socket_message_lattice"

    def write(name: str, dialogue: Dialogue, length_s: int = 60, step_s: float = 1.0) -> None:
        made = HostFile(length_s)
        counted(made, 4242, made.process(4242, "session-agent"), dialogue, POOL, step_s=step_s)
        made.write(unit, name)

    minute = MiningRhythm(duration_s=90.0, share_gap_s=4.0, job_period_s=15.0, block_gap_s=120.0)
    write("fires_on_a_minute_of_tls", encrypted(mining_dialogue("cryptonote", 3, minute), 3))
    write("fires_on_a_minute_in_clear", mining_dialogue("cryptonote", 4, minute))
    longer = MiningRhythm(duration_s=330.0, share_gap_s=8.0, job_period_s=30.0, block_gap_s=120.0)
    write("fires_on_five_minutes_of_looks_each_5_s", encrypted(mining_dialogue("cryptonote", 5, longer), 5), 300, 5.0)
    for twin in ("grpc_health", "mqtt", "ticker_fixed", "two_part_answers", "watch_with_leases", "event_counter"):
        write(f"quiet_on_{twin}", encrypted(twin_dialogue(twin, 6, 150.0), 6), 120)
    slow = MiningRhythm(duration_s=150.0, share_gap_s=90.0, job_period_s=60.0, block_gap_s=None)
    write("misses_two_minutes_of_slow_shares", encrypted(mining_dialogue("cryptonote", 7, slow), 7), 120)

    made = HostFile(20)
    started = made.process(4243, "a\nb\x1b[31m\u202e")
    counted(made, 4243, started, mining_dialogue("cryptonote", 8, minute), POOL)
    for second, out in enumerate([2**62, 0, 5, 2**62, -7, 2**62, 1]):
        made.recorder.record(
            "socket_usage",
            BEGAN_AT + second,
            socket_uid="d1",
            protocol="tcp",
            direction="outgoing",
            bytes_out=out,
            bytes_in=2**62 - out,
            segments_out=-5,
            segments_in=2**62,
            last_sent_ago_s=float("inf"),
            process_pid=4243,
            process_started_at=started,
        )
    made.lines.append('{"record":"socket_usage","time":1764210001,"bytes_out":')
    made.write(unit, "survives_counters_that_fall")
