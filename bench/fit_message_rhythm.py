"""Computes the weights of `mining_message_rhythm` again and says how well they hold on what they never saw.

Run from the repository's root: `python -m bench.fit_message_rhythm [--benign ROWS.jsonl]`, where the
rows are `davylamp events network_activity --format jsonl` over captures without mining.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.logistic import fitted, judged, print_supported, score_of
from bench.message_rhythm_grid import Sample, miners, twins
from davylamp.catalog.detections.mining_message_rhythm.exchange import read_exchange
from davylamp.catalog.detections.mining_message_rhythm.features import shape_of
from davylamp.catalog.detections.mining_message_rhythm.model import (
    LLR_FEWEST,
    SIGNS,
    inputs,
    judgeable,
    overhead_of,
)

REAL_WEIGHT = 5.0
SCORES = (LLR_FEWEST, 3.0, 4.0, 5.0, 6.0)
TRAIN_SEED, TEST_SEED = 1, 2


def real_connections(path: Path) -> Iterator[Sample]:
    """Connections of benign captures, from exported rows."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row.get("protocol") != "tcp" or not row.get("message_sizes_bytes"):
                continue
            overhead_bytes = overhead_of(row.get("application"), row.get("tls_version"))
            times_s, sizes_bytes = row.get("message_times_s") or [], row.get("message_sizes_bytes") or []
            exchange = read_exchange(times_s, sizes_bytes, overhead_bytes)
            shape = None if exchange is None else shape_of(exchange, overhead_bytes)
            yield Sample(False, "real", str(row.get("path", "")), 0.0, 0.0, shape)


def fit(samples: Sequence[Sample]) -> dict[str, float]:
    """The weights of samples, both classes of equal weight."""
    seen = [sample for sample in samples if sample.shape is not None and judgeable(sample.shape)]
    truth = np.array([float(sample.mining) for sample in seen])
    share = np.array([REAL_WEIGHT if sample.kind == "real" else 1.0 for sample in seen])
    return fitted([inputs(sample.shape) for sample in seen if sample.shape], truth, share, SIGNS)


def scores(weights: Mapping[str, float], samples: Iterable[Sample]) -> list[float]:
    """The score of each sample; minus infinity where nothing can be judged."""
    return [
        score_of(weights, inputs(each.shape) if each.shape is not None and judgeable(each.shape) else None)
        for each in samples
    ]


def table(weights: dict[str, float], samples: Iterable[Sample], key: Callable[[Sample], str]) -> None:
    """Prints caught of all per cell."""
    cells: dict[str, list[Sample]] = {}
    for sample in samples:
        cells.setdefault(key(sample), []).append(sample)
    for name, cell in sorted(cells.items()):
        caught = sum(score >= LLR_FEWEST for score in scores(weights, cell))
        print(f"  {name:<42} {caught:>5} / {len(cell):<5} {caught / len(cell):7.3f}")


def held_out(samples: Sequence[Sample], key: Callable[[Sample], str], chosen: bool) -> None:
    """Leaves out each kind or transport in turn, fits on the rest, and prints what that catches of it."""
    values = sorted({key(sample) for sample in samples if sample.mining == chosen and sample.kind != "real"})
    for value in values:
        weights = fit([sample for sample in samples if key(sample) != value or sample.mining != chosen])
        table(weights, [s for s in samples if key(s) == value and s.mining == chosen], key)


def main() -> None:
    """Fits, prints the weights to paste into `model.py`, and the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--benign", type=Path, help="rows of benign captures as JSON lines")
    parser.add_argument("--count", type=int, default=1500, help="mining connections; twins are twice as many")
    options = parser.parse_args()
    real = list(real_connections(options.benign)) if options.benign else []
    train = [*miners(options.count, TRAIN_SEED), *twins(2 * options.count, TRAIN_SEED), *real]
    test = [*miners(options.count, TEST_SEED), *twins(2 * options.count, TEST_SEED)]
    weights = fit(train)
    print("weights")
    for name, weight in weights.items():
        print(f'    "{name}": {weight:.2f},')
    mining, benign = [s for s in test if s.mining], [s for s in test if not s.mining]
    # A miner that cannot be judged is not caught; a benign connection that cannot be judged proves nothing.
    print_supported(
        scores(weights, mining), judged(scores(weights, [*benign, *real])), (LLR_FEWEST, 3.0, 4.0, 5.0, 6.0)
    )
    for title, chosen, key in (
        ("mining by dialect", mining, lambda s: s.kind),
        ("mining by transport", mining, lambda s: s.transport),
        ("mining by share gap and duration", mining, lambda s: f"{s.share_gap_s:5.0f} s, {s.duration_s:5.0f} s"),
        ("benign twins", benign, lambda s: s.kind),
        ("benign twins by transport", benign, lambda s: s.transport),
        ("benign captures (seen in the fit)", real, lambda s: s.kind),
    ):
        print(title)
        table(weights, chosen, key)
    print("held out: dialect")
    held_out(train, lambda s: s.kind, True)
    print("held out: transport")
    held_out(train, lambda s: s.transport, True)
    print("held out: twin")
    held_out(train, lambda s: s.kind, False)


if __name__ == "__main__":
    main()
