"""A mining dialogue: a dialect's lines at the instants of a miner and its pool.

Timing follows what captures and pools' settings show: shares are memoryless, jobs follow a timer
and the chain's blocks, a pool's variable difficulty keeps the share rate near its target.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass

from davylamp.kit.emulation.bitcoin import BitcoinStratum, EthereumStratum, ZcashStratum
from davylamp.kit.emulation.cryptonote import CryptoNote
from davylamp.kit.emulation.dialect import Dialect
from davylamp.kit.emulation.ethereum import EthereumProxy, HttpWork
from davylamp.kit.emulation.message import (
    Dialogue,
    Message,
    exponential_instants,
    in_order,
    periodic_instants,
    round_trip,
)

DIALECTS: dict[str, Callable[[random.Random], Dialect]] = {
    "bitcoin": BitcoinStratum,
    "bitcoin_spaced": lambda rng: BitcoinStratum(rng, spaced=True, merkle_branches=10),
    "bitcoin_growing": lambda rng: BitcoinStratum(rng, branches_spread=2),
    "cryptonote": CryptoNote,
    "cryptonote_old": lambda rng: CryptoNote(rng, modern=False, long_id=True),
    "ethereum_proxy": EthereumProxy,
    "ethereum_stratum": EthereumStratum,
    "zcash": ZcashStratum,
    "getwork": HttpWork,
    "getblocktemplate": lambda rng: HttpWork(rng, method="getblocktemplate"),
}


@dataclass(frozen=True, slots=True)
class MiningRhythm:
    """When a miner and its pool speak.

    Args:
        share_gap_s: mean seconds between one miner's shares, as its difficulty sets it.
        fan_in_count: miners behind a proxy on this one connection.
        throttle_ratio: share of its speed the miner is allowed; slows shares unless `vardiff`.
        vardiff: the pool starts at another difficulty and steers towards `share_gap_s`.
        job_period_s: the pool's timer for fresh jobs; None for none.
        block_gap_s: mean seconds between the chain's blocks, each a job; None for none.
        ping_s: the client's timer for keep-alives or polls; None for none.
        round_trip_s: typical delay of an answer.
    """

    duration_s: float = 1800.0
    share_gap_s: float = 20.0
    fan_in_count: int = 1
    throttle_ratio: float = 1.0
    vardiff: bool = False
    job_period_s: float | None = 60.0
    block_gap_s: float | None = 120.0
    ping_s: float | None = None
    round_trip_s: float = 0.08


def mining_dialogue(dialect_name: str, seed: int, rhythm: MiningRhythm | None = None) -> Dialogue:
    """The dialogue of one connection; the same arguments give the same messages.

    Raises:
        KeyError: no dialect has this name.
    """
    rng = random.Random(f"{dialect_name}:{seed}")
    return speak(DIALECTS[dialect_name](rng), rng, rhythm or MiningRhythm())


def speak(dialect: Dialect, rng: random.Random, rhythm: MiningRhythm) -> Dialogue:
    """A dialect's lines at a rhythm's instants."""
    messages = _opening(dialect, rng, rhythm)
    start_s = messages[-1].time_s
    plan = [(moment_s, "share") for moment_s in _shares(rng, rhythm, start_s)]
    plan += [(moment_s, "job") for moment_s in _jobs(rng, rhythm, start_s)]
    if rhythm.ping_s is not None:
        pings = periodic_instants(rng, rhythm.ping_s, start_s, rhythm.duration_s, jitter_ratio=0.005)
        plan += [(moment_s, "ping") for moment_s in pings]
    if rhythm.vardiff:
        plan += [(moment_s, "difficulty") for moment_s in _retargets(rhythm, start_s)]
    for moment_s, kind in sorted(plan):
        messages += _messages(dialect, rng, rhythm, moment_s, kind)
    return in_order(messages)


def _opening(dialect: Dialect, rng: random.Random, rhythm: MiningRhythm) -> list[Message]:
    messages: list[Message] = []
    moment_s, last_outbound = 0.01, True
    for outbound, payload in dialect.hello():
        moment_s += round_trip(rng, rhythm.round_trip_s) if outbound != last_outbound else 0.002
        last_outbound = outbound
        messages.append(Message(moment_s, outbound, payload))
    return messages


def _messages(dialect: Dialect, rng: random.Random, rhythm: MiningRhythm, moment_s: float, kind: str) -> list[Message]:
    if kind in ("share", "ping"):
        pair = dialect.share() if kind == "share" else dialect.ping()
        if pair is None:
            return []
        answered_s = moment_s + round_trip(rng, rhythm.round_trip_s)
        return [Message(moment_s, True, pair[0]), Message(answered_s, False, pair[1])]
    pushed = dialect.job() if kind == "job" else dialect.difficulty()
    return [] if pushed is None else [Message(moment_s, False, pushed)]


def _shares(rng: random.Random, rhythm: MiningRhythm, start_s: float) -> list[float]:
    if rhythm.vardiff:
        return _steered_shares(rng, rhythm, start_s)
    gap_s = rhythm.share_gap_s / rhythm.throttle_ratio / rhythm.fan_in_count
    return exponential_instants(rng, gap_s, start_s, rhythm.duration_s)


def _retargets(rhythm: MiningRhythm, start_s: float) -> list[float]:
    """Retarget instants: fast at first, then seldom, as pools' settings have it (every 1 to 10 minutes)."""
    instants = [start_s + 60.0, start_s + 150.0, start_s + 300.0]
    while instants[-1] < rhythm.duration_s:
        instants.append(instants[-1] + 600.0)
    return [moment_s for moment_s in instants if moment_s < rhythm.duration_s]


def _steered_shares(rng: random.Random, rhythm: MiningRhythm, start_s: float) -> list[float]:
    """Shares whose mean gap starts off target by up to 4 and is set again within 15 to 43 % of it."""
    target_s = rhythm.share_gap_s / rhythm.fan_in_count
    edges = [start_s, *_retargets(rhythm, start_s), rhythm.duration_s]
    instants: list[float] = []
    gap_s = target_s * rng.uniform(0.25, 2.0)
    for begin_s, end_s in itertools.pairwise(edges):
        instants += exponential_instants(rng, gap_s, begin_s, end_s)
        gap_s = target_s * rng.uniform(0.75, 1.3)
    return instants


def _jobs(rng: random.Random, rhythm: MiningRhythm, start_s: float) -> list[float]:
    instants: list[float] = []
    if rhythm.job_period_s is not None:
        instants += periodic_instants(rng, rhythm.job_period_s, start_s, rhythm.duration_s)
    if rhythm.block_gap_s is not None:
        instants += exponential_instants(rng, rhythm.block_gap_s, start_s, rhythm.duration_s)
    return sorted(instants)
