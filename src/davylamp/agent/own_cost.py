"""What the sensor costs: its own CPU and memory, and that of the judging it starts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from davylamp.agent import procfs

HOURS_A_MONTH = 730.0


@dataclass
class OwnCost:
    """Adds up CPU between two statements.

    Args:
        usd_per_vcpu_hour: what an hour of one vCPU costs here, once judging has said it.
        judging_s: CPU seconds of judging since the last statement.
        judging_peak_bytes: most memory that a judging held since then.
    """

    steady: Callable[[], float] = time.monotonic
    spent: Callable[[], float] = time.process_time
    usd_per_vcpu_hour: float | None = None
    judging_s: float = 0.0
    judging_peak_bytes: int = 0
    _at: float = field(init=False)
    _spent_s: float = field(init=False)

    def __post_init__(self) -> None:
        self._at, self._spent_s = self.steady(), self.spent()

    def judged(self, cpu_s: float, peak_bytes: int) -> None:
        """Counts a judging that has ended."""
        self.judging_s += cpu_s
        self.judging_peak_bytes = max(self.judging_peak_bytes, peak_bytes)

    def statement(self) -> dict[str, object]:
        """Columns of a `sensor_state` record of kind `cost`, and what a month at this rate costs."""
        now, spent_s = self.steady(), self.spent()
        period_s = max(now - self._at, 1e-6)
        cpu_s = spent_s - self._spent_s
        judging_s, peak_bytes = self.judging_s, self.judging_peak_bytes
        both_s = cpu_s + judging_s
        self._at, self._spent_s, self.judging_s, self.judging_peak_bytes = now, spent_s, 0.0, 0
        usd = self.usd_per_vcpu_hour
        return {
            "cpu_s": round(cpu_s, 4),
            "judging_cpu_s": round(judging_s, 4),
            "judging_peak_bytes": peak_bytes,
            "period_s": round(period_s, 3),
            "cpu_ratio": round(both_s / period_s, 6),
            "memory_bytes": resident_bytes(),
            "usd_per_month": None if usd is None else round(both_s / period_s * usd * HOURS_A_MONTH, 4),
        }


def resident_bytes(proc: str = "/proc") -> int:
    """Resident memory of this process."""
    return int(procfs.read_bytes(f"{proc}/self/statm").split()[1]) * procfs.PAGE_BYTES
