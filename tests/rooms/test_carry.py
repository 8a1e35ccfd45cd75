"""SQL carried to Spark: what each rewrite writes, and what is refused."""

from __future__ import annotations

import re

import pytest
import sqlglot

from davylamp.errors import UnitError
from davylamp.kit import registry
from davylamp.kit.detection import Detection
from davylamp.kit.query import steps_of
from davylamp.store.carry import carried_values, carry, java_pattern

# Both have them; hashes differ, so a query may only compare them with each other.
IN_BOTH = {"hash", "BIT_COUNT"}
SECONDS = "(CAST(UNIX_MICROS(CAST({} AS TIMESTAMP_LTZ)) AS DOUBLE) / 1000000)"


@pytest.mark.parametrize("unit", [pytest.param(unit, id=unit.meta.uid) for unit in registry.detections()])
def test_every_query_carries_and_uses_functions_that_the_carrier_knows(unit: Detection) -> None:
    steps, select = steps_of(registry.query_of(unit))
    for sql in (*(step.sql for step in steps), select):
        unknown = sqlglot.parse_one(sql, read="duckdb").find_all(sqlglot.exp.Anonymous)
        assert {function.name for function in unknown} <= IN_BOTH
        assert set(re.findall(r"(?<!:):([a-z_]+)", carry(sql))) >= set(re.findall(r"\$([a-z_]+)", sql))


@pytest.mark.parametrize(
    ("duckdb", "spark"),
    [
        ("SELECT epoch(t)", f"SELECT {SECONDS.format('t')}"),
        ("SELECT CAST(epoch(t) AS BIGINT)", f"SELECT CAST(RINT({SECONDS.format('t')}) AS BIGINT)"),
        ("SELECT CAST(n / 2 + 1 AS INTEGER)", "SELECT CAST(RINT(n / 2 + 1) AS INT)"),
        ("SELECT CAST(floor(n / 2) AS BIGINT)", "SELECT CAST(FLOOR(n / 2) AS BIGINT)"),
        ("SELECT CAST(a AS INTEGER)", "SELECT CAST(a AS INT)"),
        ("SELECT a FROM t WHERE b >= $least", "SELECT a FROM t WHERE b >= :least"),
        ("SELECT a FROM t ORDER BY a", "SELECT a FROM t ORDER BY a NULLS LAST"),
        ("SELECT a FROM t ORDER BY a DESC", "SELECT a FROM t ORDER BY a DESC"),
        ("SELECT regexp_matches(a, '^x' || '[$]$')", r"SELECT a RLIKE '(?d)^x[$]\\z'"),
        ("SELECT regexp_extract(a, 'b', 0)", "SELECT REGEXP_EXTRACT(a, '(?d)b', 0)"),
        ("SELECT regexp_extract(a, 'b')", "SELECT REGEXP_EXTRACT(a, '(?d)b', 0)"),
        ("SELECT regexp_replace(a, 'b$', '')", r"SELECT REGEXP_REPLACE(a, '(?d)b\\z', '')"),
        ("SELECT regexp_replace(a, 'b', '', 'g')", "SELECT REGEXP_REPLACE(a, '(?d)b', '')"),
        ("CREATE OR REPLACE VIEW v AS SELECT 1", "CREATE OR REPLACE TEMPORARY VIEW v AS SELECT 1"),
        ("WITH a AS NOT MATERIALIZED (SELECT 1 AS x) SELECT x FROM a", "WITH a AS (SELECT 1 AS x) SELECT x FROM a"),
    ],
)
def test_a_meaning_that_differs_is_rewritten(duckdb: str, spark: str) -> None:
    assert carry(duckdb) == spark


def test_files_become_the_relation_that_holds_them() -> None:
    asked: list[tuple[str, ...]] = []

    def relation_of(files: object) -> str:
        assert isinstance(files, list)
        asked.append(tuple(files))
        return "parquet_0"

    sql = "SELECT a FROM read_parquet(['/c/it''s', '/c/b'], hive_partitioning = false) WHERE a > 1"
    assert carry(sql, relation_of) == "SELECT a FROM parquet_0 WHERE a > 1"
    assert asked == [("/c/it's", "/c/b")]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a FROM read_parquet(['/c/a'])",
        "SELECT regexp_matches(a, b) FROM t",
        "SELECT regexp_replace(a, 'b', '')",
        "SELECT FROM WHERE",
    ],
)
def test_what_has_no_equal_is_refused(sql: str) -> None:
    with pytest.raises(UnitError):
        carry(sql)


@pytest.mark.parametrize(
    ("pattern", "java"),
    [
        ("a$", r"(?d)a\z"),
        ("^(::$|::1$)", r"(?d)^(::\z|::1\z)"),
        (r"\$a", r"(?d)\$a"),
        ("[$a]$", r"(?d)[$a]\z"),
        ("[]$]", "(?d)[]$]"),
        (r"[^\]$]", r"(?d)[^\]$]"),
    ],
)
def test_only_a_bare_end_is_rewritten(pattern: str, java: str) -> None:
    assert java_pattern(pattern) == java


@pytest.mark.parametrize("pattern", ["[[:alpha:]]", "[a[b]", "[a&&b]"])
def test_classes_that_java_reads_otherwise_are_refused(pattern: str) -> None:
    with pytest.raises(UnitError):
        java_pattern(pattern)


def test_a_pattern_that_is_a_threshold_is_carried_when_its_value_is_bound() -> None:
    sql = "SELECT regexp_matches(a, $shape), regexp_extract(b, $part, 1) FROM t WHERE c = $shown"
    assert ":shape" in carry(sql)
    assert carried_values(sql, {"shape": "^x$", "part": "(y)$", "shown": "z$"}) == {
        "shape": r"(?d)^x\z",
        "part": r"(?d)(y)\z",
        "shown": "z$",
    }


@pytest.mark.parametrize("unit", [pytest.param(unit, id=unit.meta.uid) for unit in registry.detections()])
def test_every_pattern_among_the_thresholds_carries(unit: Detection) -> None:
    steps, select = steps_of(registry.query_of(unit))
    for sql in (*(step.sql for step in steps), select):
        assert set(carried_values(sql, unit.params)) == set(unit.params)
