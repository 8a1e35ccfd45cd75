"""Recorded instants onto the story's dates: each recording has one stated factor."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from examples.make.system_log import Line


@dataclass(frozen=True, slots=True)
class Stretch:
    """A recording, where its beginning lies in the story, and how much longer the story takes."""

    name: str
    recorded_from_s: float
    recorded_to_s: float
    story_from: datetime
    factor: float

    @classmethod
    def onto(
        cls, name: str, recorded: tuple[float, float], story_from: datetime, story_to: datetime | None = None
    ) -> Stretch:
        """The recording stretched to fill a stretch of the story; only moved when that has no end."""
        length_s = recorded[1] - recorded[0]
        factor = 1.0 if story_to is None else (story_to - story_from).total_seconds() / length_s
        return cls(name, recorded[0], recorded[1], story_from, factor)

    def at(self, recorded_s: float) -> datetime:
        """The story's instant of a recorded one."""
        return self.story_from + timedelta(seconds=(recorded_s - self.recorded_from_s) * self.factor)

    def lines(self, lines: Iterable[Line], same: Callable[[Line], Hashable]) -> list[tuple[datetime, Line]]:
        """Lines of this recording at their story instants.

        Args:
            same: lines of one key (one SSH connection, one question) keep their own pace after the first.
        """
        first: dict[Hashable, Line] = {}
        placed: list[tuple[datetime, Line]] = []
        for line in lines:
            if not self.recorded_from_s <= line.recorded_s <= self.recorded_to_s:
                continue
            begin = first.setdefault(same(line), line)
            pause = timedelta(seconds=line.recorded_s - begin.recorded_s)
            placed.append((self.at(begin.recorded_s) + pause, line))
        return placed


def log_text(placed: Iterable[tuple[datetime, Line]]) -> str:
    """A syslog file as rsyslog writes it, in time order."""
    ordered = sorted(placed, key=lambda item: (item[0], item[1].recorded_s))
    return "".join(
        f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}+00:00 {line.host} {line.program}[{line.pid}]: {line.text}\n"
        for at, line in ordered
    )
