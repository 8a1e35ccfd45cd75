"""Connections followed for weeks: the kernel is asked often, and a row is written when its counters say something."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from davylamp.agent import procfs, sockets
from davylamp.agent.connections import Connections
from davylamp.agent.procfs import Stat
from davylamp.agent.record import Look
from davylamp.agent.sockets import Socket

# A connection that no burning process owns is told again this often while its counters move.
QUIET_ROW_S = 300.0
# Looking through every process's descriptors costs as much as all else together, so it is done this often at most.
OWNERS_EVERY_S = 60.0
# Rows of one look; a proxy holds ten thousand connections, and the spool has to last.
ROWS_COUNT = 200
# Ports remembered as listened on.
PORTS_COUNT = 4096


@dataclass(slots=True)
class _Told:
    """What was written of a connection last."""

    at_s: float
    counters: tuple[int | None, int | None]


@dataclass
class SocketWatch:
    """Writes outgoing connections as `socket_usage`.

    A miner asks its pool for work, so its connection is an outgoing one. Incoming ones stand behind the listening
    ports, which are written; they are not.

    Args:
        base: the kernel's diagnosis, with ports and owners known so far.
        skipped_count: connections that were gone before their turn to be written came.
    """

    base: Connections
    skipped_count: int = 0
    _told: dict[str, _Told] = field(default_factory=dict)
    _postponed: set[str] = field(default_factory=set)
    _seen_once: set[int] = field(default_factory=set)
    _refused_stated: bool = False
    _owners_at_s: float = -OWNERS_EVERY_S

    def look(self, look: Look, at_s: float, burning: Collection[int], all_of_burners: bool = False) -> list[Socket]:
        """Asks the kernel once and writes what is new, or has moved.

        Args:
            at_s: steady clock.
            burning: pids of processes that burn CPU; their connections, and those of their parents and children, are
                written at every look in which they moved.
            all_of_burners: write them whether they moved or not, as a judging needs to know that they are open still.

        Returns:
            Connections of burning processes.
        """
        outgoing = [each for each in self.base.channels.sockets() if self.base.direction(each) == "outgoing"]
        family = family_of(burning, self.base.table.stats)
        self._find_owners(outgoing, family, at_s)
        written_count = 0
        later: set[str] = set()
        burners: list[Socket] = []
        for each in outgoing:
            close = self.base.owner_of.get(each.inode) in family
            if close:
                burners.append(each)
            told, counters = self._told.get(each.uid), (each.bytes_out, each.bytes_in)
            moved = told is None or counters != told.counters
            due = told is None or close or at_s - told.at_s >= QUIET_ROW_S
            if not (moved and due) and not (all_of_burners and close):
                continue
            if written_count >= ROWS_COUNT and not close:
                later.add(each.uid)  # the next look writes it, if it is there still
                continue
            written_count += 1
            self._told[each.uid] = _Told(at_s, counters)
            sockets.record_usage(look, each, "outgoing", self.base.owner(each))
        self.skipped_count += len(self._postponed - {each.uid for each in outgoing})
        self._postponed = later
        self._forget(outgoing)
        return burners

    def listening(self, look: Look) -> None:
        """Writes the listening ports, and follows containers that have come or gone."""
        self._follow_namespaces()
        before = self.base.listening
        self.base.record_listening(look)
        # A server that has closed its door still talks to those who came in.
        if len(before) < PORTS_COUNT:
            self.base.listening |= before

    def take_skipped_count(self) -> int:
        """Connections never written since the last call, for there were too many at once."""
        count, self.skipped_count = self.skipped_count, 0
        return count

    def state_refused(self, look: Look) -> None:
        """Says once that other users' processes could not be asked which connections they own."""
        if self.base.refused_count and not self._refused_stated and os.geteuid():
            self._refused_stated = True
            look.could_not_look(
                "owners of sockets",
                f"{self.base.refused_count} processes of other users could not be read: CAP_SYS_PTRACE or root would "
                "show which of them own connections",
            )

    def _find_owners(self, outgoing: list[Socket], family: Collection[int], at_s: float) -> None:
        """Looks through the suspects' descriptors at once, through everybody's for connections that last."""
        unknown = {each.inode for each in outgoing if each.inode and each.inode not in self.base.owner_of}
        if not unknown:
            self._seen_once.clear()
            return
        held, _ = sockets.owners(family, self.base.table.reader.proc)
        self.base.owner_of |= held
        lasting = (unknown - held.keys()) & self._seen_once
        if lasting and at_s - self._owners_at_s >= OWNERS_EVERY_S:
            self._owners_at_s = at_s
            held, self.base.refused_count = sockets.owners(self.base.table.stats, self.base.table.reader.proc)
            self.base.owner_of |= held
            # Sockets of processes that we may not read stay without an owner and are not looked for again.
            self.base.asked |= lasting - held.keys()
        self._seen_once = unknown - self.base.asked

    def _forget(self, outgoing: list[Socket]) -> None:
        """Keeps nothing of connections that are gone: the kernel gives their inodes to others."""
        uids, inodes = {each.uid for each in outgoing}, {each.inode for each in outgoing}
        self._told = {uid: told for uid, told in self._told.items() if uid in uids}
        self.base.owner_of = {inode: pid for inode, pid in self.base.owner_of.items() if inode in inodes}
        self.base.asked &= inodes

    def _follow_namespaces(self) -> None:
        """A channel keeps its network namespace alive, so that of an ended container is let go."""
        opened = self.base.channels.opened
        alive = {procfs.link_of(f"{self.base.channels.proc}/{pid}/ns/net") for pid in self.base.table.stats}
        for link in [link for link in opened if link and link not in alive]:
            opened.pop(link).close()
        self.base.channels.open_others(self.base.table.stats)


def family_of(burning: Collection[int], stats: Mapping[int, Stat]) -> set[int]:
    """The burning processes, their parents and their children: a pool of workers burns while its maker talks."""
    family = set(burning) | {stats[pid].parent_pid for pid in burning if pid in stats}
    family |= {pid for pid, stat in stats.items() if stat.parent_pid in burning}
    return family - {0, 1}
