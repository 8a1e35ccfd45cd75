"""Connections followed for weeks: rows that say something, owners found cheaply, nothing kept of what is gone."""

from __future__ import annotations

import json
import os
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest

from davylamp.agent import procfs
from davylamp.agent.connections import Connections
from davylamp.agent.details import Reader, users_of
from davylamp.agent.listening import ListeningPorts
from davylamp.agent.processes import Table
from davylamp.agent.record import Look, Recorder
from davylamp.agent.socket_watch import QUIET_ROW_S, SocketWatch, family_of


class Watched:
    """A watch that writes to a list."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.recorder = Recorder(self.lines.append)
        table = Table(Reader(users_of(), procfs.boot_at()))
        table.refresh()
        base = Connections(table)
        if not base.open(Look(self.recorder, time.time())):
            pytest.skip("the kernel has no socket diagnosis for us")
        self.watch = SocketWatch(base)
        self.watch.listening(Look(Recorder(lambda line: None), time.time()))

    def look(self, at_s: float, burning: tuple[int, ...] = (), **more: bool) -> None:
        """One look."""
        self.watch.look(Look(self.recorder, time.time()), at_s, burning, **more)

    def rows(self, port: int) -> list[dict[str, Any]]:
        """Rows of connections to this port, since the last call."""
        found = [json.loads(line) for line in self.lines]
        self.lines.clear()
        return [row for row in found if row["record"] == "socket_usage" and row["dst_port"] == port]


@pytest.fixture
def watched(pair: tuple[socket.socket, socket.socket, int]) -> Iterator[Watched]:
    made = Watched()
    yield made
    made.watch.base.channels.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket, int]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
        yield client, accepted, server.getsockname()[1]
        client.close()
        accepted.close()


def say(client: socket.socket, accepted: socket.socket) -> None:
    client.sendall(b"x" * 100)
    accepted.recv(200)
    time.sleep(0.05)


def test_a_quiet_owner_gets_a_row_now_and_then_and_a_burning_one_at_every_move(
    watched: Watched, pair: tuple[socket.socket, socket.socket, int]
) -> None:
    client, accepted, port = pair
    watched.look(0)
    assert len(watched.rows(port)) == 1
    say(client, accepted)
    watched.look(10)
    assert watched.rows(port) == []
    watched.look(QUIET_ROW_S + 1)
    (row,) = watched.rows(port)
    assert row["bytes_out"] in (100, 101)  # the kernel counts the SYN as a byte
    burning = (os.getpid(),)
    say(client, accepted)
    watched.look(QUIET_ROW_S + 3, burning)
    (row,) = watched.rows(port)
    assert (row["process_pid"], row["direction"]) == (os.getpid(), "outgoing")
    watched.look(QUIET_ROW_S + 5, burning)
    assert watched.rows(port) == []
    watched.look(QUIET_ROW_S + 6, burning, all_of_burners=True)
    assert len(watched.rows(port)) == 1


def test_incoming_connections_are_told_by_their_port_alone(
    watched: Watched, pair: tuple[socket.socket, socket.socket, int]
) -> None:
    _, _, port = pair
    watched.look(0)
    found = [json.loads(line) for line in watched.lines]
    assert not any(row.get("src_port") == port for row in found if row["record"] == "socket_usage")


def test_what_is_gone_is_forgotten(watched: Watched, pair: tuple[socket.socket, socket.socket, int]) -> None:
    client, accepted, port = pair
    for at_s in (0, 10, 80):
        watched.look(at_s, (os.getpid(),))
    assert os.getpid() in watched.watch.base.owner_of.values()
    inodes = {os.fstat(each.fileno()).st_ino for each in (client, accepted)}
    client.close()
    accepted.close()
    time.sleep(0.05)
    watched.look(90, (os.getpid(),))
    assert not inodes & watched.watch.base.owner_of.keys()
    assert not inodes & watched.watch.base.asked
    assert port


def test_owners_of_lasting_connections_are_found_and_not_looked_for_at_every_look(
    watched: Watched, pair: tuple[socket.socket, socket.socket, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    from davylamp.agent import sockets

    _, _, port = pair
    asked: list[int] = []
    owners = sockets.owners

    def counted(pids: Any, proc: str = "/proc") -> tuple[dict[int, int], int]:
        asked.append(len(list(pids)))
        return owners(pids, proc)

    watched.watch.base.owner_of.clear()
    watched.watch.base.asked.clear()
    monkeypatch.setattr(sockets, "owners", counted)
    for at_s in (100, 110, 120, 130, 140):
        watched.look(at_s)
    assert sum(count > 10 for count in asked) <= 1
    watched.look(1000)
    (row,) = list(watched.rows(port))[-1:]
    assert port in (row["dst_port"], row["src_port"])


def test_the_family_of_a_burner_is_its_parent_and_children() -> None:
    table = Table(Reader(users_of(), procfs.boot_at()))
    table.refresh()
    family = family_of([os.getpid()], table.stats)
    assert {os.getpid(), os.getppid()} <= family
    assert not family & {0, 1}


def test_ports_are_written_when_they_change_and_once_an_hour(watched: Watched) -> None:
    ports = ListeningPorts()
    lines: list[str] = []
    recorder = Recorder(lines.append)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ports.write_changed(watched.watch, recorder, 1000.0)
        assert any(json.loads(line)["port"] == port for line in lines)
    lines.clear()
    ports.write_changed(watched.watch, recorder, 1060.0)
    assert lines
    assert not any(json.loads(line)["port"] == port for line in lines)


def test_of_many_connections_some_wait_for_the_next_look_and_only_those_that_vanish_are_lost(
    watched: Watched, pair: tuple[socket.socket, socket.socket, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    from davylamp.agent import socket_watch

    monkeypatch.setattr(socket_watch, "ROWS_COUNT", 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        watched.watch.listening(Look(Recorder(lambda line: None), time.time()))
        held = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
        for at_s in range(40):
            watched.look(at_s)
        assert len({row["socket_uid"] for row in watched.rows(port)}) == 3
        watched.watch.take_skipped_count()
        gone = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
        watched.look(50)
        for each in (*gone, *held):
            # A reset in place of a farewell: the kernel keeps nothing of it.
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            each.close()
        time.sleep(0.1)
        watched.look(51)
    assert watched.watch.take_skipped_count() >= 1
