"""When a pass over all processes is worth its cost: what the machine spent bounds what any process can have burned."""

from __future__ import annotations

from dataclasses import dataclass

from davylamp.agent.procfs import MachineTime

# With less than this of one core spent by all processes together, no miner worth finding hides among them: a tenth of
# a core earns cents a month (knowledge/cost.md), and this is half of it.
LEAST_CPU_RATIO = 0.05
# A pass over 300 processes costs 5 ms; at this pace a twentieth of a percent of a core.
SHORTEST_S = 10.0
# The machine's own counters are sampled by its timer on most kernels (CONFIG_TICK_CPU_ACCOUNTING), so work that
# sleeps through every tick does not show in them; and a container may be shown another machine's. A process's own
# clock is exact, so whatever the trigger says, every process is read this often.
LONGEST_S = 60.0


@dataclass
class PassTrigger:
    """Says when to read all processes.

    The trigger can delay a look at a process by `LONGEST_S` and never prevent one.

    Args:
        shortest_s: at most one pass in so long; stretched when the budget is tight.
    """

    shortest_s: float = SHORTEST_S
    _passed: MachineTime | None = None

    def due(self, now: MachineTime) -> bool:
        """Whether a pass is due at this reading of the machine's CPU time."""
        last = self._passed
        if last is None:
            return True
        elapsed_s = now.at_s - last.at_s
        if elapsed_s >= max(LONGEST_S, self.shortest_s):
            return True
        # A counter that went back (a machine restored or migrated) says nothing: look.
        spent_s = now.processes_s - last.processes_s
        return elapsed_s >= self.shortest_s and not 0 <= spent_s < LEAST_CPU_RATIO * elapsed_s

    def passed(self, now: MachineTime) -> None:
        """A pass was made."""
        self._passed = now
