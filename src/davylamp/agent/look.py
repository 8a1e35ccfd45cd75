"""One look at this host, from the first listing to the last: what `davylamp scan host` keeps as evidence."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from davylamp.agent import procfs
from davylamp.agent.capture import Capture
from davylamp.agent.connections import Connections
from davylamp.agent.details import Reader, users_of
from davylamp.agent.hidden_processes import collect_hidden, uncovered
from davylamp.agent.machine_cpu import state_comparison
from davylamp.agent.observe import Observation
from davylamp.agent.processes import OwnerOf, Table
from davylamp.agent.record import Look, Recorder

State = Callable[[Look], OwnerOf]


def look_at_host(
    recorder: Recorder,
    capture: Capture,
    duration_s: float,
    longest_s: float,
    state: State,
    tick: Callable[[float], None],
) -> None:
    """Looks at processes, connections, CPU and state, for so long.

    Args:
        longest_s: how long to go on while a process that burns CPU is listened to.
        capture: where packets of suspects' connections go.
        state: collects what does not move (startup items, services, settings); gives what knows files' packages.
        tick: told the seconds passed, about once a second.
    """
    clock = capture.clock = steady_clock()
    look = Look(recorder, clock())
    boot = procfs.boot_at()
    recorder.header(look.at, boot_at=boot, user_uid=os.geteuid())
    state_comparison(look)
    with uncovered(look) as (proc, covered):
        table = Table(Reader(users_of(), boot, proc), covered=covered)
        _look(recorder, capture, table, (duration_s, longest_s), state, tick, clock)


def _look(
    recorder: Recorder,
    capture: Capture,
    table: Table,
    lengths_s: tuple[float, float],
    state: State,
    tick: Callable[[float], None],
    clock: Callable[[], float],
) -> None:
    look, (duration_s, longest_s) = Look(recorder, clock()), lengths_s
    table.refresh()
    table.owner_of = state(look)
    table.tell(Look(recorder, clock()), table.refresh(), "snapshot")
    connections = Connections(table)
    opened = connections.open(Look(recorder, clock()))
    if opened:
        connections.record_listening(Look(recorder, clock()))
        connections.record_changed(Look(recorder, clock()))
    observation = Observation(recorder, table, connections if opened else None, capture, clock=clock)
    try:
        observation.run(duration_s, longest_s, tick)
    finally:
        last = Look(recorder, clock())
        if opened:
            connections.record_changed(last, everything=True)
            connections.finish(last)
        capture.drain()
        capture.probe()
        capture.close()
        if capture.refused:
            counted = "; sizes and times of messages were told from the kernel's counters, words were not seen"
            last.could_not_look("packets", capture.refused + (counted if observation.counted is not None else ""))
        if observation.stopped_after_s is not None:
            last.could_not_look(
                "the rest of the look",
                f"stopped after {observation.stopped_after_s:.0f} s of {duration_s:.0f} s; what computes with pauses "
                "may not have been seen",
            )
        collect_hidden(last, table)
        if table.reader.garbled_count:
            last.could_not_look(
                "processes whose status is garbled",
                f"{table.reader.garbled_count} readings are not as a kernel writes them: see what is mounted over "
                "/proc (findmnt -R /proc)",
            )
        state_refusals(last, table.reader.refused)


def steady_clock() -> Callable[[], float]:
    """The time of day as it was when this was called, and what has passed since: nobody sets it back."""
    wall, steady = time.time(), time.monotonic()
    return lambda: wall + time.monotonic() - steady


def state_refusals(look: Look, refused: dict[str, int]) -> None:
    """Says what of other users' processes was kept from us."""
    if os.geteuid() == 0 or not refused:
        return  # root is refused by kernel threads and by processes that are ending, which hide nothing
    named = ", ".join(f"{what} of {count}" for what, count in sorted(refused.items()))
    look.could_not_look(
        "processes of other users",
        f"not read: {named}; CAP_SYS_PTRACE, or running as root, would show images, environments and open files",
    )
