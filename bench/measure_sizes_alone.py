"""What `mining_message_rhythm` may say of a minute of which only the kernel's counters were read, no byte of content.

    python -m bench.measure_sizes_alone [--miners 1500] [--twins 4500] [--seed 1] [--step-s 0.2]

Emulated miners and benign twins (as in `bench.fit_message_brief`, other seeds), looked at for a minute from the middle
on; the counters are asked every `--step-s`, as the sensor asks them, and messages are told from what they gained by the
sensor's own code. `SIZES_ALONE_LLR_MOST` is what the printed counts support.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bench.fit_message_brief import BLOCK_GAPS_S, JOB_PERIODS_S, SHARE_GAPS_S, TRANSPORTS, WHOLE_S
from bench.logistic import print_supported
from bench.message_rhythm_grid import DIALECTS, PADDED_TWINS_RATIO, carried
from davylamp.agent.counted_messages import Heard, single_messages
from davylamp.agent.sensor import COUNTERS_S
from davylamp.catalog.detections.mining_message_rhythm.candidate import MET_OPEN, read_candidate
from davylamp.kit.emulation.message import Dialogue
from davylamp.kit.emulation.mining import MiningRhythm, mining_dialogue
from davylamp.kit.emulation.twins import TWINS, twin_dialogue

LOOK_S = 60.0
SEGMENT_BYTES = 1448
BEGAN_AT = datetime(2026, 3, 4, tzinfo=UTC)
SCORES = (2.0, 2.5, 3.0, 3.4, 3.6, 4.0, 5.0)


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a connection.

    Args:
        score: None where there is too little to judge.
    """

    kind: str
    score: float | None


def heard_of(dialogue: Dialogue, begin_s: float, step_s: float) -> list[Heard]:
    """What the counters gained at each question."""
    gained: dict[tuple[int, bool], Heard] = {}
    for each in dialogue:
        if not begin_s <= each.time_s < begin_s + LOOK_S:
            continue
        segments_count = max(1, -(-len(each.payload) // SEGMENT_BYTES))
        known = gained.setdefault(
            (int((each.time_s - begin_s) / step_s), each.outbound), Heard(each.time_s, each.outbound, 0, 0)
        )
        known.at, known.size_bytes = each.time_s, known.size_bytes + len(each.payload)
        known.segments_count += segments_count
    return list(gained.values())


def score_of(dialogue: Dialogue, begin_s: float, step_s: float) -> float | None:
    """The score that the detection gives such a look."""
    messages = sorted(single_messages(heard_of(dialogue, begin_s, step_s)), key=lambda one: one.at)
    if not messages:
        return None
    times_s = [each.at - messages[0].at for each in messages]
    row = {
        "time": BEGAN_AT,
        "end_time": BEGAN_AT + timedelta(seconds=times_s[-1]),
        "state": MET_OPEN,
        "asset": "web1",
        "src_ip": "192.0.2.7",
        "src_port": 41_000,
        "dst_ip": "198.51.100.9",
        "dst_port": 443,
        "message_times_s": times_s,
        "message_sizes_bytes": [each.size_bytes * (1 if each.sent else -1) for each in messages],
    }
    found = read_candidate(row)
    return None if found is None else found.score


def miners(count: int, seed: int, step_s: float) -> Iterator[Look]:
    """Mining connections over dialect, transport, share gap and jobs."""
    rng = random.Random(f"sizes-miners:{seed}")
    for number in range(count):
        dialect, transport = rng.choice(DIALECTS), rng.choice(TRANSPORTS)
        rhythm = MiningRhythm(
            duration_s=WHOLE_S,
            share_gap_s=rng.choice(SHARE_GAPS_S),
            vardiff=rng.random() < 0.5,
            job_period_s=rng.choice(JOB_PERIODS_S),
            block_gap_s=rng.choice(BLOCK_GAPS_S),
            ping_s=rng.choice((None, None, 60.0)),
            round_trip_s=rng.choice((0.001, 0.02, 0.08, 0.25)),
        )
        dialogue, _ = carried(mining_dialogue(dialect, seed * 1_000_000 + number, rhythm), transport, 1)
        yield Look(dialect, score_of(dialogue, rng.uniform(2.0, WHOLE_S - LOOK_S), step_s))


def twins(count: int, seed: int, step_s: float) -> Iterator[Look]:
    """Benign connections over kind and transport."""
    rng = random.Random(f"sizes-twins:{seed}")
    for number in range(count):
        kind, transport = rng.choice(list(TWINS)), rng.choice(TRANSPORTS)
        if "padded" in transport and rng.random() > PADDED_TWINS_RATIO:
            transport = "tls_1.3"
        dialogue, _ = carried(twin_dialogue(kind, seed * 1_000_000 + number, WHOLE_S), transport, 1)
        yield Look(kind, score_of(dialogue, rng.uniform(2.0, WHOLE_S - LOOK_S), step_s))


def main() -> None:
    """Prints what the counts support."""
    parser = argparse.ArgumentParser(prog="python -m bench.measure_sizes_alone", description=__doc__)
    parser.add_argument("--miners", type=int, default=1500)
    parser.add_argument("--twins", type=int, default=4500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--step-s", type=float, default=COUNTERS_S)
    options = parser.parse_args()
    mining = list(miners(options.miners, options.seed, options.step_s))
    benign = list(twins(options.twins, options.seed, options.step_s))
    judgeable = [[each.score for each in looks if each.score is not None] for looks in (mining, benign)]
    print(f"judgeable: {len(judgeable[0])} of {len(mining)} miners, {len(judgeable[1])} of {len(benign)} twins")
    print_supported(judgeable[0], judgeable[1], SCORES)
    mistaken = Counter(each.kind for each in benign if each.score is not None and each.score >= SCORES[0])
    print("mistaken at the least score:", ", ".join(f"{kind} {count}" for kind, count in mistaken.most_common()))


if __name__ == "__main__":
    main()
