"""Computes the weights of `socket_message_lattice` again and says how well they hold on what they never saw.

Run from the repository's root: `python -m bench.fit_message_lattice`. Emulated miners and benign twins are turned
into what the kernel's counters show when they are read every 1, 2, 5 or 10 seconds for 20 s to 10 minutes.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.logistic import fitted, judged, print_supported, score_of
from bench.message_rhythm_grid import DIALECTS, carried
from davylamp.catalog.detections.socket_message_lattice.lattice import Lattice, Reading, lattice_of
from davylamp.catalog.detections.socket_message_lattice.model import SIGNS, inputs, judgeable
from davylamp.kit.emulation.message import Dialogue
from davylamp.kit.emulation.mining import MiningRhythm, mining_dialogue
from davylamp.kit.emulation.twins import TWINS, twin_dialogue

FINE_STEPS_S, COARSE_STEPS_S = (1.0, 2.0), (5.0, 10.0)
STEPS_S = (1.0, 1.0, 2.0, 5.0, 10.0)
LENGTHS_S = (20.0, 60.0, 60.0, 120.0, 300.0)
WHOLE_S = 330.0
SEGMENT_BYTES = 1448
SHARE_GAPS_S = (2.0, 3.0, 4.0, 6.0, 10.0, 20.0)
JOBS_S: tuple[tuple[float | None, float | None], ...] = ((None, 60), (30, 600), (60, 120), (20, 15), (15, 120))
TRANSPORTS = ("clear", "tls_1.2", "tls_1.3", "tls_1.3", "tls_joined")
LEAST = (2.0, 3.0, 4.0, 5.0, 6.0)


@dataclass(frozen=True, slots=True)
class Sample:
    """One connection as its counters show it."""

    mining: bool
    kind: str
    length_s: float
    step_s: float
    lattice: Lattice | None


def counters(rng: random.Random, dialogue: Dialogue, begin_s: float, length_s: float, step_s: float) -> list[Reading]:
    """Readings every step, as the sensor writes them: those at which something had moved, and the last.

    Sent bytes count when they are acknowledged, a round trip later (or up to 40 ms, where the other end waits).
    """
    acknowledged_s = rng.choice((0.001, 0.04, 0.1, 0.25))
    late = [(each.time_s + acknowledged_s, len(each.payload)) for each in dialogue if each.outbound]
    readings: list[Reading] = []
    place = acked = out = back = out_count = in_count = 0
    sent_s = received_s = 0.0
    count = int(length_s / step_s)
    for number in range(count + 1):
        now = begin_s + number * step_s + rng.uniform(0.0, 0.01)
        while place < len(dialogue) and dialogue[place].time_s <= now:
            message = dialogue[place]
            segments = -(-len(message.payload) // SEGMENT_BYTES)
            if message.outbound:
                out_count, sent_s = out_count + segments, message.time_s
            else:
                back, in_count, received_s = back + len(message.payload), in_count + segments, message.time_s
            place += 1
        while acked < len(late) and late[acked][0] <= now:
            out, acked = out + late[acked][1], acked + 1
        last = readings[-1] if readings else None
        if last is None or (last.out_bytes, last.in_bytes) != (out, back) or number == count:
            readings.append(Reading(now - begin_s, out, back, out_count, in_count, now - sent_s, now - received_s))
    return readings


def _sample(mining: bool, kind: str, dialogue: Dialogue, rng: random.Random) -> Sample:
    length_s, step_s = rng.choice(LENGTHS_S), rng.choice(STEPS_S)
    begin_s = rng.uniform(6.0, WHOLE_S - length_s)
    return Sample(mining, kind, length_s, step_s, lattice_of(counters(rng, dialogue, begin_s, length_s, step_s)))


def miners(count: int, seed: int) -> Iterator[Sample]:
    """Mining connections over dialect, transport, share gap and jobs."""
    rng = random.Random(f"lattice-miners:{seed}")
    for number in range(count):
        dialect, transport = rng.choice(DIALECTS), rng.choice(TRANSPORTS)
        period_s, block_s = rng.choice(JOBS_S)
        rhythm = MiningRhythm(
            duration_s=WHOLE_S,
            share_gap_s=rng.choice(SHARE_GAPS_S),
            vardiff=rng.random() < 0.3,
            job_period_s=period_s,
            block_gap_s=block_s,
            ping_s=rng.choice([None, None, 60.0]),
            round_trip_s=rng.choice([0.001, 0.02, 0.08, 0.25]),
        )
        dialogue, _ = carried(mining_dialogue(dialect, seed * 1_000_000 + number, rhythm), transport, number)
        yield _sample(True, f"{dialect}/{transport}", dialogue, rng)


def twins(count: int, seed: int) -> Iterator[Sample]:
    """Benign connections over kind and transport."""
    rng = random.Random(f"lattice-twins:{seed}")
    for number in range(count):
        kind, transport = rng.choice(list(TWINS)), rng.choice(("clear", "tls_1.2", "tls_1.3"))
        dialogue, _ = carried(twin_dialogue(kind, seed * 1_000_000 + number, WHOLE_S), transport, number)
        yield _sample(False, kind, dialogue, rng)


def fit(samples: Sequence[Sample]) -> dict[str, float]:
    """The weights of samples, both classes of equal weight."""
    seen = [(each, each.lattice) for each in samples if each.lattice is not None and judgeable(each.lattice)]
    truth = np.array([float(each.mining) for each, _ in seen])
    return fitted([inputs(lattice) for _, lattice in seen], truth, np.ones(len(seen)), SIGNS)


def scores(weights: Mapping[str, float], samples: Iterable[Sample]) -> list[float]:
    """The score of each sample; minus infinity where nothing can be judged."""
    return [
        score_of(weights, inputs(each.lattice) if each.lattice is not None and judgeable(each.lattice) else None)
        for each in samples
    ]


def table(weights: dict[str, float], samples: Sequence[Sample], key: Callable[[Sample], str], least: float) -> None:
    """Prints how many reach a score, per cell."""
    cells: dict[str, list[Sample]] = {}
    for each in samples:
        cells.setdefault(key(each), []).append(each)
    for name, cell in sorted(cells.items()):
        seen = judged(scores(weights, cell))
        reached = sum(score >= least for score in seen)
        print(f"  {name:<42} {reached:>5} / {len(seen):<5} judgeable of {len(cell)}")


def main() -> None:
    """Fits, prints the weights to paste into `model.py`, and the tables on other seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=4000, help="mining connections; twins are four times as many")
    parser.add_argument("--seeds", type=int, default=2, help="seeds measured on, as many looks each as fitted on")
    options = parser.parse_args()
    seeds = range(2, 2 + options.seeds)
    train = [*miners(options.count, 1), *twins(4 * options.count, 1)]
    mining = [each for seed in seeds for each in miners(options.count, seed)]
    benign = [each for seed in seeds for each in twins(4 * options.count, seed)]
    for steps in (FINE_STEPS_S, COARSE_STEPS_S):
        print(f"looks each {' or '.join(f'{step_s:.0f} s' for step_s in steps)}: weights")
        weights = fit([each for each in train if each.step_s in steps])
        for name, weight in weights.items():
            print(f'    "{name}": {weight:.2f},')
        caught, mistaken = ([each for each in some if each.step_s in steps] for some in (mining, benign))
        print_supported(judged(scores(weights, caught)), judged(scores(weights, mistaken)), LEAST)
        for least in (2.0, 4.0):
            print(f"score {least:.0f} and more, by length and step")
            table(weights, caught, lambda each: f"mining {each.length_s:3.0f} s each {each.step_s:2.0f} s", least)
            table(weights, mistaken, lambda each: f"benign {each.length_s:3.0f} s each {each.step_s:2.0f} s", least)
            table(weights, mistaken, lambda each: each.kind, least)
            table(weights, caught, lambda each: each.kind, least)


if __name__ == "__main__":
    main()
