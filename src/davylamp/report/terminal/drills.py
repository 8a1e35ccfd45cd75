"""Drills as lines of a terminal: what was played, what came of it, by which detection, after how long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Outcome(Protocol):
    """What the renderer reads of an outcome."""

    @property
    def uid(self) -> str: ...
    @property
    def letter(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def verdict(self) -> str: ...
    @property
    def units(self) -> tuple[str, ...]: ...
    @property
    def after_s(self) -> float: ...
    @property
    def probability(self) -> float | None: ...
    @property
    def entry_point(self) -> str: ...
    @property
    def follow_on(self) -> tuple[str, ...]: ...
    @property
    def reason(self) -> str: ...
    @property
    def as_expected(self) -> bool: ...


_MARKS = {"caught": "●", "quiet": "○", "could not play": "?"}


def outcome_line(outcome: Outcome) -> str:
    """The verdict and what says so; how they got in and what else they did, where the incident tells that."""
    mark = _MARKS.get(outcome.verdict, "×")
    known = f" after {outcome.after_s:.0f} s" if outcome.after_s else ""
    sure = f", probability {outcome.probability:.1%}".replace("%", " %") if outcome.probability is not None else ""
    first = f"{mark} {outcome.letter}  {outcome.verdict + known + sure:<42} {outcome.title}\n"
    said = outcome.reason or ", ".join(outcome.units) or "no finding"
    told = [f"got in: {outcome.entry_point}"] if outcome.entry_point else []
    told += [f"and then: {each}" for each in outcome.follow_on]
    return "".join([first, *(f"     {line}\n" for line in (said, *told))])


def summary_line(outcomes: Sequence[Outcome]) -> str:
    """One sentence about all of them."""
    counts = {verdict: sum(each.verdict == verdict for each in outcomes) for verdict in ("caught", "missed", "quiet")}
    alarms = sum(each.verdict == "false alarm" for each in outcomes)
    skipped = sum(each.verdict == "could not play" for each in outcomes)
    return (
        f"\n{counts['caught']} caught, {counts['missed']} missed; of the look-alikes {counts['quiet']} quiet, "
        f"{alarms} false alarms; {skipped} could not be played.\n"
    )
