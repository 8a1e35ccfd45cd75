"""Messages of a few suspect connections, told from the kernel's counters where their packets may not be kept.

Without CAP_NET_RAW nobody may listen to packets, but the counters of a connection (tcp_info) are everybody's to read.
Asked ten times a second they tell when each message went and how long it was: at a miner's pace two messages of one
direction fall together once in dozens. Their content stays unseen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations_with_replacement

from davylamp.agent.connections import Connections
from davylamp.agent.record import Look
from davylamp.agent.sockets import STATES, Socket, same_socket

ASKED_EVERY_S = 0.1
# A question may come late, on a machine that many want.
LATE_MOST_S = 1.0
# Connections asked for at once: a question takes 0.1 ms, so that these take 3 % of a CPU at the most.
ASKED_COUNT = 32
# Messages kept of one connection; a minute of a share a second holds 200.
MESSAGES_COUNT = 512
# Counters of a share and ids in it grow by a digit now and then.
TOLERANCE_BYTES = 4
# More than so many segments at once are a transfer, not messages.
SEGMENTS_MOST_COUNT = 3
# A miner's talk has a handful of sizes; of more, anything could be added up.
KNOWN_SIZES_COUNT = 12


@dataclass(slots=True)
class Heard:
    """What a connection's counters gained between two questions.

    Args:
        at: when it went last, seconds since 1970.
        sent: by this end.
    """

    at: float
    sent: bool
    size_bytes: int
    segments_count: int


@dataclass(slots=True)
class _Followed:
    last: Socket
    heard: list[Heard] = field(default_factory=list)
    told_count: int = 0


@dataclass
class CountedMessages:
    """Follows connections of our own network namespace."""

    connections: Connections
    followed: dict[str, _Followed] = field(default_factory=dict)

    def follow(self, wanted: Sequence[tuple[Socket, int]], only: bool = False) -> None:
        """Takes up connections; what is followed already stays so.

        Args:
            only: forget every other one.
        """
        if only:
            named = {each.uid for each, _ in wanted}
            self.followed = {uid: each for uid, each in self.followed.items() if uid in named}
        for each, _ in wanted:
            if each.namespace is None and each.uid not in self.followed and len(self.followed) < ASKED_COUNT:
                self.followed[each.uid] = _Followed(each)

    def ask(self, at: float) -> None:
        """Asks for the counters of each, and keeps what they gained."""
        channel = self.connections.channels.opened.get("")
        for each in self.followed.values() if channel is not None else ():
            assert channel is not None
            now = same_socket(channel, each.last)
            if now is not None and now.uid == each.last.uid and len(each.heard) < MESSAGES_COUNT:
                each.heard += gained(each.last, now, at)
                each.last = now

    def record(self, look: Look) -> None:
        """Writes what was heard of each connection, from the beginning on, where it is more than was written last."""
        for each in self.followed.values():
            if len(each.heard) == each.told_count:
                continue
            each.told_count = len(each.heard)
            messages = sorted(single_messages(each.heard), key=lambda one: one.at)
            first = each.last
            look.recorder.record(
                "network_activity",
                messages[0].at,
                end_time=messages[-1].at,
                protocol="tcp",
                state=STATES.get(first.state),
                src_ip=first.local_ip,
                src_port=first.local_port,
                dst_ip=first.remote_ip,
                dst_port=first.remote_port,
                bytes_out=sum(one.size_bytes for one in messages if one.sent),
                bytes_in=sum(one.size_bytes for one in messages if not one.sent),
                message_times_s=[one.at - messages[0].at for one in messages],
                message_sizes_bytes=[one.size_bytes * (1 if one.sent else -1) for one in messages],
                **self.connections.owner(first),
            )


def gained(before: Socket, now: Socket, at: float) -> list[Heard]:
    """What went between two readings of one connection."""
    found = []
    out_bytes = _difference(before.sent_bytes, now.sent_bytes)
    if out_bytes is None:
        out_bytes = _difference(before.bytes_out, now.bytes_out)
    for sent, size, segments, ago_s in (
        (True, out_bytes, _difference(before.segments_out, now.segments_out), now.last_sent_ago_s),
        (
            False,
            _difference(before.bytes_in, now.bytes_in),
            _difference(before.segments_in, now.segments_in),
            now.last_received_ago_s,
        ),
    ):
        if size:
            found.append(Heard(at - min(ago_s or 0.0, LATE_MOST_S), sent, size, max(1, segments or 1)))
    return found


def _difference(before: int | None, now: int | None) -> int | None:
    return None if before is None or now is None else max(0, now - before)


def single_messages(heard: Sequence[Heard]) -> list[Heard]:
    """Messages one by one: what came together is taken apart where sizes that came alone add up to it."""
    found = []
    for sent in (True, False):
        mine = [each for each in heard if each.sent == sent]
        known = sorted({each.size_bytes for each in mine if each.segments_count == 1})
        for each in mine:
            parts = _parts(each, known)
            found += [Heard(each.at, sent, part, 1) for part in parts] if parts else [each]
    return found


def _parts(each: Heard, known: Sequence[int]) -> tuple[int, ...]:
    """Known sizes, as many as segments, that add up to what came together; empty where none do.

    An answer comes before the job that overtook it no more often than after it; the smaller one is put first.
    """
    if not 2 <= each.segments_count <= SEGMENTS_MOST_COUNT or len(known) > KNOWN_SIZES_COUNT:
        return ()
    room = TOLERANCE_BYTES * each.segments_count
    sums = combinations_with_replacement(known, each.segments_count)
    near = [parts for parts in sums if abs(sum(parts) - each.size_bytes) <= room]
    return min(near, key=lambda parts: abs(sum(parts) - each.size_bytes), default=())
