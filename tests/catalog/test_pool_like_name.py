"""The shape of names: judged on the popular lists, and the query must not drop what the score would keep."""

from __future__ import annotations

import gzip
from pathlib import Path

import duckdb
import pytest

from davylamp.catalog.detections.pool_like_name import name_shape
from davylamp.catalog.detections.pool_like_name.unit import PoolLikeName, score
from davylamp.catalog.detections.pool_like_name.weights import LEAST_SCORE
from davylamp.intel.entries import bundled
from davylamp.kit import registry

BENIGN = Path(__file__).parents[1] / "data" / "benign_domains_misp"
RARE = {"2miners.com", "nicehash.com", "mine.nu", "minepi.com", "singaporepools.com"}


def popular_names() -> list[str]:
    return [name for path in BENIGN.glob("*.gz") for name in gzip.decompress(path.read_bytes()).decode().split()]


def kept_by_the_query(names: list[str]) -> set[str]:
    query = registry.query_of(PoolLikeName())
    shaped = query[: query.index("seen AS (")].rstrip().rstrip(",")
    engine = duckdb.connect()
    engine.execute("CREATE TABLE network_activity (server_name VARCHAR)")
    engine.execute("CREATE TABLE dns_name AS SELECT unnest($names) AS name", {"names": names})
    return {row[0] for row in engine.execute(f"{shaped} SELECT name FROM shaped").fetchall()}


def test_no_popular_name_nor_its_usual_hosts_are_shaped_like_a_pool() -> None:
    hosts = [f"{label}{name}" for name in popular_names() for label in ("", "www.", "api.", "cdn.", "static.")]
    assert [name for name in hosts if score(name) >= LEAST_SCORE] == []


def test_regions_before_popular_names_stay_rare() -> None:
    hosts = [f"{label}.{name}" for name in popular_names() for label in ("eu", "us-east", "ssl", "proxy")]
    found = [name for name in hosts if score(name) >= LEAST_SCORE]
    # All of them stand below five names: two mining businesses, a dynamic DNS zone, a coin and a lottery.
    assert {name_shape.registered_part(name) for name in found} <= RARE
    assert len(hosts) > 40_000


def test_the_query_keeps_every_name_that_would_be_scored() -> None:
    words = sorted(name_shape.TICKERS | name_shape.COINS | name_shape.ALGORITHMS | name_shape.STRATUM)
    names = [f"{word}-eu1.deepshaft.net" for word in words] + [f"eu.{word}.deepshaft.net" for word in words]
    names += [entry.value.replace("*", "eu") for entry in bundled() if entry.type == "domain"]
    scored = {name for name in names if score(name) >= LEAST_SCORE}
    assert len(scored) > 200
    assert scored <= kept_by_the_query(names)


@pytest.mark.parametrize(
    "name", ["0.pool.ntp.org", "eu.minecraft.net", "pool.corp.internal", "nanopool.org", "www.x-pool.net"]
)
def test_near_misses_have_no_score(name: str) -> None:
    assert score(name) == float("-inf")
