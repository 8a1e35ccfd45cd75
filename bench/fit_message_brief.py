"""Computes the weights of `mining_message_rhythm` for short looks again, and measures them on what they never saw.

Run from the repository's root: `python -m bench.fit_message_brief [--benign ROWS.jsonl]` (rows as for
`bench.fit_message_rhythm`). A look of 20 s to 4 minutes begins in the middle of the connection four times of five.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.fit_message_rhythm import REAL_WEIGHT
from bench.logistic import fitted, judged, print_supported, score_of
from bench.message_rhythm_grid import DIALECTS, PADDED_TWINS_RATIO, carried
from davylamp.catalog.detections.mining_message_rhythm.brief import (
    BRIEF_SIGNS,
    SHORTEST_MOST_S,
    brief_inputs,
    brief_judgeable,
    brief_of,
)
from davylamp.catalog.detections.mining_message_rhythm.candidate import NO_BEGINNING
from davylamp.catalog.detections.mining_message_rhythm.exchange import read_exchange
from davylamp.catalog.detections.mining_message_rhythm.features import shape_of
from davylamp.catalog.detections.mining_message_rhythm.model import overhead_of
from davylamp.kit.emulation.message import Dialogue
from davylamp.kit.emulation.mining import MiningRhythm, mining_dialogue
from davylamp.kit.emulation.transport import TLS_HEADER_BYTES, joined
from davylamp.kit.emulation.twins import TWINS, twin_dialogue

LENGTHS_S = (20.0, 30.0, 60.0, 60.0, 120.0, 240.0)
WHOLE_S = 330.0
SHARE_GAPS_S = (2.0, 3.0, 4.0, 6.0, 10.0)
JOB_PERIODS_S = (10.0, 15.0, 20.0, 30.0, 60.0, None)
BLOCK_GAPS_S = (15.0, 60.0, 120.0, 600.0)
TRANSPORTS = ("clear", "tls_1.2", "tls_1.3", "tls_1.3", "tls_padded_64", "tls_joined")
REAL_WINDOWS_COUNT = 20
SCORES = (2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a connection: what it is, and the model's inputs where there is enough to judge."""

    mining: bool
    kind: str
    transport: str
    length_s: float
    share_gap_s: float
    job_period_s: float | None
    given: dict[str, float] | None


def looked_at(
    times_s: Sequence[float], sizes: Sequence[int], overhead_bytes: int, opened_before: bool
) -> dict[str, float] | None:
    """The model's inputs of messages; None where there is too little."""
    exchange = read_exchange(times_s, sizes, overhead_bytes, opened_before)
    shape = exchange and shape_of(exchange, overhead_bytes)
    if not exchange or not shape:
        return None
    brief = brief_of(exchange, overhead_bytes)
    return brief_inputs(shape, brief) if brief_judgeable(shape, brief) else None


def _window(rng: random.Random, dialogue: Dialogue, overhead_bytes: int, length_s: float) -> dict[str, float] | None:
    """A look from the connection's beginning, or from its middle."""
    opened_before = rng.random() < 0.8
    begin_s = rng.uniform(2.0, WHOLE_S - length_s) if opened_before else 0.0
    header_bytes = TLS_HEADER_BYTES if overhead_bytes else 0
    inside = [each for each in joined(dialogue, 0.01) if begin_s <= each.time_s < begin_s + length_s]
    sizes = [(len(each.payload) - header_bytes) * (1 if each.outbound else -1) for each in inside]
    times_s = [each.time_s - begin_s for each in inside]
    return looked_at(times_s, sizes, overhead_bytes - header_bytes, opened_before)


def miners(count: int, seed: int) -> Iterator[Look]:
    """Miners over dialect, transport, share gap, jobs, steering, keep-alives and round trip."""
    rng = random.Random(f"brief-miners:{seed}")
    for number in range(count):
        dialect, transport, length_s = rng.choice(DIALECTS), rng.choice(TRANSPORTS), rng.choice(LENGTHS_S)
        polls = dialect == "ethereum_proxy" and rng.random() < 0.7
        rhythm = MiningRhythm(
            duration_s=WHOLE_S,
            share_gap_s=rng.choice(SHARE_GAPS_S),
            vardiff=rng.random() < 0.5,
            job_period_s=rng.choice(JOB_PERIODS_S),
            block_gap_s=rng.choice(BLOCK_GAPS_S),
            ping_s=rng.choice((10.0, 20.0)) if polls else rng.choice((None, None, 60.0)),
            round_trip_s=rng.choice((0.001, 0.02, 0.08, 0.25)),
            fan_in_count=rng.choice((1,) * 9 + (4,)),
        )
        dialogue, overhead_bytes = carried(mining_dialogue(dialect, seed * 1_000_000 + number, rhythm), transport, 1)
        given = _window(rng, dialogue, overhead_bytes, length_s)
        yield Look(True, dialect, transport, length_s, rhythm.share_gap_s, rhythm.job_period_s, given)


def twins(count: int, seed: int) -> Iterator[Look]:
    """Benign connections over kind and transport."""
    rng = random.Random(f"brief-twins:{seed}")
    for number in range(count):
        kind, transport, length_s = rng.choice(list(TWINS)), rng.choice(TRANSPORTS), rng.choice(LENGTHS_S)
        if "padded" in transport and rng.random() > PADDED_TWINS_RATIO:
            transport = "tls_1.3"
        dialogue, overhead_bytes = carried(twin_dialogue(kind, seed * 1_000_000 + number, WHOLE_S), transport, 1)
        yield Look(False, kind, transport, length_s, 0.0, None, _window(rng, dialogue, overhead_bytes, length_s))


def real_looks(path: Path) -> Iterator[Look]:
    """Connections of benign captures whole, and cut to short looks."""
    rng = random.Random("brief-real")
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    for row in rows:
        times_s, sizes = row.get("message_times_s") or [], row.get("message_sizes_bytes") or []
        if row.get("protocol") != "tcp" or len(sizes) < 7:
            continue
        overhead_bytes = overhead_of(row.get("application"), row.get("tls_version"))
        windows = [(0.0, times_s[-1] + 1.0)]
        for length_s in sorted(set(LENGTHS_S)):
            count = min(REAL_WINDOWS_COUNT, int(times_s[-1] / length_s))
            windows += [(rng.uniform(0.0, times_s[-1] - length_s), length_s) for _ in range(count)]
        for begin_s, length_s in windows:
            inside = [n for n, moment_s in enumerate(times_s) if begin_s <= moment_s < begin_s + length_s]
            opened_before = begin_s > 0 or row.get("state") == NO_BEGINNING
            given = looked_at([times_s[n] for n in inside], [sizes[n] for n in inside], overhead_bytes, opened_before)
            yield Look(False, "real", "", length_s, 0.0, None, given)


def fit(looks: Sequence[Look]) -> dict[str, float]:
    """The weights of looks."""
    seen = [look for look in looks if look.given]
    truth = np.array([float(look.mining) for look in seen])
    share = np.array([REAL_WEIGHT if look.kind == "real" else 1.0 for look in seen])
    return fitted([look.given for look in seen if look.given], truth, share, BRIEF_SIGNS)


def table(weights: dict[str, float], looks: Sequence[Look], key: Callable[[Look], str]) -> None:
    """Prints how many of all reach 2, 4, 5 and 6, per cell."""
    cells: dict[str, list[float]] = {}
    for look in looks:
        cells.setdefault(key(look), []).append(score_of(weights, look.given))
    for name, scores in sorted(cells.items()):
        reached = "  ".join(f"{sum(score >= least for score in scores):>6}" for least in (2, 4, 5, 6))
        print(f"  {name:<42} {reached}  of {len(scores)}")


def held_out(looks: Sequence[Look], test: Sequence[Look]) -> None:
    """Leaves out each twin in turn, fits on the rest, and prints what is mistaken of it."""
    for kind in sorted({look.kind for look in looks if not look.mining and look.kind != "real"}):
        weights = fit([look for look in looks if look.kind != kind])
        table(weights, [look for look in test if look.kind == kind and look.given], lambda look: look.kind)


def main() -> None:
    """Fits, prints the weights to paste into `brief.py`, and the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--benign", type=Path, help="rows of benign captures as JSON lines")
    parser.add_argument("--count", type=int, default=4000, help="mining looks; twins are four times as many")
    parser.add_argument("--seeds", type=int, default=2, help="seeds measured on, as many looks each as fitted on")
    parser.add_argument("--quick", action="store_true", help="without the fits that hold one twin out")
    options = parser.parse_args()
    real = list(real_looks(options.benign)) if options.benign else []
    train = [*miners(options.count, 1), *twins(4 * options.count, 1)]
    weights = fit([*train, *real])
    print("weights")
    for name, weight in weights.items():
        print(f'    "{name}": {weight:.2f},')
    seeds = range(2, 2 + options.seeds)
    mining = [look for seed in seeds for look in miners(options.count, seed)]
    benign = [look for seed in seeds for look in twins(4 * options.count, seed)]
    for least_s, most_s in ((0.0, SHORTEST_MOST_S), (SHORTEST_MOST_S, 1e9)):
        print(f"looks of {least_s:.0f} s to {min(most_s, max(LENGTHS_S)):.0f} s")
        caught, mistaken = (
            judged(score_of(weights, look.given) for look in some if least_s <= look.length_s < most_s)
            for some in (mining, benign)
        )
        print_supported(caught, mistaken, SCORES)
    plain = [look for look in mining if look.transport in ("clear", "tls_1.2", "tls_1.3") and look.job_period_s]
    print("reach score 2, 4, 5, 6 of all")
    table(weights, mining, lambda look: f"mining {look.length_s:3.0f} s")
    table(weights, mining, lambda look: f"mining {look.transport}")
    table(
        weights, [look for look in plain if look.length_s == 60], lambda look: f"60 s, share {look.share_gap_s:2.0f} s"
    )
    table(weights, [x for x in plain if x.length_s == 60], lambda look: f"60 s, job {look.job_period_s:2.0f} s")
    table(weights, benign, lambda look: f"benign {look.length_s:3.0f} s")
    table(weights, [look for look in benign if look.given], lambda look: look.kind)
    table(weights, [look for look in real if look.given], lambda look: "benign captures (seen in the fit)")
    if not options.quick:
        print("twins held out")
        held_out([*train, *real], benign)


if __name__ == "__main__":
    main()
