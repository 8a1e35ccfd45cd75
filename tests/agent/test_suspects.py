"""Whose connections are listened to: quiet ones of who burns and of their families, the hungriest first."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from davylamp.agent.capture import FOLLOWED_COUNT, tcp_ports_program
from davylamp.agent.connections import Connections
from davylamp.agent.details import Reader
from davylamp.agent.processes import Table
from davylamp.agent.procfs import Stat
from davylamp.agent.sockets import Socket
from davylamp.agent.suspects import Suspects, family_of


def stat(pid: int, parent_pid: int) -> Stat:
    return Stat(pid, "x", "R", parent_pid, 0, 0, 0, 0, 0, 1, 5, 1)


def connection(number: int, carried: int = 0) -> Socket:
    return Socket(
        f"{number:x}", "tcp", 1, "127.0.0.1", 40000 + number, "127.0.0.1", 3333, 0, number, None, carried, carried
    )


@dataclass
class Host:
    """Processes in a line of descent, 100 the first, and who holds which connection."""

    owners: dict[int, int]
    table: Table = field(default_factory=lambda: Table(Reader({}, 0.0)))
    suspects: Suspects = field(default_factory=Suspects)

    def heard(self, burned: dict[int, float], found: list[Socket], at_s: float = 0.0) -> list[int]:
        """Inodes of the connections that are listened to."""
        self.table.stats = {100 + step: stat(100 + step, 99 + step if step else 1) for step in range(6)}
        held = Connections(self.table, owner_of=self.owners)
        return [each.inode for each, _ in self.suspects.connections_of(burned, found, held, at_s)]


def test_the_hungriest_comes_first_and_who_burns_nothing_is_not_listened_to() -> None:
    host = Host({1: 105, 2: 104, 3: 100})
    found = [connection(number) for number in (1, 2, 3)]
    assert host.heard({105: 0.2, 104: 0.9}, found) == [2, 1]
    assert host.heard({105: 0.01}, found) == []


def test_a_loud_connection_makes_room_for_a_quiet_one() -> None:
    host = Host({1: 105, 2: 104})
    assert host.heard({105: 1.0, 104: 0.1}, [connection(1), connection(2)]) == [1, 2]
    later = [connection(1, carried=50_000), connection(2, carried=900)]
    assert host.heard({105: 1.0, 104: 0.1}, later, at_s=1.0) == [2]


def test_who_holds_many_connections_is_a_server_or_a_peer() -> None:
    host = Host(dict.fromkeys(range(1, 7), 105))
    assert host.heard({105: 1.0}, [connection(number) for number in range(1, 7)]) == []


def test_the_family_reaches_to_makers_and_the_others_they_made_and_not_to_the_first_process() -> None:
    stats = {1: stat(1, 0), 50: stat(50, 1), 60: stat(60, 1), 61: stat(61, 60), 62: stat(62, 61), 63: stat(63, 61)}
    assert family_of({62}, stats) == {60, 61, 62, 63}


def test_the_filter_for_as_many_ports_as_are_followed_fits_the_kernels_instructions() -> None:
    for instruction in tcp_ports_program(list(range(40000, 40000 + FOLLOWED_COUNT))):
        struct.pack("=HBBI", *instruction)
