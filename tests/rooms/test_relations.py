"""What queries may read beside the event classes is there, with the columns that the page names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from davylamp.app.engine_of_case import prepare_engine
from davylamp.cost.price_book import PriceBook
from davylamp.kit.relations import RELATIONS, Relation
from davylamp.store.case import Case
from davylamp.store.engine import DuckEngine

MEMORY_BYTES = 100 << 20


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckEngine]:
    """Over a case in which nothing was read."""
    case = Case(tmp_path_factory.mktemp("relations") / "case", create=True)
    opened = DuckEngine(MEMORY_BYTES, case.scratch)
    prepare_engine(opened, case, ((), None), PriceBook.load(None))
    yield opened
    opened.close()
    case.close()


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.name)
def test_a_relation_has_the_columns_that_it_says(relation: Relation, engine: DuckEngine) -> None:
    assert tuple(engine.columns(f"SELECT * FROM {relation.name}")) == relation.columns
