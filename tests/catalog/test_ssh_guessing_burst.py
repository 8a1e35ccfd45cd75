"""The burst query's short cuts decide exactly as its definition does: every window of every source, counted plainly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest

from davylamp.catalog.detections.ssh_guessing_burst.unit import SshGuessingBurst
from davylamp.kit import registry
from davylamp.store.engine import DuckEngine

_START = datetime(2026, 3, 1, tzinfo=UTC).replace(tzinfo=None)
_MINUTE, _HOUR, _DAY, _WEEK = 60, 3600, 86_400, 604_800
_QUERY = registry.query_of(SshGuessingBurst())
_PARAMS = {name: int(str(value)) for name, value in SshGuessingBurst.params.items()}
_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("asset", "src_ip", "src_host", "service", "status", "user_name")),
        ("user_known", pa.bool_()),
        *((name, pa.string()) for name in ("auth_method", "outcome_detail", "path")),
        ("time", pa.timestamp("us")),
        *((name, pa.int64()) for name in ("line", "frame", "byte_offset")),
    ]
)


@dataclass(frozen=True)
class Attempt:
    """One row of `authentication`; `line` is its place."""

    line: int
    at_s: int
    asset: str
    source: str
    entered: bool
    name: str | None
    known: bool | None
    method: str | None

    def tenths(self) -> int:
        """Weight of the attempt in tenths, as the unit's page says."""
        if self.entered:
            return 0
        if self.method == "publickey":
            return 2
        if self.name is None:
            return 5
        if self.known is False:
            return 20
        return 15 if self.name == "root" else 10

    def row(self) -> dict[str, object]:
        return {
            "asset": self.asset,
            "src_ip": self.source,
            "service": "sshd",
            "status": "success" if self.entered else "failure",
            "user_name": self.name,
            "user_known": self.known,
            "auth_method": self.method,
            "path": "auth.log",
            "time": _START + timedelta(seconds=self.at_s),
            "line": self.line,
        }


def _attempts(seed: int) -> list[Attempt]:
    """Three hundred sources, each with its own pace and names, most of them near one of the thresholds."""
    chance = Random(seed)
    drafts: list[tuple[int, str, str, bool, str | None, bool | None, str | None]] = []
    for number in range(300):
        source, at_s = f"192.0.{number // 100}.{number % 100}", chance.randrange(_WEEK)
        pace_s = 10 ** chance.uniform(0.5, 4.7)
        names = chance.sample(["root", "bob", "bob", "x1", "x2", "x3", "x4", "x5"], chance.choice([1, 1, 2, 5]))
        entering, machines = chance.choice([0.0, 0.02, 0.2]), chance.choice(["a", "ab"])
        for _ in range(chance.choice([4, 6, 8, 12, 15, 20, 35, 60, 95])):
            at_s += chance.choice([0, 1, 60, int(pace_s), int(chance.expovariate(1 / pace_s))])
            entered = chance.random() < entering
            name = None if chance.random() < 0.05 else chance.choice(names)
            # Now and then the witnesses of one name disagree.
            known = chance.choice([True, None, False]) if chance.random() < 0.1 else name in (None, "root", "bob")
            method = chance.choice([None, "password", "password", "publickey"])
            drafts.append((at_s, chance.choice(machines), source, entered, name, known, method))
    drafts.sort(key=lambda draft: draft[0])
    return [Attempt(line, *draft) for line, draft in enumerate(drafts, start=1)]


def _expected(attempts: list[Attempt]) -> dict[tuple[str, str], list[int]]:
    """Asset and source -> failures, names and unknown names, then the cited lines."""
    found: dict[tuple[str, str], list[int]] = {}
    trusted = _trusted(attempts)
    for asset, source in sorted({(each.asset, each.source) for each in attempts}):
        failures = [each for each in attempts if (each.asset, each.source, each.entered) == (asset, source, False)]
        first: dict[str, Attempt] = {}
        for each in failures:
            if each.name is not None:
                first.setdefault(each.name, each)
        unknown = [each for each in first.values() if each.known is False]
        guesses = [
            (each.at_s, 1 if trusted.get((source, each.name), each.at_s) < each.at_s else each.tenths())
            for each in failures
        ]
        if failures and _bursts(guesses, failures, len(first), [each.at_s for each in unknown]):
            cited = [each.line for each in failures[:50]]
            found[asset, source] = [len(failures), len(first), len(unknown), *cited]
    return found


def _trusted(attempts: list[Attempt]) -> dict[tuple[str, str | None], int]:
    totals: dict[str, int] = {}
    trusted: dict[tuple[str, str | None], int] = {}
    for each in attempts:
        totals[each.source] = totals.get(each.source, 0) + each.tenths()
        if each.entered and each.name is not None and totals[each.source] < 10 * _PARAMS["minute_weight"]:
            trusted.setdefault((each.source, each.name), each.at_s)
    return trusted


def _bursts(guesses: list[tuple[int, int]], failures: list[Attempt], names_count: int, unknown_s: list[int]) -> bool:
    def heaviest(span_s: int) -> int:
        return max(sum(tenths for at_s, tenths in guesses if end_s - span_s <= at_s <= end_s) for end_s, _ in guesses)

    names_in_an_hour = max(
        (sum(end_s - _HOUR <= at_s <= end_s for at_s in unknown_s) for end_s in unknown_s), default=0
    )
    guessable = names_count >= 2 or any(
        each.name is None or each.name == "root" or each.known is False for each in failures
    )
    slow = ((_HOUR, "hour_weight"), (_DAY, "day_weight"), (_WEEK, "week_weight"))
    return (
        heaviest(_MINUTE) >= 10 * _PARAMS["minute_weight"]
        or names_in_an_hour >= _PARAMS["hour_unknown_names"]
        or heaviest(_HOUR) >= 10 * _PARAMS["one_account_hour_weight"]
        or (guessable and any(heaviest(span_s) >= 10 * _PARAMS[name] for span_s, name in slow))
    )


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckEngine]:
    opened = DuckEngine(500_000_000, Path(tmp_path_factory.mktemp("scratch")))
    yield opened
    opened.close()


@pytest.mark.parametrize("seed", range(6))
def test_short_cuts_decide_as_the_windows_do(engine: DuckEngine, seed: int) -> None:
    attempts = _attempts(seed)
    engine.register("authentication", pa.Table.from_pylist([each.row() for each in attempts], schema=_SCHEMA))
    found: dict[tuple[str, str], list[int]] = {}
    rows = engine.rows(_QUERY, SshGuessingBurst.params)
    for row in sorted(rows, key=lambda row: int(str(row["line"]))):
        counts = [int(str(row[name])) for name in ("failures_count", "names_count", "unknown_names_count")]
        found.setdefault((str(row["asset"]), str(row["source"])), counts).append(int(str(row["line"])))
    assert found == _expected(attempts)
    assert 50 < len(found) < 400, "too few or too many bursts to tell anything"
