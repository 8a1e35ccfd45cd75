"""Starts judging when it is due, passes on what it prints, and counts what it costs."""

from __future__ import annotations

import contextlib
import selectors
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from davylamp.agent.judge_child import JudgeChild
from davylamp.agent.judge_trigger import JudgeTrigger
from davylamp.agent.own_cost import OwnCost
from davylamp.agent.process_windows import Burner
from davylamp.agent.record import Recorder

# The first judging waits until what stands already has been looked at twice.
FIRST_S = 7.0
# Burners whose images' packages are told: those that no earlier judging can have told of.
FRESH_S, FRESH_COUNT = 60.0, 16
_PRICE = b"usd_per_vcpu_hour "


@dataclass
class Judging:
    """Judging in short-lived processes, one at a time.

    Args:
        command: program and arguments; empty for a sensor that only writes.
        forward: takes each line that judging prints for whoever watches.
        boot_at: when the machine booted; processes are named by it.
        began_s: steady clock at the start.
    """

    command: tuple[str, ...]
    trigger: JudgeTrigger
    cost: OwnCost
    recorder: Recorder
    selector: selectors.BaseSelector
    forward: Callable[[bytes], None]
    boot_at: float
    began_s: float = field(default_factory=time.monotonic)
    done_count: int = 0
    _first: bool = True

    def __post_init__(self) -> None:
        self.child = JudgeChild(list(self.command))

    def due(self, burners: Mapping[int, Burner]) -> str:
        """Why judging is due; empty when it is not, or one runs."""
        now = time.monotonic()
        if not self.command:
            return ""
        if self.child.running:
            if self.child.hangs():
                self.child.stop()
            return ""
        if self._first:
            return "the watch has begun" if now - self.began_s >= FIRST_S else ""
        return self.trigger.due(now, burners)

    def start(self, why: str, burners: Mapping[int, Burner]) -> None:
        """Starts judging now; all that is to be judged is in the spool already."""
        if not self.command or self.child.running:
            return
        self._first = False
        self.trigger.judging(time.monotonic(), burners)
        try:
            descriptor = self.child.start(["--why", why, "--boot-at", str(self.boot_at), *_fresh(burners)])
        except OSError as error:
            self._failed(error.strerror or str(error))
            return
        self.selector.register(descriptor, selectors.EVENT_READ, self._take)

    def wait(self, stopped: Callable[[], bool]) -> None:
        """Waits for the judging that runs."""
        while self.child.running and not stopped() and not self.child.hangs():
            for key, _ in self.selector.select(1.0):
                key.data()

    def close(self) -> None:
        """Ends a judging that runs."""
        if self.child.running:
            self.child.stop()
            with contextlib.suppress(OSError):
                self.child.finish()

    def _take(self) -> None:
        lines, closed = self.child.read()
        for line in lines:
            if line.startswith(_PRICE):
                self.cost.usd_per_vcpu_hour = float(line[len(_PRICE) :])
            elif line:
                self.forward(line)
        if closed:
            self._end()

    def _end(self) -> None:
        self.selector.unregister(self.child.descriptor)
        ended = self.child.finish()
        self.done_count += 1
        self.cost.judged(ended.cpu_s, ended.peak_bytes)
        self.trigger.judged(ended.cpu_s)
        if ended.code:
            self._failed(f"judging ended with code {ended.code}; it is tried again")

    def _failed(self, reason: str) -> None:
        self.recorder.record("sensor_state", time.time(), kind="could_not_look", name="judging", reason=reason)


def _fresh(burners: Mapping[int, Burner]) -> list[str]:
    """Options that name the processes which have begun to burn lately."""
    now = time.monotonic()
    pids = [pid for pid, each in burners.items() if now - each.since_s < FRESH_S][:FRESH_COUNT]
    return [word for pid in pids for word in ("--pid", str(pid))]
