"""Detections: ask in SQL, judge in Python, never act.

`query.sql` runs where the data lives. It reads one view per event class (columns of
`davylamp.model.events` plus `asset`; `network_activity` also has `peer_asset`, the destination's
asset where it is known; `api_activity` also has `account`, the account concerned, and `principal`, the
actor without its session, each `unknown` where the record does not say) and, where it needs them, these tables:

    indicator(type, value, port, indicator_class, source)   -- live entries only
    known_resolver(ip, name)                                 -- public DNS, DoH and DoT resolvers
    network_activity_bare                                    -- its rows without asset and peer_asset
    network_peer(ip)                                         -- each address that a record went to, or that a two-way
                                                             -- record came from, once
    dns_name(name)                                           -- each name that was asked for, or that an answer holds
                                                             -- (in lower case, without the last dot), once
    listed_dns_name(name)                                    -- names that an entry for a pool or a browser miner may
    listed_server_name(server_name, name)                    -- cover; the matcher has the last word

A query may make relations of its own first (`davylamp.kit.query`). `$name` in the query stands for
`params["name"]`. The SQL stays in the subset that sqlglot carries to Spark. It returns one row per cited
record: the candidate's columns, repeated, and the record's `path`, `line`, `frame`, `byte_offset` (at most 50
records a candidate, the count of all beside it).
`kit.candidates` groups such rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Protocol

from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import Finding
from davylamp.model.indicator import Indicator
from davylamp.model.money import Price

Row = Mapping[str, object]


class Facts(Protocol):
    """What judge() may ask of the world; everything in it was read before judging began."""

    def match_domain(self, name: str) -> Indicator | None:
        """The most specific live indicator that covers `name` on a label boundary."""
        ...

    def match_address(self, ip: str, port: int | None) -> Indicator | None:
        """The live indicator for an address (and port)."""
        ...

    def price(self, instance_type: str, region: str, provider: str = "aws") -> Price:
        """List price of a machine; falls back to a per-vCPU rate and says so."""
        ...

    def rate_usd(self, item: str) -> float:
        """A unit rate of the price book by its item name, such as `fargate_x86_vcpu_hour`."""
        ...

    def has_rows(self, event_class: str) -> bool:
        """Whether the evidence holds any row of a class."""
        ...

    def looks_count(self, event_class: str) -> int:
        """How often the host that was looked at most was looked at: different instants of a class's rows."""
        ...


class Detection:
    """Base of every detection.

    `params` are the thresholds; each is explained, with its source, in the class docstring.
    """

    meta: ClassVar[DetectionMeta]
    params: ClassVar[Mapping[str, object]] = {}

    def judge(self, candidates: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """Findings for the rows of `query.sql`; pure, deterministic."""
        raise NotImplementedError

    def could_look(self, facts: Facts) -> str:
        """Empty when the evidence allows a verdict, else the reason why it does not."""
        missing = [name for name in self.meta.reads[:1] if not facts.has_rows(name)]
        return no_evidence(missing[0]) if missing else ""


def no_evidence(event_class: str) -> str:
    """Why a detection cannot look that reads nothing else first."""
    return f"no {event_class} evidence"


def indispensable_class(detection: Detection) -> str:
    """The event class without rows of which the detection cannot look; empty where it decides for itself."""
    decides = type(detection).could_look is not Detection.could_look
    return "" if decides or not detection.meta.reads else detection.meta.reads[0]
