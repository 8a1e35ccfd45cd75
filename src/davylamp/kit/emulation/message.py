"""One application message on a connection, and small operations on dialogues."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Message:
    """Bytes that one side hands to its socket at once.

    Args:
        time_s: seconds since the connection opened.
        outbound: True from the client, False from the server.
    """

    time_s: float
    outbound: bool
    payload: bytes


Dialogue = tuple[Message, ...]


def in_order(messages: Iterable[Message]) -> Dialogue:
    """The messages by time; at equal times the order given stays."""
    return tuple(sorted(messages, key=lambda message: message.time_s))


def with_payload(dialogue: Dialogue, change: Callable[[Message], bytes]) -> Dialogue:
    """The same instants and directions with other bytes."""
    return tuple(replace(message, payload=change(message)) for message in dialogue)


def started_late(dialogue: Dialogue, skip_s: float) -> Dialogue:
    """What a capture sees that began `skip_s` after the connection did; its clock starts then."""
    return tuple(replace(message, time_s=message.time_s - skip_s) for message in dialogue if message.time_s >= skip_s)


def random_hex(rng: random.Random, size_bytes: int) -> str:
    """Lower-case hexadecimal of random bytes: every digest, blob and nonce here is this."""
    return rng.randbytes(size_bytes).hex()


def exponential_instants(rng: random.Random, mean_gap_s: float, start_s: float, end_s: float) -> list[float]:
    """Instants of a memoryless process in the half-open window."""
    instants: list[float] = []
    moment_s = start_s + rng.expovariate(1 / mean_gap_s)
    while moment_s < end_s:
        instants.append(moment_s)
        moment_s += rng.expovariate(1 / mean_gap_s)
    return instants


def periodic_instants(
    rng: random.Random, period_s: float, start_s: float, end_s: float, jitter_ratio: float = 0.02
) -> list[float]:
    """Instants of a timer, each gap off by a normal error of `jitter_ratio` periods."""
    instants: list[float] = []
    moment_s = start_s + period_s * rng.uniform(0.2, 1.0)
    while moment_s < end_s:
        instants.append(moment_s)
        moment_s += max(period_s * 0.05, period_s * rng.gauss(1.0, jitter_ratio))
    return instants


def round_trip(rng: random.Random, typical_s: float) -> float:
    """One answer's delay: log-normal about the typical one, as queues make it."""
    return typical_s * rng.lognormvariate(0.0, 0.25)
