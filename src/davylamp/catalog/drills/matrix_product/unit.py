"""The drill `matrix_product`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from davylamp.kit.drill import QUIET, Drill, DrillMeta

if TYPE_CHECKING:
    from davylamp.kit.emulation.stage import Stage

_PROGRAM = """
import time
import numpy
left = numpy.random.default_rng(1).random((400, 400))
ends = time.monotonic() + 600
while time.monotonic() < ends:
    left = left @ left
    left /= abs(left).max()
"""


class MatrixProduct(Drill):
    """A look-alike: a matrix product.

    What it plays.
    numpy multiplies matrices on a whole CPU, without a connection.

    What it proves.
    That computing alone, moving nothing, is no finding without somebody to talk to.
    """

    meta = DrillMeta(
        uid="matrix_product",
        title="Look-alike: a matrix product",
        letter="i",
        expects=QUIET,
    )

    def play(self, stage: Stage) -> tuple[int, ...]:
        """Starts it."""
        return (stage.load([sys.executable, "-c", _PROGRAM], OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1"),)
