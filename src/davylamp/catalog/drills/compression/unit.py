"""The drill `compression`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from davylamp.kit.drill import QUIET, Drill, DrillMeta

if TYPE_CHECKING:
    from davylamp.kit.emulation.stage import Stage

_PROGRAM = """
import lzma, os, time
ends = time.monotonic() + 600
while time.monotonic() < ends:
    with lzma.open("packed.xz", "wb", preset=3) as out:
        for _ in range(40):
            out.write(os.urandom(1 << 16))
"""


class Compression(Drill):
    """A look-alike: a compression.

    What it plays.
    A program that compresses random bytes into a file, over and over, on a whole CPU.

    What it proves.
    That burning CPU is no crime while bytes are moved.
    """

    meta = DrillMeta(
        uid="compression",
        title="Look-alike: a compression",
        letter="i",
        expects=QUIET,
    )

    def play(self, stage: Stage) -> tuple[int, ...]:
        """Starts it."""
        return (stage.load([sys.executable, "-c", _PROGRAM]),)
