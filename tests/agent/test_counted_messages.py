"""Messages told from the kernel's counters: when each went and how long it was, without a packet."""

from __future__ import annotations

import json
import os
import socket
import time

import pytest

from davylamp.agent import procfs
from davylamp.agent.connections import Connections
from davylamp.agent.counted_messages import CountedMessages, Heard, gained, single_messages
from davylamp.agent.details import Reader, users_of
from davylamp.agent.processes import Table
from davylamp.agent.record import Look, Recorder
from davylamp.agent.sockets import Socket


def test_each_message_is_told_with_its_size_and_its_instant() -> None:
    lines: list[str] = []
    look = Look(Recorder(lines.append), time.time())
    table = Table(Reader(users_of(), procfs.boot_at()))
    table.refresh()
    connections = Connections(table)
    if not connections.open(look):
        pytest.skip("the kernel has no socket diagnosis for us")
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as client:
            accepted, _ = server.accept()
            ours = [each for each in connections.record_changed(look) if each.local_port == client.getsockname()[1]]
            counted = CountedMessages(connections)
            counted.follow([(each, os.getpid()) for each in ours])
            sent_at = time.time()
            client.sendall(b"s" * 201)
            time.sleep(0.05)
            counted.ask(time.time())
            accepted.sendall(b"a" * 71)
            time.sleep(0.05)
            counted.ask(time.time())
            accepted.close()
        counted.ask(time.time())  # it is closing or gone, and that is no error
    counted.record(look)
    connections.channels.close()
    [row] = [row for line in lines if (row := json.loads(line))["record"] == "network_activity"]
    assert row["message_sizes_bytes"] == [201, -71]
    assert (row["bytes_out"], row["bytes_in"], row["process_pid"]) == (201, 71, os.getpid())
    assert abs(row["time"] - sent_at) < 0.1
    assert 0.03 < row["message_times_s"][1] < 0.5


def test_a_look_at_which_bytes_are_on_their_way_counts_them_once() -> None:
    """Sent in one look and acknowledged in the next, over a slow line: one message, at the time it was sent."""
    before = _socket(sent=300, acknowledged=300, out=3)
    on_its_way = _socket(sent=500, acknowledged=300, out=4)
    after = _socket(sent=500, acknowledged=500, out=4)
    assert [each.size_bytes for each in gained(before, on_its_way, 10.0)] == [200]
    assert gained(on_its_way, after, 10.1) == []


@pytest.mark.parametrize(
    ("size_bytes", "segments_count", "parts"),
    [(324, 2, [71, 253]), (142, 2, [71, 71]), (395, 3, [71, 71, 253]), (700, 2, [700]), (71, 1, [71])],
)
def test_what_came_together_is_taken_apart_by_sizes_that_came_alone(
    size_bytes: int, segments_count: int, parts: list[int]
) -> None:
    alone = [Heard(1.0, False, 71, 1), Heard(2.0, False, 253, 1)]
    found = single_messages([*alone, Heard(3.0, False, size_bytes, segments_count)])
    assert [each.size_bytes for each in found if each.at == 3.0] == parts


def _socket(sent: int, acknowledged: int, out: int) -> Socket:
    return Socket(
        "1", "tcp", 1, "10.0.0.5", 40000, "10.0.0.9", 443, 0, 1,
        bytes_out=acknowledged, bytes_in=0, segments_out=out, segments_in=0, sent_bytes=sent,
    )  # fmt: skip
