"""Drill: plays emulations on this machine, looks at it as `davylamp scan host` does, and says what was seen."""

from __future__ import annotations

import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from davylamp.agent.procfs import stat_of
from davylamp.app.progress import Progress
from davylamp.app.scan import ScanRequest
from davylamp.app.scan_host import SUSPECT_OBSERVE_S, scan_host
from davylamp.errors import UsageError
from davylamp.kit import registry
from davylamp.kit.drill import CAUGHT, Drill
from davylamp.kit.emulation.leftovers import CASE_PREFIX, mark
from davylamp.kit.emulation.stage import Stage

# A look-alike may raise an eyebrow once; two findings or an incident are a false alarm (issue of the score sheet).
QUIET_FINDINGS_COUNT = 1
MISSED, QUIET, FALSE_ALARM, COULD_NOT_PLAY = "missed", "quiet", "false alarm", "could not play"
# What starting, looking at the state and judging take beside the look itself.
MARGIN_S = 60.0
SETTLED_S = 1.5


@dataclass(frozen=True)
class Outcome:
    """What came of one drill.

    Args:
        verdict: caught, missed, quiet, false alarm, or could not play.
        units: the detections that named the process, the strongest first.
        after_s: from the start of the play to the verdict.
        probability: of the incident, where there is one.
        entry_point: how they got in, as the incident tells it.
        follow_on: what else was done, as the incident tells it.
        pids: processes that were to be named, or left alone.
    """

    uid: str
    letter: str
    title: str
    expects: str
    verdict: str
    units: tuple[str, ...] = ()
    after_s: float = 0.0
    probability: float | None = None
    entry_point: str = ""
    follow_on: tuple[str, ...] = ()
    pids: tuple[int, ...] = ()
    reason: str = ""

    @property
    def as_expected(self) -> bool:
        """Whether it came out as it should; what could not be played says nothing."""
        return self.verdict in (self.expects, COULD_NOT_PLAY)


def chosen_drills(names: Sequence[str]) -> tuple[Drill, ...]:
    """Drills by letter or uid, all of them where none is named.

    Raises:
        UsageError: there is no such drill.
    """
    known = registry.drills()
    wanted = {name.lower() for name in names}
    found = tuple(each for each in known if not wanted or {each.meta.letter, each.meta.uid} & wanted)
    if unknown := wanted - {name for each in known for name in (each.meta.letter, each.meta.uid)}:
        raise UsageError("there is no such drill", where=", ".join(sorted(unknown)), hint="davylamp drill --list")
    return found


def run_drill(
    drill: Drill, observe_s: float | None, seed: int, progress: Progress | None = None, keep: Path | None = None
) -> Outcome:
    """Plays one drill and looks; everything it made is gone afterwards, also after a Ctrl-C.

    Args:
        keep: folder for the case, which is then kept.
    """
    meta = drill.meta
    outcome = _outcome_of(drill)
    if reason := drill.could_play():
        return outcome(COULD_NOT_PLAY, reason=reason)
    length_s = None if observe_s is None else max(observe_s, meta.observe_s or 0.0)
    case = Path(tempfile.mkdtemp(prefix=CASE_PREFIX)) if keep is None else keep
    try:
        if keep is None:
            mark(case)
        with _stoppable() as asked, Stage((length_s or SUSPECT_OBSERVE_S) + MARGIN_S, seed) as stage:
            began_s = time.monotonic()
            try:
                named = drill.play(stage)
            except (UsageError, OSError) as error:
                return outcome(COULD_NOT_PLAY, reason=str(error).splitlines()[0])
            time.sleep(SETTLED_S)
            everybody = stage.pids() | set(named)
            request = ScanRequest(paths=tuple(map(str, stage.evidence)), case_folder=case / "case")
            roots = () if stage.root is None else (stage.root,)
            document = scan_host(request, length_s, progress, roots=roots).document
            after_s = time.monotonic() - began_s
            gone = [pid for pid in named if _has_ended(pid)]
            if asked:
                raise KeyboardInterrupt  # the look ends early and is judged; a drill that was stopped says nothing
    finally:
        if keep is None:
            shutil.rmtree(case, ignore_errors=True)
    if meta.expects == CAUGHT:
        hunted = replace(_hunted(outcome, document, set(named), after_s, meta.told_by), pids=named)
        if hunted.verdict == MISSED and gone:
            return outcome(COULD_NOT_PLAY, reason="the miner ended before the look did: nothing can be said of it")
        return hunted
    return replace(_left_alone(outcome, document, everybody, after_s), pids=tuple(sorted(everybody)))


def _has_ended(pid: int) -> bool:
    """Whether a process is gone, or only waits for its parent to hear of its end."""
    stat = stat_of(pid)
    return stat is None or stat.state in "ZX"


@contextmanager
def _stoppable() -> Iterator[list[int]]:
    """Notes that somebody asked to stop (Ctrl-C or SIGTERM), which the look itself takes for its own end."""
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def stop(number: int, _: FrameType | None) -> None:
        asked.append(number)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _outcome_of(drill: Drill) -> Callable[..., Outcome]:
    meta = drill.meta

    def made(verdict: str, **rest: Any) -> Outcome:
        return Outcome(meta.uid, meta.letter, meta.title, meta.expects, verdict, **rest)

    return made


def _hunted(
    outcome: Callable[..., Outcome], document: dict[str, Any], pids: set[int], after_s: float, told_by: Sequence[str]
) -> Outcome:
    """Caught is: an incident that names the process itself, and holds all that the drill says it must tell."""
    units = _units(document, pids)
    unit_of = {finding["uid"]: finding["unit"] for finding in document["findings"]}
    for incident in document["incidents"]:
        if not _pids(incident) & pids:
            continue
        untold = set(told_by) - {unit_of[uid] for uid in incident["findings"]}
        if untold:
            reason = f"the incident does not tell: {', '.join(sorted(untold))}"
            return outcome(MISSED, units=units, after_s=after_s, reason=reason)
        entry, follow_on = incident["entry_point"], incident["follow_on"]
        return outcome(
            CAUGHT,
            units=(*units, *told_by),
            after_s=after_s,
            probability=incident["probability"],
            entry_point=entry["text"] if entry else "",
            follow_on=tuple(each["text"] for each in follow_on),
        )
    return outcome(MISSED, units=units, after_s=after_s)


def _left_alone(outcome: Callable[..., Outcome], document: dict[str, Any], pids: set[int], after_s: float) -> Outcome:
    units = _units(document, pids)
    incidents = [incident for incident in document["incidents"] if _pids(incident) & pids]
    alarmed = bool(incidents) or len(units) > QUIET_FINDINGS_COUNT
    probability = incidents[0]["probability"] if incidents else None
    return outcome(FALSE_ALARM if alarmed else QUIET, units=units, after_s=after_s, probability=probability)


def _units(document: dict[str, Any], pids: set[int]) -> tuple[str, ...]:
    """Detections whose findings name one of the processes, the strongest evidence first."""
    found = [finding for finding in document["findings"] if _pids(finding) & pids]
    ordered = sorted(found, key=lambda finding: (-finding["llr"], finding["unit"]))
    return tuple(dict.fromkeys(finding["unit"] for finding in ordered))


def _pids(item: dict[str, Any]) -> set[int]:
    names = [asset["name"].partition("@")[0] for asset in item["assets"] if asset["kind"] == "process"]
    return {int(name) for name in names if name.isdecimal()}
