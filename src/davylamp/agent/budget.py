"""The sensor's own CPU cap: what it may spend, what it has spent, and when it has to slow down."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

# How long a quiet sensor saves up: enough for one full look at a large host, short enough to be no surprise.
SAVED_S = 30.0


@dataclass
class Budget:
    """A purse of CPU seconds that fills at a fixed rate; spending is told by the caller, or measured.

    Args:
        rate: CPU seconds it may spend a second (0.02 is two percent of one core).
        saved_s: seconds of filling that it holds at most.
        steady: a clock that never goes back.
    """

    rate: float
    saved_s: float = SAVED_S
    steady: Callable[[], float] = time.monotonic
    left_s: float = field(init=False)
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self.left_s = self.rate * self.saved_s
        self._at = self.steady()

    def spend(self, cpu_s: float) -> None:
        """Takes what was spent; the purse may go below nothing, which is then paid off first."""
        self._fill()
        self.left_s -= cpu_s

    def earn(self, cpu_s: float) -> None:
        """Takes in what another purse has given up."""
        self._fill()
        self.left_s = min(self.rate * self.saved_s, self.left_s + cpu_s)

    @property
    def debt_s(self) -> float:
        """What has been spent and is not yet paid off."""
        self._fill()
        return max(0.0, -self.left_s)

    def allows(self, cpu_s: float = 0.0) -> bool:
        """Whether so much may be spent now."""
        self._fill()
        return self.left_s > cpu_s

    def wait_s(self, cpu_s: float = 0.0) -> float:
        """Seconds until so much may be spent."""
        self._fill()
        return max(0.0, (cpu_s - self.left_s) / self.rate)

    def _fill(self) -> None:
        now = self.steady()
        self.left_s = min(self.rate * self.saved_s, self.left_s + (now - self._at) * self.rate)
        self._at = now


@dataclass
class Loan:
    """While one purse is in debt, a part of what fills another goes to it; both together never fill faster.

    Args:
        ratio: of the lender's filling.
    """

    debtor: Budget
    lender: Budget
    ratio: float = 0.5
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self._at = self.lender.steady()

    def settle(self) -> None:
        """Pays off what the time since the last call allows."""
        now = self.lender.steady()
        passed_s, self._at = now - self._at, now
        paid_s = min(self.debtor.debt_s, passed_s * self.lender.rate * self.ratio)
        if paid_s > 0:
            self.lender.spend(paid_s)
            self.debtor.earn(paid_s)


@dataclass
class Meter:
    """Charges the CPU that this process used since the last reading.

    Args:
        spent: the process's own CPU clock.
    """

    spent: Callable[[], float] = time.process_time
    _last_s: float = field(init=False)

    def __post_init__(self) -> None:
        self._last_s = self.spent()

    def take(self) -> float:
        """CPU seconds since the last call."""
        now = self.spent()
        used, self._last_s = now - self._last_s, now
        return used
