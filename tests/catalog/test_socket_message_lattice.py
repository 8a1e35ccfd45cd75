"""The lattice of a connection: sizes are recovered from counters alone, and any counters are judged."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from davylamp.catalog.detections.socket_message_lattice.lattice import Reading, lattice_of
from davylamp.catalog.detections.socket_message_lattice.model import judgeable, score
from davylamp.kit.emulation.message import exponential_instants, periodic_instants

SHARE, ANSWER, JOB = 223, 85, 410


def readings(seed: int, step_s: float, counted: bool = True) -> list[Reading]:
    """A dialogue of two minutes with sizes known: shares 6 s apart, jobs each 20 s."""
    draw = random.Random(seed)
    shares, jobs = exponential_instants(draw, 6.0, 0, 120), periodic_instants(draw, 20.0, 0, 120)
    found = []
    for look in range(int(120 / step_s) + 1):
        now_s = look * step_s
        sent = [at_s for at_s in shares if at_s <= now_s]
        answered = [at_s + 0.05 for at_s in shares if at_s + 0.05 <= now_s]
        pushed = [at_s for at_s in jobs if at_s <= now_s]
        heard = sorted([*answered, *pushed])
        found.append(
            Reading(
                now_s,
                SHARE * len(sent),
                ANSWER * len(answered) + JOB * len(pushed),
                len(sent) if counted else None,
                len(heard) if counted else None,
                now_s - sent[-1] if sent else None,
                now_s - heard[-1] if heard else None,
            )
        )
    return found


def test_sizes_are_recovered_from_counters() -> None:
    for step_s in (1.0, 5.0):
        found = [lattice for seed in range(10) if (lattice := lattice_of(readings(seed, step_s))) is not None]
        known = [(each.share_bytes, each.answer_bytes, each.job_bytes) == (SHARE, ANSWER, JOB) for each in found]
        assert sum(known) >= 8
        assert sum(each.explained_ratio >= 0.9 for each in found) >= 8
        assert sum(judgeable(each) and score(each) >= 2 for each in found) >= 6


def test_counters_without_segments_are_judged_too() -> None:
    found = lattice_of(readings(1, 1.0, counted=False))
    assert found is not None
    assert (found.share_bytes, found.answer_bytes, found.job_bytes) == (SHARE, ANSWER, JOB)


@settings(max_examples=120, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0, 1e6),
            st.integers(0, 2**62),
            st.integers(0, 2**62),
            st.none() | st.integers(-(2**31), 2**62),
            st.none() | st.floats(0, 1e9),
        ),
        max_size=40,
    )
)
def test_any_counters_are_judged_without_a_crash(
    rows: list[tuple[float, int, int, int | None, float | None]],
) -> None:
    given_rows = [Reading(at, out, back, count, count, ago, ago) for at, out, back, count, ago in sorted(rows, key=str)]
    ordered = sorted(given_rows, key=lambda each: each.at_s)
    lattice = lattice_of(ordered)
    if lattice is not None and judgeable(lattice):
        assert -100 < score(lattice) < 100
