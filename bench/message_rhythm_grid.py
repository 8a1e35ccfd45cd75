"""The grid `mining_message_rhythm` is calibrated and measured on: emulated miners and benign twins."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from davylamp.catalog.detections.mining_message_rhythm.exchange import read_exchange
from davylamp.catalog.detections.mining_message_rhythm.features import Shape, shape_of
from davylamp.kit.emulation.message import Dialogue, Message, started_late
from davylamp.kit.emulation.mining import MiningRhythm, mining_dialogue
from davylamp.kit.emulation.transport import TLS_HEADER_BYTES, TLS_OVERHEAD_BYTES, blank_padded, encrypted, joined
from davylamp.kit.emulation.twins import TWINS, twin_dialogue

DIALECTS = ("bitcoin", "bitcoin_growing", "cryptonote", "cryptonote_old", "ethereum_proxy", "ethereum_stratum", "zcash")
PADDED_TWINS_RATIO = 0.05
"""Hardly any benign software pads; a twin keeps a padded transport this often and is plain TLS otherwise."""
TRANSPORTS = ("clear", "tls_1.2", "tls_1.3", "tls_padded_64", "tls_padded_256", "blank_padded", "tls_joined")
DURATIONS_S = (600.0, 1800.0, 3600.0)
SHARE_GAPS_S = (3.0, 8.0, 20.0, 45.0, 120.0)
JOBS_S: tuple[tuple[float | None, float | None], ...] = ((None, 120), (30, 600), (60, 120), (60, 600), (20, 15))


@dataclass(frozen=True, slots=True)
class Sample:
    """One connection of the grid with what it is and what the detection sees of it."""

    mining: bool
    kind: str
    transport: str
    share_gap_s: float
    duration_s: float
    shape: Shape | None


def carried(dialogue: Dialogue, transport: str, seed: int) -> tuple[Dialogue, int]:
    """The dialogue on its transport, and the bytes a record adds."""
    if transport == "clear":
        return dialogue, 0
    if transport == "blank_padded":
        return blank_padded(dialogue, seed, 24), 0
    if transport == "tls_joined":
        return _closed(encrypted(joined(dialogue, 0.05), seed), "1.3", seed), TLS_OVERHEAD_BYTES["1.3"]
    version = "1.2" if transport == "tls_1.2" else "1.3"
    padding_bytes = int(transport.rsplit("_", 1)[1]) if "padded" in transport else 1
    sealed = encrypted(dialogue, seed, version=version, pad_to_bytes=padding_bytes)
    return _closed(sealed, version, seed), TLS_OVERHEAD_BYTES[version]


def _closed(dialogue: Dialogue, version: str, seed: int) -> Dialogue:
    """Every second connection is seen to its end, where the client says that it closes."""
    if seed % 2 or not dialogue:
        return dialogue
    return (*dialogue, Message(dialogue[-1].time_s + 0.5, True, bytes(2 + TLS_OVERHEAD_BYTES[version])))


def dialogue_shape(dialogue: Dialogue, overhead_bytes: int) -> Shape | None:
    """The shape of a dialogue as the detection reads it: bursts of 10 ms, without record headers."""
    messages = joined(dialogue, 0.01)
    header_bytes = TLS_HEADER_BYTES if overhead_bytes else 0
    sizes = [(len(message.payload) - header_bytes) * (1 if message.outbound else -1) for message in messages]
    exchange = read_exchange([message.time_s for message in messages], sizes, overhead_bytes - header_bytes)
    return None if exchange is None else shape_of(exchange, overhead_bytes - header_bytes)


def _rhythm(rng: random.Random, dialect: str) -> MiningRhythm:
    ping_s = rng.choice([None, None, 60.0])
    if dialect == "ethereum_proxy" and rng.random() < 0.7:
        ping_s = rng.choice([10.0, 20.0])
    job_period_s, block_gap_s = rng.choice(JOBS_S)
    return MiningRhythm(
        duration_s=rng.choice(DURATIONS_S),
        share_gap_s=rng.choice(SHARE_GAPS_S),
        vardiff=rng.random() < 0.3,
        job_period_s=job_period_s,
        block_gap_s=block_gap_s,
        ping_s=ping_s,
        round_trip_s=rng.choice([0.02, 0.08, 0.25]),
        fan_in_count=rng.choice([1, 1, 1, 1, 8]),
        throttle_ratio=rng.choice([1.0, 1.0, 0.3]),
    )


def miners(count: int, seed: int) -> Iterator[Sample]:
    """Mining connections drawn over dialect, share gap, jobs, transport, throttling and proxy fan-in."""
    rng = random.Random(f"miners:{seed}")
    for number in range(count):
        dialect, transport = rng.choice(DIALECTS), rng.choice(TRANSPORTS)
        rhythm = _rhythm(rng, dialect)
        dialogue = mining_dialogue(dialect, seed * 1_000_000 + number, rhythm)
        if rng.random() < 0.2:
            dialogue = started_late(dialogue, 60)
        shape = dialogue_shape(*carried(dialogue, transport, number))
        yield Sample(True, dialect, transport, rhythm.share_gap_s, rhythm.duration_s, shape)


def twins(count: int, seed: int) -> Iterator[Sample]:
    """Benign connections drawn over kind, transport and duration."""
    rng = random.Random(f"twins:{seed}")
    for number in range(count):
        kind, transport, duration_s = rng.choice(list(TWINS)), rng.choice(TRANSPORTS), rng.choice(DURATIONS_S)
        if "padded" in transport and rng.random() > PADDED_TWINS_RATIO:
            transport = "tls_1.3"
        dialogue = twin_dialogue(kind, seed * 1_000_000 + number, duration_s)
        shape = dialogue_shape(*carried(dialogue, transport, number))
        yield Sample(False, kind, transport, 0.0, duration_s, shape)
