"""What a mining dialect says: bytes only; when it says them is `mining.py`'s matter."""

from __future__ import annotations

import json
import random
from typing import Protocol

Line = tuple[bool, bytes]
"""Direction (True from the client) and bytes."""


class Dialect(Protocol):
    """One connection's vocabulary; holds counters, so each connection has its own."""

    def hello(self) -> list[Line]:
        """Opening lines in order, the first job among them."""
        ...

    def share(self) -> tuple[bytes, bytes]:
        """A submitted share and the server's answer to it."""
        ...

    def job(self) -> bytes | None:
        """A job the server pushes; None where the dialect knows polling only."""
        ...

    def ping(self) -> tuple[bytes, bytes] | None:
        """A keep-alive or a poll and its answer; None where the dialect has none."""
        ...

    def difficulty(self) -> bytes | None:
        """What the server pushes when it changes the difficulty."""
        ...


class JsonWriter:
    """Writes JSON lines as one implementation does: with or without blanks, with or without line end."""

    def __init__(self, rng: random.Random, *, spaced: bool = False, line_end: bytes = b"\n") -> None:
        self.rng = rng
        self._separators = (", ", ": ") if spaced else (",", ":")
        self._line_end = line_end

    def line(self, value: object) -> bytes:
        """One JSON text with its line end."""
        return json.dumps(value, separators=self._separators).encode() + self._line_end
