"""Learns the weights of `pool_like_name` and judges them on names they never saw.

    python bench/train_pool_like_name.py POOL_LIST BROWSER_LIST POPULAR... [--hosts BENIGN_HOST_NAMES] [--write]

POOL_LIST is a Maltrail trail file, BROWSER_LIST a hosts file, POPULAR are files of one popular name a line
(gzip allowed). Positives are host names below a pool's registered domain; negatives are the popular
names, each also with common host labels before it, so that a region or a `pool.` alone proves nothing.
Judged by leaving out whole registered domains (five folds), and on the other list.
"""

from __future__ import annotations

import argparse
import gzip
import random
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from davylamp.catalog.detections.pool_like_name.name_shape import (
    CORE,
    features,
    is_site,
    may_be_a_pool,
    registered_part,
)
from davylamp.catalog.detections.pool_like_name.weights import LEAST_SCORE

RIDGE = 1.0
# The list holds few names with these words, too few to learn from; they mean nothing outside mining, so the ridge draws
# their weights to that of a clear coin word instead of to nothing.
PRIOR = {f"{kind}_{place}": 3.0 for kind in ("stratum_word", "algorithm_word") for place in ("host", "domain")}
HOST_LABELS = (
    "eu",
    "us",
    "de",
    "asia",
    "eu1",
    "us-east",
    "ssl",
    "proxy",
    "tcp",
    "api-eu",
    "node1",
    "de-1",
    "na",
    "west",
)
FOLDS = 5
TARGET = Path(__file__).parents[1] / "src/davylamp/catalog/detections/pool_like_name/weights.py"


def host_names(path: Path) -> list[str]:
    """Names of a list that stand below a registered domain."""
    names = set()
    for raw in path.read_text(encoding="utf-8").splitlines():
        words = re.sub(r"^https?://", "", raw.split("#", 1)[0].strip().lower()).split()
        name = words[-1].split("/")[0].split(":")[0] if words else ""
        if re.search(r"[.][a-z]{2,}$", name) and not is_site(name):
            names.add(name)
    return sorted(names)


def popular_names(paths: Iterable[Path]) -> list[str]:
    """Names of the popular lists, one a line."""
    texts = (
        gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text() for path in paths
    )
    return sorted({name for text in texts for name in text.split()})


def matrix(names: Sequence[str], columns: Sequence[str]) -> np.ndarray:
    """Feature rows."""
    return np.array([[features(name).get(column, 0) for column in columns] for name in names], dtype=float)


def fit(x: np.ndarray, y: np.ndarray, columns: Sequence[str]) -> tuple[np.ndarray, float]:
    """Ridge logistic regression by Newton steps, both classes weighing the same; weights and intercept."""
    prior = np.array([PRIOR.get(column, 0.0) for column in columns] + [0.0])
    ones = np.hstack([x, np.ones((len(x), 1))])
    weight = np.where(y > 0, len(y) / (2 * y.sum()), len(y) / (2 * (len(y) - y.sum())))
    weight = weight * (2 * y.sum() / len(y))
    penalty = RIDGE * np.eye(ones.shape[1])
    penalty[-1, -1] = 1e-6
    beta = np.zeros(ones.shape[1])
    for _ in range(60):
        p = 1 / (1 + np.exp(-np.clip(ones @ beta, -30, 30)))
        gradient = ones.T @ (weight * (y - p)) - penalty @ (beta - prior)
        hessian = (ones * (weight * p * (1 - p))[:, None]).T @ ones + penalty
        beta = beta + np.linalg.solve(hessian, gradient)
    return beta[:-1], float(beta[-1])


def scores(names: Sequence[str], columns: Sequence[str], beta: np.ndarray, intercept: float) -> np.ndarray:
    """Score of each name; names that `may_be_a_pool` leaves out score nothing."""
    quiet = np.array([not may_be_a_pool(name) for name in names])
    return np.where(quiet, -99.0, matrix(names, columns) @ beta + intercept)


def main() -> None:
    """Trains, judges, and with --write puts the weights into the unit."""
    parser = argparse.ArgumentParser(description="Learns the weights of pool_like_name.")
    parser.add_argument("pools", type=Path)
    parser.add_argument("browser", type=Path)
    parser.add_argument("popular", type=Path, nargs="+")
    parser.add_argument("--hosts", type=Path, help="benign host names, one a line: judged, never learned from")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    positive = host_names(options.pools)
    shuffler = random.Random(20260823)
    popular = popular_names(options.popular)
    negative = popular + [f"{shuffler.choice(HOST_LABELS)}.{name}" for name in popular]
    names = positive + negative
    labels = np.array([1.0] * len(positive) + [0.0] * len(negative))
    # Judging leaves the others out, so learning must too: it is about telling shapes apart, not about the rules before.
    kept = [index for index, name in enumerate(names) if labels[index] == 0 or may_be_a_pool(name)]
    columns = sorted(
        ({key for name in names for key in features(name)} | PRIOR.keys())
        - CORE
        - {"vague_coin_word", "elsewhere_word"}
    )
    x = matrix(names, columns)
    print(f"{len(positive)} pool hosts, of which {sum(map(may_be_a_pool, positive))} have any word of mining in them")
    judge_held_out(names, labels, x, columns)
    beta, intercept = fit(x[kept], labels[kept], columns)
    browser = host_names(options.browser)
    report("other list (browser miners)", scores(browser, columns, beta, intercept))
    report("popular names", scores(negative, columns, beta, intercept))
    if options.hosts:
        hosts = options.hosts.read_text().split()
        found = scores(hosts, columns, beta, intercept)
        report("benign host names", found)
        print([name for name, score in zip(hosts, found, strict=True) if score >= LEAST_SCORE])
    for column, value in zip(columns, beta, strict=True):
        print(f"  {column:24s} {value:+.1f}")
    print(f"  intercept {intercept:+.1f}")
    if options.write:
        write(columns, beta, intercept)


def judge_held_out(names: Sequence[str], labels: np.ndarray, x: np.ndarray, columns: Sequence[str]) -> None:
    """Recall and false alarms when whole registered domains are left out of learning."""
    domains = sorted({registered_part(name) for name in names})
    random.Random(7).shuffle(domains)
    fold_of = {domain: index % FOLDS for index, domain in enumerate(domains)}
    folds = np.array([fold_of[registered_part(name)] for name in names])
    held_out = np.zeros(len(names))
    for fold in range(FOLDS):
        learn = np.array(
            [f != fold and (y == 0 or may_be_a_pool(n)) for n, f, y in zip(names, folds, labels, strict=True)]
        )
        beta, intercept = fit(x[learn], labels[learn], columns)
        held_out[folds == fold] = scores(
            [n for n, f in zip(names, folds, strict=True) if f == fold], columns, beta, intercept
        )
    report("held-out pool hosts", held_out[labels > 0])
    report("held-out popular names", held_out[labels == 0])
    kept = {registered_part(n) for n, s, y in zip(names, held_out, labels, strict=True) if y and s >= LEAST_SCORE}
    every = {registered_part(n) for n, y in zip(names, labels, strict=True) if y}
    print(f"held-out pool domains with at least one host found: {len(kept)} of {len(every)}")
    print("missed:", [n for n, s, y in zip(names, held_out, labels, strict=True) if y and s < LEAST_SCORE])
    print("false:", [n for n, s, y in zip(names, held_out, labels, strict=True) if not y and s >= LEAST_SCORE])


def report(title: str, found: np.ndarray) -> None:
    """Prints how many of a set reach each threshold."""
    counts = {least: int((found >= least).sum()) for least in (LEAST_SCORE, 1.5, 3.0, 4.5)}
    print(f"{title}: {len(found)} names; " + ", ".join(f"score >= {least}: {n}" for least, n in counts.items()))


def write(columns: Sequence[str], beta: np.ndarray, intercept: float) -> None:
    """Writes `weights.py` of the unit."""
    rows = "".join(f'    "{column}": {value:.1f},\n' for column, value in zip(columns, beta, strict=True))
    TARGET.write_text(
        '"""Weights of the name score, written by bench/train_pool_like_name.py."""\n\n'
        "from __future__ import annotations\n\nfrom collections.abc import Mapping\n\n"
        "# Below this a name is not reported: a little above even odds, where only `mine` within a word stands.\n"
        f"LEAST_SCORE = {LEAST_SCORE}\n"
        f"INTERCEPT = {intercept:.1f}\nWEIGHTS: Mapping[str, float] = {{\n{rows}}}\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
