"""The always-on sensor: one process, one event loop, no threads; it writes to the spool and judges nothing."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from davylamp.agent import procfs
from davylamp.agent.budget import Meter
from davylamp.agent.cap import Cap
from davylamp.agent.connections import Connections
from davylamp.agent.counted_messages import CountedMessages
from davylamp.agent.details import Reader, users_of
from davylamp.agent.dns_packets import DnsPackets
from davylamp.agent.file_changes import FileChanges
from davylamp.agent.jobs import Job, Jobs
from davylamp.agent.judge_trigger import JudgeTrigger
from davylamp.agent.judging import Judging
from davylamp.agent.listening import ListeningPorts
from davylamp.agent.log_tail import LogTails
from davylamp.agent.own_cost import OwnCost
from davylamp.agent.process_events import Connector
from davylamp.agent.process_sense import ProcessSense
from davylamp.agent.processes import Table
from davylamp.agent.record import Look, Recorder
from davylamp.agent.socket_watch import SocketWatch, family_of
from davylamp.agent.spool import DEFAULT_TOTAL_BYTES, Spool
from davylamp.agent.suspect_packets import SuspectPackets

DEFAULT_CPU_CAP_RATIO = 0.02
# Of the cap: the jobs that come round; together no more than `cap.SENSOR_SHARE`.
TICK_SHARE, PROCESSES_SHARE, SOCKETS_SHARE, SMALL_SHARE = 0.15, 0.15, 0.08, 0.02
TICK_S, CPU_S, SOCKETS_S, LOGS_S, LOSSES_S, MINUTE_S, HIDDEN_S = 2.0, 5.0, 10.0, 5.0, 10.0, 60.0, 300.0
PACKETS_AT_ONCE_COUNT = 64
# Where packets are refused, the counters of fresh suspects' connections tell their messages; so often two of one
# direction seldom fall together.
COUNTERS_S, COUNTERS_SHARE = 0.2, 0.15

Say = Callable[[str, dict[str, object]], None]


@dataclass(frozen=True)
class SensorConfig:
    """What the sensor is asked to do.

    Args:
        folder: where the spool and the forwarded logs lie.
        judge_command: program and arguments that judge the spool; none for a sensor that only writes.
        for_s: seconds after which it ends; 0 for never.
    """

    folder: str
    spool_bytes: int = DEFAULT_TOTAL_BYTES
    cpu_cap_ratio: float = DEFAULT_CPU_CAP_RATIO
    judge_command: tuple[str, ...] = ()
    for_s: float = 0.0
    root: str = "/"


@dataclass
class _Telling(Recorder):
    """Says on the way what the sensor states of itself."""

    say: Say = lambda kind, columns: None

    def record(self, event_class: str, at: float, **columns: object) -> None:
        """Writes one record."""
        super().record(event_class, at, **columns)
        if event_class == "sensor_state" and columns.get("kind") != "cost":
            self.say("sensor", {"at": at, **columns})


class Sensor:
    """Runs until it is told to stop (SIGTERM, SIGINT), or its time is over.

    Args:
        say: told what the sensor states of itself (`sensor`, `cost`).
        forward: takes the lines that judging prints.

    Raises:
        SpoolInUseError: another sensor writes there.
        OSError: the spool cannot be made.
    """

    def __init__(self, config: SensorConfig, say: Say, forward: Callable[[bytes], None]) -> None:
        self.config, self.say = config, say
        os.makedirs(config.folder, mode=0o700, exist_ok=True)
        self.spool = Spool(os.path.join(config.folder, "spool"), config.spool_bytes)
        self.spool.recorder = _Telling(self.spool.write, say=say)
        self.recorder = self.spool.recorder
        cap = self.cap = Cap(config.cpu_cap_ratio)
        self.meter, self.whole, self.cost = Meter(), Meter(), OwnCost()
        boot = procfs.boot_at()
        self.table = Table(Reader(users_of(), boot))
        self.processes = ProcessSense(self.recorder, self.table, cap)
        self.sockets: SocketWatch | None = None
        self.ports = ListeningPorts()
        self.packets = SuspectPackets(os.path.join(config.folder, "packets"))
        self.dns: DnsPackets | None = None
        self.files = FileChanges(self.recorder, self.table, config.root)
        self.logs = LogTails.of_host(os.path.join(config.folder, "logs"), config.root)
        self.jobs = Jobs(self._slowed, pause_s=cap.jobs_wait_s)
        self.selector = selectors.DefaultSelector()
        self.trigger = JudgeTrigger(cap.judging)
        self.judging = Judging(
            config.judge_command, self.trigger, self.cost, self.recorder, self.selector, forward, boot
        )
        self.stopping = False
        self._paused = False
        self._packets_refused = ""
        self._close_sockets: Job | None = None
        self.messages: CountedMessages | None = None
        self._counters = Job("counters", self._ask_counters, COUNTERS_S, cap.ratio * COUNTERS_SHARE)

    def run(self) -> None:
        """Senses until it ends; leaves the spool consistent whatever happens."""
        wakes, woken = socket.socketpair()
        wakes.setblocking(False)
        woken.setblocking(False)
        old_wake = signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        old = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        self.selector.register(wakes, selectors.EVENT_READ, lambda: wakes.recv(64))
        try:
            self._open()
            self._loop()
            self.recorder.record("sensor_state", time.time(), kind="stopped", name="sensor", reason="it was told to")
        finally:
            self._close()
            signal.set_wakeup_fd(old_wake)
            for number, handler in old.items():
                signal.signal(number, handler)
            wakes.close()
            woken.close()

    def _open(self) -> None:
        look = Look(self.recorder, time.time(), self.config.root)
        reason = (
            f"CPU cap {self.cap.ratio:.2%} over ten minutes, with judgings of up to {self.cap.largest_judging_s:.1f} s"
        )
        self.recorder.record("sensor_state", look.at, kind="started", name="sensor", reason=reason)
        self.processes.open(look)
        if self.processes.connector is not None:
            self.selector.register(self.processes.connector, selectors.EVENT_READ, self._take_process_events)
        connections = Connections(self.table)
        if connections.open(look):
            self.sockets = SocketWatch(connections)
            self.messages = CountedMessages(connections)
        self._open_dns(look)
        if self.files.open(look):
            self.selector.register(self.files, selectors.EVENT_READ, self._take_file_changes)
        self._add_jobs(self.config.cpu_cap_ratio)
        self.spool.flush()

    def _open_dns(self, look: Look) -> None:
        try:
            self.dns = DnsPackets(self.recorder, self.processes.may_go_on)
        except OSError as error:
            reason = f"a packet socket needs CAP_NET_RAW ({error.strerror}); questions for names are not seen"
            look.could_not_look("DNS", reason)
            return
        dns = self.dns
        self.selector.register(dns, selectors.EVENT_READ, lambda: self._take_packets(dns))

    def _take_packets(self, dns: DnsPackets) -> None:
        self.meter.take()
        dns.read(PACKETS_AT_ONCE_COUNT)
        self.cap.events.spend(self.meter.take())

    def _add_jobs(self, cap: float) -> None:
        add = self.jobs.add
        add("suspects", self._tick, TICK_S, cap * TICK_SHARE)
        add("processes", self.processes.look_at_cpu, CPU_S, cap * PROCESSES_SHARE)
        add("log files", self.logs.poll, LOGS_S, cap * SMALL_SHARE)
        add("losses", self._state_losses, LOSSES_S, cap * SMALL_SHARE, LOSSES_S)
        add("watched folders", self._minute, MINUTE_S, cap * SMALL_SHARE, MINUTE_S)
        add("hidden processes", self.processes.look_for_hidden, HIDDEN_S, cap * SMALL_SHARE, 20.0)
        add("cost", self._state_cost, MINUTE_S, cap * SMALL_SHARE, MINUTE_S)
        if self.sockets is not None:
            self._close_sockets = add("connections", self._look_at_sockets, SOCKETS_S, cap * SOCKETS_SHARE)
            add("listening ports", self._look_at_ports, MINUTE_S, cap * SMALL_SHARE)

    def _loop(self) -> None:
        ends_s = time.monotonic() + self.config.for_s if self.config.for_s else float("inf")
        self.whole.take()  # the start is not charged
        while not self.stopping:
            now = time.monotonic()
            if now >= ends_s:
                self._last_judging()
                return
            self._unpause(now)
            wait_s = min(self.jobs.wait_s(), ends_s - now)
            if self._paused:
                wait_s = min(wait_s, max(0.0, self.processes.resume_s - now))
            for key, _ in self.selector.select(wait_s):
                key.data()
            self.jobs.run_due()
            if why := self.judging.due(self.processes.windows.burners):
                # Here and not in a job: what it costs would put off the next looks at the suspect by half a minute.
                self._before_judging()
                self.judging.start(why, self.processes.windows.burners)
            self.spool.flush()
            self.cap.spend(self.whole.take())

    def _take_process_events(self) -> None:
        if self.processes.take_events():
            # In a storm we are not woken for each event; the kernel keeps them, or counts what it could not.
            self.selector.unregister(self._connector())
            self._paused = True

    def _unpause(self, now: float) -> None:
        if self._paused and now >= self.processes.resume_s:
            self._paused = False
            self.selector.register(self._connector(), selectors.EVENT_READ, self._take_process_events)

    def _connector(self) -> Connector:
        assert self.processes.connector is not None
        return self.processes.connector

    def _take_file_changes(self) -> None:
        before_count = self.files.changed_count
        # What has just been started is known first, so that a change can be laid to it.
        if self.processes.connector is not None and not self._paused:
            self.processes.take_events()
        self.files.read()
        if self.files.changed_count > before_count:
            self.trigger.file_changed(time.monotonic())

    def _tick(self) -> None:
        self.processes.tick()
        if self.dns is not None:
            self.dns.tick()
        if self.processes.closely() and self._close_sockets is not None:
            # Suspects' connections are read at their pace: a share or a job shows as a step of the counters.
            self._close_sockets.next_s = min(self._close_sockets.next_s, time.monotonic())
        self.packets.drain()

    def _look_at_sockets(self, before_judging: bool = False) -> None:
        assert self.sockets is not None
        now, burners = time.monotonic(), self.processes.windows.burners
        found = self.sockets.look(Look(self.recorder, time.time()), now, burners.keys(), before_judging)
        self.packets.follow(found, self.sockets.base, burners, now)
        if self.messages is not None and self.packets.refused:
            self.messages.follow(self.packets.wanted, only=True)
            others = [job for job in self.jobs.jobs if job is not self._counters]
            self.jobs.jobs = [*others, self._counters] if self.messages.followed else others
        owners = {self.sockets.base.owner_of.get(each.inode) for each in found}
        for pid, burner in burners.items():
            burner.talks = bool(owners & family_of([pid], self.table.stats))

    def _ask_counters(self) -> None:
        if self.messages is not None:
            self.messages.ask(time.time())

    def _before_judging(self) -> None:
        """What is judged ends with what is so now."""
        self.processes.close_windows()
        if self.sockets is not None:
            self._look_at_sockets(before_judging=True)
        if self.messages is not None:
            self.messages.record(Look(self.recorder, time.time()))
        self.logs.poll()
        self.spool.flush()

    def _look_at_ports(self) -> None:
        assert self.sockets is not None
        self.ports.write_changed(self.sockets, self.recorder, time.time())

    def _minute(self) -> None:
        self.files.tick()
        self.processes.tell_a_slice()

    def _last_judging(self) -> None:
        """When the asked time is over: what was seen since the last judging is judged before the end."""
        self.judging.wait(lambda: self.stopping)
        self.processes.read_all(procfs.machine_time())
        self._before_judging()
        self.judging.start("the watch ends", self.processes.windows.burners)
        self.judging.wait(lambda: self.stopping)

    def _state_losses(self) -> None:
        at = time.time()
        losses = [("process events", *each) for each in self.processes.take_losses()]
        if self.dns is not None and (count := self.dns.take_lost_count()):
            losses.append(("DNS", count, "packets that the kernel dropped, or that the CPU cap left no room for"))
        if count := self.files.take_skipped_count():
            losses.append(("changes of files", count, "more changes at once than are written"))
        if self.sockets is not None and (count := self.sockets.take_skipped_count()):
            losses.append(
                ("connections", count, "more connections at once than are written; these were gone before their turn")
            )
        lost_count, passed_bytes = self.logs.take_lost()
        if lost_count:
            losses.append(("log files", lost_count, "lines that could not be written"))
        if passed_bytes:
            losses.append(("log files", 1, f"{passed_bytes} bytes of a log were passed over: it grows too fast"))
        if self.sockets is not None:
            self.sockets.state_refused(Look(self.recorder, at))
        if self.packets.refused and self.packets.refused != self._packets_refused:
            self._packets_refused = self.packets.refused
            counted = "; sizes and times of messages are told from the kernel's counters, words are not seen"
            Look(self.recorder, at).could_not_look("packets", self.packets.refused + counted)
        for name, count, reason in losses:
            self.recorder.record("sensor_state", at, kind="lost", name=name, lost_count=count, reason=reason)

    def _state_cost(self) -> None:
        stated = self.cost.statement()
        at = time.time()
        columns = {name: stated[name] for name in ("cpu_s", "period_s", "memory_bytes")}
        self.recorder.record("sensor_state", at, kind="cost", name="sensor", **columns)
        self.say("cost", {"at": at, **stated})

    def _slowed(self, job: Job) -> None:
        reason = f"every {job.interval_s:.0f} s in place of {job.every_s:.0f} s: more would pass the CPU cap"
        kind = "slowed" if job.slowed else "resumed"
        if not job.slowed:
            reason = f"every {job.every_s:.0f} s again"
        self.recorder.record("sensor_state", time.time(), kind=kind, name=job.name, reason=reason)

    def _stop(self, *_: object) -> None:
        self.stopping = True

    def _close(self) -> None:
        self.judging.close()
        self.processes.close()
        if self.dns is not None:
            self.dns.close()
        if self.sockets is not None:
            self.sockets.base.channels.close()
        with contextlib.suppress(AttributeError):
            self.files.close()
        self.packets.close()
        self.logs.close()
        self.selector.close()
        self.spool.close()
