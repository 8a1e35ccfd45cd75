"""The cases of `mining_flow_candidate`: flow records we write ourselves; `make_wire_cases.py` writes them."""

from __future__ import annotations

import random
from collections.abc import Iterator

START_S = 1_767_225_600
HEADER = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
)
Case = tuple[str, bytes]


def flow_pair(
    rng: random.Random,
    hours: float,
    *,
    local: str = "10.0.0.5",
    remote: str = "198.51.100.7",
    port: int = 3333,
    rate_bytes_per_s: float = 20.0,
    step_s: int = 300,
    active_ratio: float = 1.0,
    action: str = "ACCEPT",
) -> list[str]:
    """VPC flow records of one connection, a pair of one-way records for each interval."""
    lines: list[str] = []
    local_port = rng.randrange(40000, 60000)
    for begin_s in range(START_S, START_S + int(hours * 3600), step_s):
        if rng.random() > active_ratio:
            continue
        for source, source_port, target, target_port in (
            (local, local_port, remote, port),
            (remote, port, local, local_port),
        ):
            size_bytes = int(rate_bytes_per_s * step_s * rng.uniform(0.6, 1.4))
            packets = max(1, size_bytes // rng.randrange(90, 220))
            lines.append(
                f"2 123456789012 eni-0a1b2c3d {source} {target} {source_port} {target_port} 6 {packets} {size_bytes} "
                f"{begin_s} {begin_s + step_s - 1} {action} OK"
            )
    return lines


def _file(lines: list[str]) -> bytes:
    return ("\n".join([HEADER, *lines]) + "\n").encode()


def zeek_conn(span_s: float) -> bytes:
    """One line of Zeek's conn log as JSON: both directions in one record."""
    return (
        f'{{"ts":{START_S}.5,"uid":"CHhAvVGS1DHFjwGM9","id.orig_h":"10.0.0.5","id.orig_p":51234,'
        f'"id.resp_h":"203.0.113.9","id.resp_p":443,"proto":"tcp","duration":{span_s},"orig_bytes":150000,'
        f'"resp_bytes":180000,"conn_state":"SF","orig_pkts":1400,"orig_ip_bytes":220000,"resp_pkts":1300,'
        f'"resp_ip_bytes":240000}}\n'
    ).encode()


def cases() -> Iterator[Case]:
    """Candidates and what is none."""
    rng = random.Random(41)
    yield "fires_on_pairs_of_one_way_records.log", _file(flow_pair(rng, 2.5))
    yield "fires_on_records_with_gaps.log", _file(flow_pair(rng, 4, active_ratio=0.7, port=443))
    yield "fires_on_two_way_record.jsonl", zeek_conn(9000.0)
    yield "quiet_on_short_connection.log", _file(flow_pair(rng, 0.9))
    yield "quiet_on_two_way_record_of_50_min.jsonl", zeek_conn(3000.0)
    yield "quiet_on_bulk_transfer.log", _file(flow_pair(rng, 2, rate_bytes_per_s=50_000))
    yield "quiet_on_seldom_active.log", _file(flow_pair(rng, 4, active_ratio=0.2))
    yield "quiet_on_private_remote.log", _file(flow_pair(rng, 2, remote="10.0.7.7"))
    yield "quiet_on_rejected_records.log", _file(flow_pair(rng, 2, action="REJECT"))
    fleet = [line for host in range(5, 10) for line in flow_pair(rng, 1.5, local=f"10.0.0.{host}", port=443)]
    yield "quiet_on_remote_that_the_fleet_shares.log", _file(fleet)
    one_way = [line for line in flow_pair(rng, 2) if line.split()[3] == "10.0.0.5"]
    yield "quiet_on_one_direction_only.log", _file(one_way)
    many = [line for host in range(1, 9) for line in flow_pair(rng, 1.5, remote=f"203.0.113.{host}", port=443)]
    yield "fires_on_no_more_than_three_of_eight.log", _file(many)
    yield "misses_pool_at_private_address.log", _file(flow_pair(rng, 3, remote="172.16.4.4"))
    odd = [line.replace(" 6 ", " 6 ", 1).replace(str(START_S), str(START_S + 9)) for line in flow_pair(rng, 0.2)]
    yield (
        "survives_zero_seconds_and_bytes.log",
        _file([*odd, *(f"{line.rsplit(' ', 6)[0]} 0 0 {START_S} {START_S} ACCEPT OK" for line in odd)]),
    )
