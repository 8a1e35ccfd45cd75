"""Pairs DNS questions with their answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from davylamp.dns_message import DnsMessage

# dig and glibc wait 5 s and ask three times; Zeek's own limit is also 10 s.
_ANSWER_WITHIN_NS = 10_000_000_000
_WAITING_LIMIT_COUNT = 100_000

Address = tuple[bool, int, int]


@dataclass(frozen=True, slots=True)
class DnsRow:
    """One question, answered or not; `frame` and `time_ns` are the answer's when the question is missing."""

    time_ns: int
    frame: int
    asker: Address
    asker_port: int
    resolver: Address
    resolver_port: int
    protocol: str
    name: str
    type: str
    answers: tuple[str, ...] | None
    rcode: str | None


@dataclass(frozen=True, slots=True)
class Exchange:
    """Who asks whom, over what."""

    asker: Address
    asker_port: int
    resolver: Address
    resolver_port: int
    protocol: str


class DnsPairs:
    """Questions that wait for their answers."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[Exchange, int, str, str], tuple[int, int]] = {}
        self._rows: list[DnsRow] = []

    def add(self, exchange: Exchange, message: DnsMessage, time_ns: int, frame: int) -> None:
        """Takes one message in file order."""
        if message.opcode != 0:
            return
        key = (exchange, message.identity, message.name, message.type)
        if not message.response:
            # A repeated question keeps the instant of the first.
            self._waiting.setdefault(key, (time_ns, frame))
            if len(self._waiting) > _WAITING_LIMIT_COUNT:
                self._give_up(next(iter(self._waiting)))
            return
        asked = self._waiting.pop(key, (time_ns, frame))
        self._rows.append(_row(key, asked, message.answers, message.rcode))

    def _give_up(self, key: tuple[Exchange, int, str, str]) -> None:
        self._rows.append(_row(key, self._waiting.pop(key), None, None))

    def finished(self, now_ns: int | None) -> Iterator[DnsRow]:
        """Rows that are complete at this instant of the capture; all of them at its end (None)."""
        late = [
            key
            for key, (asked_ns, _) in self._waiting.items()
            if now_ns is None or now_ns - asked_ns > _ANSWER_WITHIN_NS
        ]
        for key in late:
            self._give_up(key)
        rows, self._rows = self._rows, []
        yield from sorted(rows, key=lambda row: row.frame)


def _row(
    key: tuple[Exchange, int, str, str], asked: tuple[int, int], answers: tuple[str, ...] | None, rcode: str | None
) -> DnsRow:
    exchange, _, name, kind = key
    return DnsRow(
        asked[0],
        asked[1],
        exchange.asker,
        exchange.asker_port,
        exchange.resolver,
        exchange.resolver_port,
        exchange.protocol,
        name,
        kind,
        answers,
        rcode,
    )
