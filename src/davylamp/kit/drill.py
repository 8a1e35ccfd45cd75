"""Drills: emulations that prove that a host's miner is seen, and that its look-alikes are not.

A drill's folder holds `unit.py` with one class. It starts processes of our own on a stage, on loopback addresses or in
namespaces made for it; no coin's algorithm, no traffic to anybody else; the stage takes all of it back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from davylamp.kit.emulation.stage import Stage

CAUGHT, QUIET = "caught", "quiet"


@dataclass(frozen=True, slots=True)
class DrillMeta:
    """What a drill plays.

    Args:
        letter: its place in the score sheet of the knowledge base (peers, section 4), `a` to `i`.
        expects: `caught` for a miner, `quiet` for a look-alike.
        needs_root: whether it needs namespaces, ports below 1024 or a server of its own.
        observe_s: how long it has to be looked at to be told; None for the shortest look.
        told_by: detections of which the incident must hold a finding, beside naming the process.
    """

    uid: str
    title: str
    letter: str
    expects: str
    needs_root: bool = False
    observe_s: float | None = None
    told_by: tuple[str, ...] = ()
    maturity: str = "stable"
    references: tuple[str, ...] = ()
    kind: str = "drill"


class Drill:
    """Base of every drill."""

    meta: ClassVar[DrillMeta]

    def could_play(self) -> str:
        """Empty when this machine has what the drill needs, else what it lacks."""
        return ""

    def play(self, stage: Stage) -> tuple[int, ...]:
        """Starts the drill and gives the pids that should be named (or, for a look-alike, should not).

        Raises:
            UsageError: something it needs is missing.
        """
        raise NotImplementedError
