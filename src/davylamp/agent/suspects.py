"""Whose connections are listened to in a look: those of processes that burn CPU, and of their families."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from davylamp.agent.connections import Connections
from davylamp.agent.procfs import Stat
from davylamp.agent.sockets import Socket

# Who burns this much of one CPU is a suspect. A miner throttled to a tenth of one core earns cents a month
# (knowledge/cost.md), and on a machine whose cores three others want as well it gets a third of that.
SUSPECT_CPU_RATIO = 0.03
SUSPECT_CONNECTIONS_COUNT = 4
# What carries more than this is no pool's connection (those published carry 9 to 140 bytes a second; knowledge base,
# detection methods 4.2), and its packets would take the place of a pool's. Averaged over at least so many seconds,
# since a log-in with its first job comes at once.
LOUD_BYTES_PER_S = 4000.0
LOUD_LEAST_S = 3.0
# A worker's maker, and the maker of that (a server that forks); further up are shells and service managers.
ANCESTORS_COUNT = 2

Wanted = list[tuple[Socket, int]]


@dataclass
class Suspects:
    """Remembers what connections carried, so that loud ones are left alone."""

    _first: dict[str, tuple[float, int]] = field(default_factory=dict)

    def connections_of(
        self, burned: Mapping[int, float], found: list[Socket], connections: Connections, at_s: float
    ) -> Wanted:
        """Quiet outgoing connections of who burns and of their families, those of the hungriest first.

        Args:
            burned: pid -> share of one CPU it has used so far in this look.
            found: every connection there is.
            at_s: steady clock.
        """
        carried = {each.uid: (each.bytes_out or 0) + (each.bytes_in or 0) for each in found}
        self._first = {uid: self._first.get(uid, (at_s, count)) for uid, count in carried.items()}
        burning = {pid for pid, ratio in burned.items() if ratio >= SUSPECT_CPU_RATIO}
        family = family_of(burning, connections.table.stats)
        by_owner: dict[int, Wanted] = {}
        for each in found:
            pid = connections.owner_of.get(each.inode)
            if pid is not None and pid in family and connections.direction(each) == "outgoing":
                by_owner.setdefault(pid, []).append((each, pid))
        few = sorted(
            (pid for pid, held in by_owner.items() if len(held) <= SUSPECT_CONNECTIONS_COUNT),
            key=lambda pid: (-burned.get(pid, 0.0), pid),
        )
        return [one for pid in few for one in by_owner[pid] if not self._is_loud(one[0].uid, carried, at_s)]

    def _is_loud(self, uid: str, carried: Mapping[str, int], at_s: float) -> bool:
        first_s, first_bytes = self._first[uid]
        return carried[uid] - first_bytes > LOUD_BYTES_PER_S * max(LOUD_LEAST_S, at_s - first_s)


def family_of(burning: set[int], stats: Mapping[int, Stat]) -> set[int]:
    """The burning processes, their children, their next ancestors and the children of those.

    A pool of workers burns while the process that made it talks, or another one that it made.
    """
    near = set(burning)
    for pid in burning:
        for _ in range(ANCESTORS_COUNT):
            pid = stats[pid].parent_pid if pid in stats else 0
            if pid <= 1:
                break
            near.add(pid)
    return (near | {pid for pid, stat in stats.items() if stat.parent_pid in near}) - {0}
