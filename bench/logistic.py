"""What the fits share: logistic weights whose log odds are an LLR, the score they give, and what it is worth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

PENALTY = 0.3
Vector = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


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
    """Weights of a ridge logistic regression by Newton's method; the last column is the constant."""
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


def score_of(weights: Mapping[str, float], given: Mapping[str, float] | None) -> float:
    """The score of one connection's inputs; minus infinity where there is too little to judge."""
    if not given:
        return -math.inf
    return weights[""] + sum(weight * given[name] for name, weight in weights.items() if name)


def judged(scores: Iterable[float]) -> list[float]:
    """Without those that could not be judged."""
    return [score for score in scores if score > -math.inf]


def print_supported(mining: Sequence[float], benign: Sequence[float], leasts: Sequence[float]) -> None:
    """Prints, for each least score, the LLR that so many connections support: recall over the bound of mistakes.

    The bound is the upper 95 % one of a Poisson count: 3 for none, and about k + 2 sqrt(k) + 3 for k.
    """
    for least in leasts:
        recall = sum(score >= least for score in mining) / len(mining)
        fired = sum(score >= least for score in benign)
        bound = (fired + 2 * math.sqrt(fired) + 3) / len(benign)
        print(
            f"score {least:g} and more: {recall:.3f} of {len(mining)} mining connections, {fired} of "
            f"{len(benign)} judgeable benign ones; supported LLR {math.log(max(recall, 1e-4) / bound):.2f}"
        )
