"""The drill `database_under_load`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from davylamp.kit.drill import QUIET, Drill, DrillMeta

if TYPE_CHECKING:
    from davylamp.kit.emulation.stage import Stage

_PROGRAM = """
import random, sqlite3, time
base = sqlite3.connect("load.sqlite")
base.execute("create table if not exists entry (number integer, word text)")
ends = time.monotonic() + 600
while time.monotonic() < ends:
    with base:
        base.executemany("insert into entry values (?, ?)", [(random.random(), "x" * 80) for _ in range(500)])
    base.execute("select word, count(*) from entry where number > 0.5 group by word order by 2").fetchall()
"""


class DatabaseUnderLoad(Drill):
    """A look-alike: a database under load.

    What it plays.
    SQLite commits rows, reads them back and sorts them, on a whole CPU.

    What it proves.
    That storage and system calls set a database apart.
    """

    meta = DrillMeta(
        uid="database_under_load",
        title="Look-alike: a database under load",
        letter="i",
        expects=QUIET,
    )

    def play(self, stage: Stage) -> tuple[int, ...]:
        """Starts it."""
        return (stage.load([sys.executable, "-c", _PROGRAM]),)
