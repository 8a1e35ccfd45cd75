"""DNS on the host's interfaces: questions with their answers, once each, and nothing else."""

from __future__ import annotations

import json
import os
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest

from davylamp.agent.dns_packets import DnsPackets, segment
from davylamp.agent.record import Recorder

# Looks at this machine as it is: two such tests at once would see each other's miners.
pytestmark = pytest.mark.live


@pytest.fixture
def written() -> list[str]:
    return []


@pytest.fixture
def packets(written: list[str]) -> Iterator[DnsPackets]:
    try:
        opened = DnsPackets(Recorder(written.append))
    except PermissionError:
        pytest.skip("a packet socket needs CAP_NET_RAW")
    yield opened
    opened.close()


def rows(written: list[str]) -> list[dict[str, Any]]:
    """Those of our own names; others on this machine may ask too."""
    return [row for line in written if (row := json.loads(line))["query_name"].endswith(".davylamp.test")]


def message(name: str, identity: int, answers: tuple[str, ...] = (), response: bool = False) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
    head = struct.pack("!6H", identity, 0x8180 if response else 0x0100, 1, len(answers), 0, 0)
    records = (b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + socket.inet_aton(each) for each in answers)
    return head + labels + struct.pack("!HH", 1, 1) + b"".join(records)


@pytest.mark.skipif(os.geteuid() != 0, reason="port 53 is the administrator's")
@pytest.mark.parametrize(("family", "ip"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_question_is_written_once_with_its_answer(
    packets: DnsPackets, written: list[str], family: socket.AddressFamily, ip: str
) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as server, socket.socket(family, socket.SOCK_DGRAM) as client:
        server.bind((ip, 53))
        client.connect((ip, 53))
        client.send(message("a.davylamp.test", 7))
        _, asker = server.recvfrom(1000)
        server.sendto(message("a.davylamp.test", 7, ("10.1.2.3", "10.1.2.4"), response=True), asker)
        port = client.getsockname()[1]
    packets.read(1000)
    (row,) = rows(written)
    assert row["answers"] == ["10.1.2.3", "10.1.2.4"]
    assert (row["rcode"], row["query_type"], row["protocol"]) == ("NOERROR", "A", "udp")
    assert (row["src_ip"], row["src_port"], row["resolver_ip"], row["resolver_port"]) == (ip, port, ip, 53)


@pytest.mark.skipif(os.geteuid() != 0, reason="port 53 is the administrator's")
def test_the_filter_passes_port_53_alone_and_counts_nothing_lost(packets: DnsPackets, written: list[str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for _ in range(50):
            client.sendto(message("b.davylamp.test", 1), ("127.0.0.1", 5353))
        client.sendto(b"no DNS", ("127.0.0.1", 53))
    before_count = packets.unreadable_count
    packets.read(1000)
    assert rows(written) == []
    assert packets.unreadable_count > before_count
    assert packets.take_lost_count() == 0


def test_a_question_without_an_answer_is_written_alone(written: list[str]) -> None:
    packets = _deaf(written)
    packets.take(_datagram(message("c.davylamp.test", 3), 40000, 53))
    packets.tick()
    assert rows(written) == []
    packets.wall = lambda: time.time() + 11
    packets.tick()
    (row,) = rows(written)
    assert "rcode" not in row


def test_a_packet_seen_on_two_interfaces_and_a_repeated_answer_are_written_once(written: list[str]) -> None:
    packets = _deaf(written)
    answer = message("d.davylamp.test", 5, ("10.0.0.1",), response=True)
    packets.take(_datagram(answer, 53, 40000))
    packets.take(_datagram(answer, 53, 40000))
    packets.wall = lambda: time.time() + 5
    packets.take(_datagram(message("d.davylamp.test", 6, ("10.0.0.1",), response=True), 53, 40001))
    assert len(rows(written)) == 1
    packets.take(_datagram(message("d.davylamp.test", 7, ("10.0.0.2",), response=True), 53, 40002))
    assert len(rows(written)) == 2
    packets.wall = lambda: time.time() + 90
    packets.tick()
    packets.take(_datagram(message("d.davylamp.test", 8, ("10.0.0.2",), response=True), 53, 40003))
    assert len(rows(written)) == 3


def test_messages_over_tcp_and_hostile_bytes(written: list[str]) -> None:
    packets = _deaf(written)
    body = message("e.davylamp.test", 9, ("10.0.0.9",), response=True)
    packets.take(_segment(struct.pack("!H", len(body)) + body))
    packets.take(_segment(b""))
    for size in range(80):
        packets.take(os.urandom(size))
        packets.take(_datagram(body[:size], 53, 40000))
    assert [row["protocol"] for row in rows(written)][:1] == ["tcp"]


def test_an_empty_budget_skips_packets_and_counts_them(packets: DnsPackets, written: list[str]) -> None:
    packets.may_read = lambda: False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(message("f.davylamp.test", 1), ("127.0.0.1", 53))
    packets.read(1000)
    assert rows(written) == []
    assert packets.take_lost_count() >= 1
    assert packets.take_lost_count() == 0


def test_memory_is_bounded_whatever_is_asked(written: list[str]) -> None:
    packets = _deaf(written)
    for number in range(10_000):
        packets.take(_datagram(message(f"n{number}.davylamp.test", number), 40000, 53))
    assert len(packets._waiting) <= 2048
    assert len(packets._written) <= 4096


def test_a_packet_of_another_port_is_none_of_ours() -> None:
    assert segment(_datagram(b"x", 5000, 6000)) is None
    assert segment(b"") is None


def _deaf(written: list[str]) -> DnsPackets:
    """One that hears nothing by itself."""
    made = DnsPackets.__new__(DnsPackets)
    made.recorder, made.may_read, made.wall = Recorder(written.append), lambda: True, time.time
    made.skipped_count = made.unreadable_count = 0
    made._waiting, made._seen, made._written = {}, {}, {}
    return made


def _datagram(payload: bytes, source_port: int, target_port: int) -> bytes:
    udp = struct.pack("!HHHH", source_port, target_port, 8 + len(payload), 0) + payload
    addresses = socket.inet_aton("10.9.9.1") + socket.inet_aton("10.9.9.2")
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + addresses + udp


def _segment(payload: bytes) -> bytes:
    tcp = struct.pack("!HHIIBBHHH", 53, 40000, 1, 1, 0x50, 0x18, 65535, 0, 0) + payload
    addresses = socket.inet_aton("10.9.9.1") + socket.inet_aton("10.9.9.2")
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + addresses + tcp
