"""Everything about processes: the kernel's events, passes over `/proc` when they are worth it, windows of use."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from davylamp.agent import procfs
from davylamp.agent.budget import Meter
from davylamp.agent.cap import Cap
from davylamp.agent.hidden_processes import collect_hidden
from davylamp.agent.look import state_refusals
from davylamp.agent.machine_cpu import record_machine, state_comparison
from davylamp.agent.pass_trigger import PassTrigger
from davylamp.agent.process_events import Connector
from davylamp.agent.process_lives import Lives
from davylamp.agent.process_windows import ProcessWindows
from davylamp.agent.processes import Table
from davylamp.agent.procfs import MachineTime, Stat
from davylamp.agent.record import Look, Recorder

# Events read at once; more of them waiting is a storm, in which the kernel's buffer fills while we pause.
EVENTS_AT_ONCE_COUNT = 256
BATCHED_COUNT = 8
BATCH_PAUSE_S, STORM_PAUSE_S = 0.1, 0.5
LONGEST_PAUSE_S = 5.0
STORM_LASTS_S = 10.0
# The machine's own windows are written this far apart.
MACHINE_WINDOW_S = 30.0
# Without the connector: new pids are looked for this often. Shorter-lived processes are not seen, which is said.
POLL_S = 2.0
# Details of a process that changed nothing are written again once in so many slices, each a minute: the spool drops
# its oldest segments, and a process that runs for weeks must still be in it.
SLICES_COUNT = 60


@dataclass
class ProcessSense:
    """Follows all processes of the host.

    Args:
        cap: CPU that the watch may take; events are what gives way, in a storm they are passed over and counted.
    """

    recorder: Recorder
    table: Table
    cap: Cap
    steady: Callable[[], float] = time.monotonic
    connector: Connector | None = None
    trigger: PassTrigger = field(default_factory=PassTrigger)
    meter: Meter = field(default_factory=Meter)
    resume_s: float = 0.0
    _storm_until_s: float = 0.0
    _last: tuple[float, MachineTime, dict[int, Stat]] | None = None
    _pids: set[int] = field(default_factory=set)
    _slice: int = 0

    def __post_init__(self) -> None:
        self.lives = Lives(self.table, self.recorder, self._may_read)
        self.windows = ProcessWindows(self.recorder, self.table.reader.boot, self.table.reader.proc)

    def open(self, look: Look) -> None:
        """Begins to listen, then takes everything that is there: nothing starts unseen between the two."""
        try:
            self.connector = Connector()
        except OSError as error:
            look.could_not_look(
                "starts of processes",
                f"the kernel refuses the proc connector ({error.strerror}); CAP_NET_ADMIN in the first namespaces "
                f"would allow it. Listings every {POLL_S:g} s miss what lives shorter",
            )
        state_comparison(look)
        self.table.tell(look, self.table.refresh(), "snapshot", seen_by=["list"])
        self._pids = set(self.table.stats)
        state_refusals(look, self.table.reader.refused)

    def close(self) -> None:
        """Stops listening."""
        if self.connector is not None:
            self.connector.close()

    def take_events(self) -> bool:
        """Takes events that wait; True when the caller should not come back before `resume_s`."""
        if self.connector is None:
            return False
        self.meter.take()
        events = self.connector.read(EVENTS_AT_ONCE_COUNT)
        self.lives.take(events)
        self.cap.events.spend(self.meter.take())
        now = self.steady()
        if not self.may_go_on():
            if not self._storm_until_s:
                self._begin_storm(self.connector)
            self._storm_until_s = now + STORM_LASTS_S
            self.resume_s = now + min(LONGEST_PAUSE_S, max(STORM_PAUSE_S, self.cap.events_wait_s(STORM_PAUSE_S)))
            return True
        if len(events) >= BATCHED_COUNT:
            self.resume_s = now + BATCH_PAUSE_S
            return True
        return False

    def _begin_storm(self, connector: Connector) -> None:
        connector.only_starts(True)
        reason = "more processes start than the CPU cap allows to follow: forks and ends are left out, starts sampled"
        self.recorder.record("sensor_state", time.time(), kind="slowed", name="process events", reason=reason)

    def tick(self) -> None:
        """What comes round every two seconds."""
        self.lives.tick()
        if self._storm_until_s and self.steady() >= self._storm_until_s and self.connector is not None:
            self._storm_until_s = 0.0
            self.connector.only_starts(False)
            reason = "forks and ends are followed again"
            self.recorder.record("sensor_state", time.time(), kind="resumed", name="process events", reason=reason)
        if self.connector is None:
            self._poll()

    def look_at_cpu(self) -> None:
        """Reads the machine's CPU time, and all processes if it says that it is worth it."""
        now = procfs.machine_time(self.table.reader.proc)
        if self.trigger.due(now):
            self.read_all(now)

    def read_all(self, now: MachineTime) -> None:
        """A pass over all processes."""
        at, at_s = time.time(), self.steady()
        new = self.table.refresh()
        look = Look(self.recorder, at)
        for pid in sorted(new):
            if self.lives.waits(pid):
                continue  # it is about to run a program, or will be told as one that did not
            if self._may_read():
                self.table.tell(look, [pid], self._activity(pid), seen_by=["list"])
            else:
                self.lives.skipped_count += 1
        self.table.told = {pid: ticks for pid, ticks in self.table.told.items() if pid in self.table.stats}
        self.windows.all_read(self.table.stats, at, at_s)
        self.trigger.passed(now)
        self._write_machine(at, now)
        self._pids = set(self.table.stats)

    def closely(self) -> list[int]:
        """Reads the freshest burners alone; gives their pids."""
        return self.windows.closely(time.time(), self.steady())

    def close_windows(self) -> None:
        """Writes all that is known of burning processes by now, for a judging that is about to begin."""
        at, burners = time.time(), self.windows.burners
        self.windows.close_all(at, self.steady())
        for pid in burners:
            if (known := procfs.stat_of(pid, self.table.reader.proc)) is not None:
                self.table.stats[pid] = known
        self.table.tell(Look(self.recorder, at), [pid for pid in burners if pid in self.table.stats], "snapshot")

    def tell_a_slice(self) -> None:
        """Writes a part of the long-lived processes again."""
        self._slice = (self._slice + 1) % SLICES_COUNT
        pids = [pid for pid in self.table.stats if pid % SLICES_COUNT == self._slice and pid in self.table.told]
        self.table.tell(Look(self.recorder, time.time()), pids, "snapshot", seen_by=["list"])

    def look_for_hidden(self) -> None:
        """Compares the listing with views that do not rest on it."""
        collect_hidden(Look(self.recorder, time.time()), self.table)

    def take_losses(self) -> list[tuple[int, str]]:
        """What was lost or passed over since the last call, with the reason."""
        skipped_count, self.lives.skipped_count = self.lives.skipped_count, 0
        losses = [(skipped_count, "starts and ends of processes passed over: the CPU cap left no room to look at them")]
        if self.connector is not None:
            losses.append(
                (self.connector.take_lost_count(), "process events dropped by the kernel or passed over, at most")
            )
        return [(count, reason) for count, reason in losses if count]

    def may_go_on(self) -> bool:
        """Whether anything that the kernel tells may be taken now."""
        return self.cap.events_may()

    def _may_read(self) -> bool:
        """Details cost a hundred times what an event does: they stop while half of the purse is left."""
        return self.cap.events_may(0.5)

    def _activity(self, pid: int) -> str:
        """A process that the last pass did not show, and that no event told of, has started since."""
        return "snapshot" if pid in self._pids else "launch"

    def _poll(self) -> None:
        listed = procfs.listed_pids(self.table.reader.proc)
        look = Look(self.recorder, time.time())
        for pid in sorted(listed - self._pids):
            known = procfs.stat_of(pid, self.table.reader.proc)
            if known is None:
                continue
            self.table.stats[pid] = known
            if self._may_read():
                self.table.tell(look, [pid], "launch", seen_by=["list"])
            else:
                self.lives.skipped_count += 1
        self._pids = listed

    def _write_machine(self, at: float, now: MachineTime) -> None:
        shown = dict(self.table.stats)
        if self._last is None:
            self._last = (at, now, shown)
        elif now.at_s - self._last[1].at_s >= MACHINE_WINDOW_S:
            began_at = at - (now.at_s - self._last[1].at_s)
            record_machine(self.recorder, began_at, self._last[1], now, self._last[2], shown)
            self._last = (at, now, shown)
