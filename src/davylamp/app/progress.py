"""How a use case tells its door what it is doing."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives steps; draws them, or does not."""

    def reading(self, path: str, done_count: int, total_count: int) -> None:
        """A file is about to be read."""
        ...

    def judging(self, unit: str) -> None:
        """A detection is about to look."""
        ...

    def observing(self, elapsed_s: float, duration_s: float) -> None:
        """The host is being looked at."""
        ...


class Silent:
    """Draws nothing."""

    def reading(self, path: str, done_count: int, total_count: int) -> None:
        """Says nothing."""

    def judging(self, unit: str) -> None:
        """Says nothing."""

    def observing(self, elapsed_s: float, duration_s: float) -> None:
        """Says nothing."""
