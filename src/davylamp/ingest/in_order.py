"""Work on a row of things, some of it at the same time, its results in the order of the things."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Thing = TypeVar("Thing")
Made = TypeVar("Made")

# Of flow records one thread unpacks as fast as three cut; each more holds some blocks in memory and waits.
LANES_COUNT = min(len(os.sched_getaffinity(0)), 3)


def in_order(work: Callable[[Thing], Made], things: Iterable[Thing]) -> Iterator[tuple[Thing, Made]]:
    """Each thing with what `work` made of it; at most one thing more than there are lanes is taken ahead."""
    under_way: deque[tuple[Thing, Future[Made]]] = deque()
    with ThreadPoolExecutor(LANES_COUNT, thread_name_prefix="in-order") as lanes:
        try:
            for thing in things:
                under_way.append((thing, lanes.submit(work, thing)))
                if len(under_way) > LANES_COUNT:
                    first, made = under_way.popleft()
                    yield first, made.result()
            while under_way:
                first, made = under_way.popleft()
                yield first, made.result()
        finally:
            lanes.shutdown(wait=False, cancel_futures=True)
