"""A query's own relations: in their order, with their thresholds, and asked no further when nothing is left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from davylamp.kit.query import ask, steps_of
from davylamp.store.engine import DuckEngine

_QUERY = """-- What it is for.
CREATE TEMPORARY VIEW even AS
SELECT n FROM number WHERE n % 2 = 0
;
CREATE TEMPORARY TABLE large AS
SELECT n FROM even WHERE n >= $least
;
SELECT n, n < $most AS small FROM large ORDER BY n
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DuckEngine]:
    opened = DuckEngine(256 << 20, tmp_path)
    opened.keep("number", "SELECT range AS n FROM range(10)")
    yield opened
    opened.close()


def test_steps_are_found_in_their_order_and_the_select_is_what_is_left() -> None:
    steps, select = steps_of(_QUERY)
    assert [(step.name, step.kept) for step in steps] == [("even", False), ("large", True)]
    assert steps[1].sql == "SELECT n FROM even WHERE n >= $least"
    assert select == "-- What it is for.\nSELECT n, n < $most AS small FROM large ORDER BY n\n"


def test_each_statement_is_given_the_thresholds_it_names(engine: DuckEngine) -> None:
    assert ask(engine, _QUERY, {"least": 5, "most": 7, "unnamed": 1}) == [
        {"n": 6, "small": True},
        {"n": 8, "small": False},
    ]


def test_a_query_answered_before_is_answered_anew(engine: DuckEngine) -> None:
    ask(engine, _QUERY, {"least": 5, "most": 7})
    assert [row["n"] for row in ask(engine, _QUERY, {"least": 8, "most": 7})] == [8]


def test_without_a_row_in_the_last_table_the_select_is_not_asked(engine: DuckEngine) -> None:
    query = _QUERY.replace("FROM large", "FROM absent")
    assert ask(engine, query, {"least": 10, "most": 7}) == []
    with pytest.raises(Exception, match="absent"):
        ask(engine, query, {"least": 8, "most": 7})
