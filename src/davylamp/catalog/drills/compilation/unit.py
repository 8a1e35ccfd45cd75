"""The drill `compilation`."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from davylamp.kit.drill import QUIET, Drill, DrillMeta

if TYPE_CHECKING:
    from davylamp.kit.emulation.stage import Stage

_SOURCE = "".join(f"int f{n}(int x) {{ return x * {n} + (x >> {n % 7}); }}\n" for n in range(2000))


class Compilation(Drill):
    """A look-alike: a compilation.

    What it plays.
    A compiler that translates a small program over and over, many short processes in a row.

    What it proves.
    That short processes that burn are told from one that lasts.
    """

    meta = DrillMeta(
        uid="compilation",
        title="Look-alike: a compilation",
        letter="i",
        expects=QUIET,
    )

    def could_play(self) -> str:
        """A C compiler is needed."""
        return "" if shutil.which("cc") and shutil.which("bash") else "needs a C compiler: apt-get install gcc"

    def play(self, stage: Stage) -> tuple[int, ...]:
        """Starts it."""
        (stage.folder / "unit.c").write_text(_SOURCE, encoding="ascii")
        loop = "end=$((SECONDS + 600)); while [ $SECONDS -lt $end ]; do cc -O2 -c unit.c -o unit.o; done"
        return (stage.load(["bash", "-c", loop]),)
