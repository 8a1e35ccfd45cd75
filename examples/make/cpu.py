"""CPU series of five-minute means: modelled, not recorded (five days do not fit into a minute)."""

from __future__ import annotations

import math
import random
from datetime import datetime, timedelta

from examples.make import plan

STEP = timedelta(minutes=5)


def series(host: str, seed: int) -> str:
    """A CSV of one machine: daily curve, noise, nightly batch; on web1 a miner from its first hour to the end."""
    rng = random.Random(f"cpu:{host}:{seed}")
    rows = ["timestamp,CPUUtilization"]
    at = plan.EVIDENCE_FROM
    while at < plan.EVIDENCE_TO:
        used = _own_work(host, at, rng)
        if host == "web1":
            mined_ratio = min(1.0, max(0.0, (at + STEP - plan.MINING_FROM) / STEP))
            used = used + mined_ratio * (100.0 - used) * rng.uniform(0.91, 0.97)
        rows.append(f"{at:%Y-%m-%dT%H:%M:%SZ},{used:.2f}")
        at += STEP
    return "\n".join(rows) + "\n"


def _own_work(host: str, at: datetime, rng: random.Random) -> float:
    hour = at.hour + at.minute / 60
    day = 0.5 - 0.5 * math.cos((hour - 3.0) / 24 * 2 * math.pi)  # least at 03:00, most at 15:00
    night, swing = (14.0, 10.0) if host == "db1" else (7.0, 15.0)
    used = night + swing * day + rng.gauss(0.0, 0.6) + rng.expovariate(1 / 1.5)
    begins, lasts, weight = (1.5, 0.75, 48.0) if host == "db1" else (3.25, 0.25, 22.0)
    if begins <= hour < begins + lasts:
        used += weight + rng.gauss(0.0, 3.0)
    return min(100.0, max(0.5, used))
