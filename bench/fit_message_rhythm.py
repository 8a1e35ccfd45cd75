"""Computes the weights of `mining_message_rhythm` again and says how well they hold on what they never saw.

Run from the repository's root: `python -m bench.fit_message_rhythm [--benign ROWS.jsonl]`, where the
rows are `davylamp events network_activity --format jsonl` over captures without mining.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

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

PENALTY = 0.3
REAL_WEIGHT = 5.0
TRAIN_SEED, TEST_SEED = 1, 2
Vector = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


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


def fitted(
    given: Sequence[Mapping[str, float]], truth: Vector, share: Vector, signs: Mapping[str, int]
) -> dict[str, float]:
    """Ridge logistic regression with both classes of equal weight, so that its log odds are an LLR.

    An input whose weight comes out against its meaning (`signs`) is left out and the rest fitted again.
    """
    names = list(signs)
    share = share.copy()
    for label in (0.0, 1.0):
        share[truth == label] *= len(truth) / 2 / share[truth == label].sum()
    while True:
        weights = solved(np.array([[each[name] for name in names] + [1.0] for each in given]), truth, share)
        wrong = [name for name, weight in zip(names, weights, strict=False) if weight * signs[name] < 0]
        if not wrong:
            return {**dict(zip(names, weights.tolist(), strict=False)), "": float(weights[-1])}
        names = [name for name in names if name not in wrong]


def solved(rows: Vector, truth: Vector, share: Vector) -> Vector:
    weights = np.zeros(rows.shape[1])
    penalty = np.eye(rows.shape[1]) * PENALTY
    penalty[-1, -1] = 1e-6
    for _ in range(60):
        odds = 1 / (1 + np.exp(-np.clip(rows @ weights, -30, 30)))
        slope = rows.T @ (share * (truth - odds)) - penalty @ weights
        bend = (rows * (share * odds * (1 - odds) + 1e-9)[:, None]).T @ rows + penalty
        step = np.linalg.solve(bend, slope)
        weights = weights + step
        if float(np.abs(step).max()) < 1e-8:
            break
    return weights


def said(weights: dict[str, float], sample: Sample) -> float:
    """The score of a sample; minus infinity where nothing can be judged."""
    if sample.shape is None or not judgeable(sample.shape):
        return -math.inf
    given = inputs(sample.shape)
    return weights[""] + sum(weight * given[name] for name, weight in weights.items() if name)


def table(weights: dict[str, float], samples: Iterable[Sample], key: Callable[[Sample], str]) -> None:
    """Prints caught of all per cell."""
    cells: dict[str, list[float]] = {}
    for sample in samples:
        cells.setdefault(key(sample), []).append(said(weights, sample))
    for name, scores in sorted(cells.items()):
        caught = sum(score >= LLR_FEWEST for score in scores)
        print(f"  {name:<42} {caught:>5} / {len(scores):<5} {caught / len(scores):7.3f}")


def supported(weights: dict[str, float], mining: Sequence[Sample], benign: Sequence[Sample]) -> None:
    """Prints the LLR that so many benign connections support: recall over the upper bound of false positives.

    The bound is the 95 % one of a Poisson count: 3 for none, and about k + 2 sqrt(k) + 3 for k.
    """
    caught = [said(weights, sample) for sample in mining]
    scores = [score for sample in benign if (score := said(weights, sample)) > -math.inf]
    for least in (LLR_FEWEST, 3.0, 4.0, 5.0, 6.0):
        recall = sum(score >= least for score in caught) / len(caught)
        fired = sum(score >= least for score in scores)
        bound = (fired + 2 * math.sqrt(fired) + 3) / len(scores)
        print(
            f"score {least:.0f} and more: {recall:.3f} of mining, {fired} of {len(scores)} judgeable benign "
            f"connections; supported LLR {math.log(max(recall, 1e-3) / bound):.2f}"
        )


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
    supported(weights, mining, [*benign, *real])
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
