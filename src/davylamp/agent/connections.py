"""Connections of the host followed over a time: who owns them, who opened them, and when their counters moved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from davylamp.agent import procfs, sockets
from davylamp.agent.processes import Table
from davylamp.agent.record import Look
from davylamp.agent.sockets import Socket

# Readings written of one look: a proxy with ten thousand clients would fill the disk; the rest is counted and said.
READINGS_COUNT = 50_000
LISTENING_STATES = 1 << sockets.LISTEN
# An unconnected datagram socket is in the state `close`; above the range for clients it waits for nobody.
DATAGRAM_STATES = 1 << 7


@dataclass
class Connections:
    """Follows sockets from look to look."""

    table: Table
    channels: sockets.Channels = field(default_factory=sockets.Channels)
    owner_of: dict[int, int] = field(default_factory=dict)
    written: dict[str, tuple[int | None, int | None]] = field(default_factory=dict)
    listening: set[tuple[str | None, int]] = field(default_factory=set)
    asked: set[int] = field(default_factory=set)
    refused_count: int = 0
    readings_count: int = 0
    left_out_count: int = 0

    def open(self, look: Look) -> bool:
        """Opens the kernel's socket diagnosis, in containers too where we may."""
        try:
            self.channels.open_own()
        except OSError as error:
            look.could_not_look("sockets", f"the kernel's socket diagnosis (inet_diag) refuses: {error}")
            return False
        self.channels.open_others(self.table.stats)
        if self.channels.refused:
            look.could_not_look("sockets of containers", self.channels.refused)
        self._find_owners()
        return True

    def _find_owners(self) -> None:
        self.owner_of, self.refused_count = sockets.owners(self.table.stats, self.table.reader.proc)

    def record_listening(self, look: Look) -> None:
        """Writes every port somebody waits on."""
        low, high = _client_ports()
        found = self.channels.sockets(LISTENING_STATES, ("tcp",)) + [
            each
            for each in self.channels.sockets(DATAGRAM_STATES, ("udp",))
            if each.local_port and not low <= each.local_port <= high
        ]
        self._know(found)
        self.listening = {(each.namespace, each.local_port) for each in found if each.protocol == "tcp"}
        for each in {(one.protocol, one.local_ip, one.local_port, one.namespace): one for one in found}.values():
            look.record(
                "listening_port",
                protocol=each.protocol,
                ip=each.local_ip,
                port=each.local_port,
                exposure=sockets.exposure(each.local_ip, each.namespace),
                user_uid=each.user_uid,
                **self.owner(each),
            )

    def record_changed(self, look: Look, everything: bool = False) -> list[Socket]:
        """Writes a reading of each connection whose counters moved since the last one; returns all connections."""
        found = self.channels.sockets()
        if self._know(found):
            # Who began to listen meanwhile is no client of those who came.
            listening = self.channels.sockets(LISTENING_STATES)
            self.listening |= {(each.namespace, each.local_port) for each in listening}
        for each in found:
            counters = (each.bytes_out, each.bytes_in)
            known = each.uid in self.written
            incoming = self.direction(each) == "incoming"
            if known and not everything and (incoming or counters == self.written[each.uid]):
                continue
            if self.readings_count >= READINGS_COUNT:
                self.left_out_count += 1
                continue
            self.readings_count += 1
            self.written[each.uid] = counters
            sockets.record_usage(look, each, self.direction(each), self.owner(each))
        return found

    def direction(self, each: Socket) -> str:
        """Who opened the connection: on a port we listen on, the other end did."""
        return "incoming" if (each.namespace, each.local_port) in self.listening else "outgoing"

    def owner(self, each: Socket) -> dict[str, object]:
        """Columns that name the owner."""
        pid = self.owner_of.get(each.inode)
        stat = self.table.stats.get(pid) if pid is not None else None
        if stat is None:
            return {}
        return {
            "process_pid": stat.pid,
            "process_started_at": procfs.started_at(stat, self.table.reader.boot),
            "process_name": stat.name,
        }

    def _know(self, found: Iterable[Socket]) -> bool:
        """Looks for owners again when a socket is met whose owner is not known, once for each; whether one was met."""
        unknown = {each.inode for each in found if each.inode and each.inode not in self.owner_of} - self.asked
        if unknown:
            self._find_owners()
            self.asked |= unknown
        return bool(unknown)

    def finish(self, look: Look) -> None:
        """States what was not seen."""
        if self.refused_count:
            look.could_not_look(
                "owners of sockets",
                f"{self.refused_count} processes of other users could not be read: CAP_SYS_PTRACE or root would show "
                "which of them own connections",
            )
        if self.left_out_count:
            look.recorder.record(
                "sensor_state",
                look.at,
                kind="lost",
                name="sockets",
                lost_count=self.left_out_count,
                reason=f"more than {READINGS_COUNT} readings of connections in one look",
            )
        self.channels.close()


def _client_ports() -> tuple[int, int]:
    """The range the kernel gives clients' ports from."""
    try:
        low, high = procfs.read_bytes("/proc/sys/net/ipv4/ip_local_port_range").split()
        return int(low), int(high)
    except (OSError, ValueError):
        return 32768, 60999
