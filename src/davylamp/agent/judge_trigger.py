"""When judging is worth its second of CPU: at once for what is new, and in any case every few minutes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from davylamp.agent.budget import Budget
from davylamp.agent.process_windows import Burner

# In any case this often: the contract says five minutes, and judging itself takes its time.
LONGEST_S = 285.0
# A process that has just begun to burn is judged when it has burned so long: after twenty-five seconds there are the
# eight windows that `steady_compute_thin_socket` asks for, later ones make it surer. A miner at full load is to be an
# incident within a minute, so three times within it.
AGES_S = (25.0, 35.0, 45.0, 100.0, 160.0)
# The last one within the minute is the surest: on a loaded machine, where a judging takes 1.5 to 5 s of CPU instead of
# 0.9, an earlier one would leave nothing for it (a miner behind TLS was judged after 25 s and then not for minutes).
# There it also takes up to ten seconds by the clock.
SUREST_S = 45.0
# Who burns less than this of one core, from its beginning on, waits for the judging that comes anyway.
LEAST_RATIO = 0.1
# A changed file is judged soon, and a package manager that changes a hundred is given time to finish.
CHANGED_FILE_S = 15.0
SHORTEST_S = 10.0


@dataclass
class JudgeTrigger:
    """Decides when to judge.

    The trigger brings judging forward and never puts it off: what it does not notice is judged `LONGEST_S` after the
    last judging at the latest, however small the budget is.

    Args:
        budget: CPU that judging may spend; judging brought forward waits until what it spent is paid off.
    """

    budget: Budget
    _judgings_count: int = 0
    _cost_s: float = 0.0
    _judged_s: float | None = None
    _changed_s: float | None = None
    _ages: dict[tuple[int, int], int] = field(default_factory=dict)

    def file_changed(self, at_s: float) -> None:
        """A watched file changed."""
        if self._changed_s is None:
            self._changed_s = at_s

    def due(self, at_s: float, burners: Mapping[int, Burner]) -> str:
        """Why judging is due, or an empty text.

        Args:
            at_s: steady clock.
            burners: processes that burn now.
        """
        if self._judged_s is None:
            self._judged_s = at_s
        waited_s = at_s - self._judged_s
        if waited_s >= LONGEST_S:
            return "it is time"
        if waited_s < SHORTEST_S or not self.budget.allows():
            return ""
        if self._changed_s is not None and at_s - self._changed_s >= CHANGED_FILE_S:
            return "a watched file changed"
        if any(self._new_age(each, at_s) for each in burners.values()):
            return "a process has begun to burn CPU"
        return ""

    def judging(self, at_s: float, burners: Mapping[int, Burner]) -> None:
        """Judging begins: what has been seen until now counts as judged."""
        self._judged_s = at_s
        if self._changed_s is not None and at_s - self._changed_s >= CHANGED_FILE_S:
            self._changed_s = None
        self._ages = {(each.pid, each.start_ticks): _age(each, at_s) for each in burners.values()}

    def judged(self, cpu_s: float) -> None:
        """Judging has ended and has cost so much."""
        self._judgings_count += 1
        self._cost_s = cpu_s
        if self._judgings_count > 1:  # the first belongs to the start of the watch
            self.budget.spend(cpu_s)

    def _new_age(self, burner: Burner, at_s: float) -> bool:
        # Without a connection of its own, or of its parent or children, it hears of no work: builds, encoders.
        if not burner.talks:
            return False
        lasted_s = max(at_s - burner.since_s, 1e-6)
        if burner.spent_s < LEAST_RATIO * lasted_s:
            return False
        if _age(burner, at_s) <= self._ages.get((burner.pid, burner.start_ticks), 0):
            return False
        if lasted_s >= SUREST_S:
            return self.budget.allows()
        # An earlier one is worth it where the surest can be paid for after it, for this process and for one more.
        return self.budget.allows(2 * self._cost_s - self.budget.rate * (SUREST_S - lasted_s))


def _age(burner: Burner, at_s: float) -> int:
    """How many of the ages a process has passed since it began to burn."""
    return sum(at_s - burner.since_s >= age for age in AGES_S)
