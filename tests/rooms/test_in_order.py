"""Work done side by side comes in order, and what goes wrong is told in its place."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davylamp.ingest.in_order import LANES_COUNT, in_order


@given(st.lists(st.integers(0, 3), max_size=12))
@settings(max_examples=20, deadline=None)
def test_results_come_in_the_order_of_the_things(waits_ms: list[int]) -> None:
    def work(wait_ms: int) -> int:
        time.sleep(wait_ms / 1000)
        return -wait_ms

    assert list(in_order(work, waits_ms)) == [(each, -each) for each in waits_ms]


def test_what_goes_wrong_is_raised_after_what_came_before() -> None:
    def work(number: int) -> int:
        return 6 // (3 - number)

    made = in_order(work, range(9))
    assert [next(made) for _ in range(3)] == [(0, 2), (1, 3), (2, 6)]
    with pytest.raises(ZeroDivisionError):
        next(made)


def test_things_are_not_taken_far_ahead() -> None:
    taken: list[int] = []

    def things() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    made = in_order(abs, things())
    next(made)
    assert len(taken) == LANES_COUNT + 1
    made.close()  # type: ignore[attr-defined]
