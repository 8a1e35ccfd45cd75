"""What happens inside the namespaces: everything is recorded, stretched and written."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from examples.make import cpu, logins, lookups, plan, servers, talks
from examples.make.capture import Capture, pcap_bytes
from examples.make.namespaces import UPLINK, build
from examples.make.notes import notes
from examples.make.stretch import Stretch, log_text
from examples.make.system_log import Line, SystemLog

GUESSING_S = 30.0
_EVERYDAY_COUNT, _EVERYDAY_PAUSE_S = 150, 0.03
_LEAST_PID = 20_000


class Recording:
    """The logs, the capture, and which stretch of time was which part of the story."""

    def __init__(self) -> None:
        self.logs = {name: SystemLog(name, servers.SCRATCH / name / "run") for name in (*plan.GUARDED, "ns1")}
        self.capture = Capture(UPLINK)
        self.stretches: dict[str, Stretch] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[list[float]]:
        """Times a part; its recorded window is what the list holds afterwards."""
        window = [time.time()]
        yield window
        time.sleep(0.3)  # daemons say their last words after the client has gone
        window.append(time.time())
        print(f"  {name}: {window[1] - window[0]:.1f} s recorded", flush=True)

    def close(self) -> None:
        """Stops listening."""
        self.capture.stop()
        for log in self.logs.values():
            log.close()


def make(folder: Path, seed: int) -> None:
    """Records the story and writes it below `folder`, with notes beside it."""
    Path("/proc/sys/kernel/ns_last_pid").write_text(str(_LEAST_PID), encoding="ascii")
    servers.prepare_places()
    build()
    recording = Recording()
    daemons = [servers.start_resolver(), *(servers.start_sshd(host) for host in plan.GUARDED)]
    try:
        _wait_until_served(recording)
        _record(recording, random.Random(seed), seed)
        recording.close()
        _write(recording, folder, seed)
    finally:
        _end(daemons)


def _wait_until_served(recording: Recording) -> None:
    """Daemons are ready when they say so in their logs, within 10 s."""
    for _ in range(100):
        if all(log.lines for log in recording.logs.values()):
            return
        time.sleep(0.1)
    silent = ", ".join(name for name, log in recording.logs.items() if not log.lines)
    raise RuntimeError(f"no word from the daemon on {silent} within 10 s")


def _end(daemons: list[subprocess.Popen[bytes]]) -> None:
    for daemon in daemons:
        daemon.terminate()
    for daemon in daemons:
        daemon.wait(timeout=5)


def _record(recording: Recording, rng: random.Random, seed: int) -> None:
    stretches = recording.stretches
    for host, at in plan.STAFF_LOGINS[:-1]:
        _staff_login(recording, host, at)
    with recording.part("guessing") as window:
        logins.carry_out(logins.planned(rng, GUESSING_S))
    stretches["guessing"] = Stretch.onto("guessing", (window[0], window[1]), plan.GUESSES_FROM, plan.GUESSES_TO)
    with recording.part("login after guessing") as window:
        _sure(logins.log_in(plan.ATTACKER, "web1", plan.USER, ("welcome1", plan.PASSWORD)), "web1")
    stretches["entry"] = Stretch.onto("login after guessing", (window[0], window[1]), plan.LOGIN_AT)
    _staff_login(recording, *plan.STAFF_LOGINS[-1])
    for name, at in ((plan.POOL_NAME, plan.LOOKUP_AT), (plan.RELAY_NAME, plan.RELAY_LOOKUP_AT)):
        with recording.part(f"look-up of {name}") as window:
            lookups.ask("web1", name, rng)
        stretches[name] = Stretch.onto(f"look-up of {name}", (window[0], window[1]), at)
    with recording.part("everyday look-ups") as window:
        lookups.ask_everyday_names(rng, _EVERYDAY_COUNT, _EVERYDAY_PAUSE_S)
    stretches["names"] = Stretch.onto("everyday look-ups", (window[0], window[1]), plan.NAMES_FROM, plan.NAMES_TO)
    with recording.part("dialogues"):
        talks.hold_all(seed)


def _staff_login(recording: Recording, host: str, at: datetime) -> None:
    name = f"staff login on {host}"
    with recording.part(name) as window:
        _sure(logins.log_in_with_key(plan.OFFICE, host, plan.STAFF, servers.SCRATCH / "staff_key"), host)
    recording.stretches[f"{name} {at}"] = Stretch.onto(name, (window[0], window[1]), at)


def _sure(right: bool, host: str) -> None:
    if not right:
        raise RuntimeError(f"the login on {host} that must succeed was refused")


def _write(recording: Recording, folder: Path, seed: int) -> None:
    folder.mkdir(parents=True)
    everything = list(recording.stretches.values())
    verdicts = [line for name in plan.GUARDED for line in recording.logs[name].lines if line.program == "sshd"]
    placed = [item for part in everything for item in part.lines(verdicts, lambda line: (line.host, line.pid))]
    (folder / "auth.log").write_text(log_text(placed), encoding="utf-8")
    questions = _Questions()
    placed = [item for part in everything for item in part.lines(recording.logs["ns1"].lines, questions)]
    (folder / "dnsmasq.log").write_text(log_text(placed), encoding="utf-8")
    packets: list[tuple[float, bytes]] = []
    for talk in plan.TALKS:
        own = [each for each in recording.capture.packets if each.between(talk.client_port, talk.server_port)]
        part = Stretch(talk.name, own[0].recorded_s, own[-1].recorded_s, talk.begins_at, talk.speed_ratio)
        recording.stretches[f"talk {talk.client_port}"] = part
        packets += [(part.at(each.recorded_s).timestamp(), each.frame) for each in own]
    (folder / "gateway.pcap").write_bytes(pcap_bytes(packets))
    for host in plan.HOSTS:
        (folder / f"cpu-{host}.csv").write_text(cpu.series(host, seed), encoding="ascii")
    (folder / "davylamp.toml").write_text(plan.ASSETS, encoding="ascii")
    folder.with_suffix(".md").write_text(notes(recording.stretches), encoding="utf-8")


class _Questions:
    """Tells dnsmasq's lines apart by look-up: both questions of one look-up and their answers keep its pace."""

    def __init__(self) -> None:
        self._number = 0
        self._asked: tuple[str, str] = ("", "")

    def __call__(self, line: Line) -> Hashable:
        if line.text.startswith("query["):
            _, name, _, client = line.text.split(" ", 3)
            if line.text.startswith("query[A]") or (name, client) != self._asked:
                self._number += 1
            self._asked = (name, client)
        return self._number
