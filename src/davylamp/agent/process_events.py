"""Starts and ends of processes as the kernel tells them: the proc connector, over raw netlink."""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from dataclasses import dataclass, field

from davylamp.agent.socket_filter import ACCEPT, DROP, Instruction, attach, jump_if, jump_if_x, load_word, to_x

NETLINK_CONNECTOR = 11  # include/uapi/linux/netlink.h
CN_IDX_PROC = CN_VAL_PROC = 1  # include/uapi/linux/connector.h
PROC_CN_MCAST_LISTEN = 1
# include/uapi/linux/cn_proc.h
NONE, FORK, EXEC, EXIT = 0, 1, 2, 0x80000000
SO_RCVBUFFORCE = 33
# Room for a second of a storm: an event occupies about 800 bytes of a socket's buffer.
BUFFER_BYTES = 2 << 20
# nlmsghdr: 16 bytes; cn_msg: idx, val, seq, ack, len, flags; proc_event: what, cpu, timestamp_ns, then by kind.
_EVENT = struct.Struct("=16xIIIIHHIIQIIIIII")
_ASK = struct.Struct("=IHHIIIIIIHHI")
_WHAT, _FIRST = 36, 52
SMALLEST_BYTES = 60


@dataclass(slots=True)
class ProcessEvent:
    """One event.

    Args:
        what: FORK, EXEC or EXIT.
        pid: of the process (not of a thread).
        parent_pid: for a fork and an end.
        at_ns: the kernel's monotonic clock.
        exit_code: as a shell would show it, for an end.
    """

    what: int
    pid: int
    at_ns: int
    parent_pid: int = 0
    exit_code: int = 0


@dataclass
class Connector:
    """The kernel's stream of process events, without those of threads.

    Raises:
        OSError: the kernel refuses (CAP_NET_ADMIN, or we are in a pid namespace of our own).
    """

    overruns_count: int = 0
    _gaps_count: int = 0
    _overrun: bool = False
    _next: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.channel = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_CONNECTOR)
        try:
            self._ask()
        except OSError:
            self.channel.close()
            raise

    def fileno(self) -> int:
        """For selectors."""
        return self.channel.fileno()

    def close(self) -> None:
        """Stops listening."""
        self.channel.close()

    def only_starts(self, wanted: bool) -> None:
        """Has the kernel itself leave out forks and ends; in a storm reading them is what costs."""
        attach(self.channel, _program(only_starts=wanted))

    def read(self, limit: int) -> list[ProcessEvent]:
        """Events that wait, at most `limit`; an overrun of the buffer is counted and reading goes on."""
        events: list[ProcessEvent] = []
        receive, unpack = self.channel.recv, _EVENT.unpack_from
        while len(events) < limit:
            try:
                data = receive(256)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self.overruns_count += 1
                self._overrun = True
                continue
            if len(data) < SMALLEST_BYTES:
                continue
            _, _, sequence, _, _, _, what, cpu, at_ns, _, second, third, fourth, _, sixth = unpack(
                data.ljust(_EVENT.size, b"\0")
            )
            if what == NONE:
                continue
            expected = self._next.get(cpu, sequence)
            self._gaps_count += (sequence - expected) & 0xFFFFFFFF
            self._next[cpu] = (sequence + 1) & 0xFFFFFFFF
            if what == EXEC:
                events.append(ProcessEvent(EXEC, second, at_ns))
            elif what == FORK:
                events.append(ProcessEvent(FORK, fourth, at_ns, second))
            elif what == EXIT:
                events.append(ProcessEvent(EXIT, second, at_ns, sixth, _shell_code(third)))
        return events

    def take_lost_count(self) -> int:
        """Events that the kernel dropped since the last call, at most.

        Each CPU numbers its events, so what is missing shows as gaps; events of threads, which the filter leaves out,
        leave gaps too. So the number is an upper bound, and zero when no overrun was reported.
        """
        lost_count = self._gaps_count if self._overrun else 0
        self._gaps_count, self._overrun = 0, False
        return lost_count

    def _ask(self) -> None:
        self.channel.bind((0, CN_IDX_PROC))
        self.channel.setblocking(False)
        try:
            self.channel.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        except PermissionError:
            self.channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self.only_starts(False)
        self.channel.send(
            _ASK.pack(_ASK.size, 3, 0, 0, os.getpid(), CN_IDX_PROC, CN_VAL_PROC, 0, 0, 4, 0, PROC_CN_MCAST_LISTEN)
        )


def _shell_code(status: int) -> int:
    return 128 + (status & 0x7F) if status & 0x7F else status >> 8 & 0xFF


def _program(*, only_starts: bool) -> list[Instruction]:
    """Passes starts of programs, and forks and ends of whole processes; a thread's id is not its process's."""
    swapped = _swapped
    # Jumps count the instructions passed over; the last two are ACCEPT and DROP.
    starts = [load_word(_WHAT), jump_if(swapped(EXEC), 2, 0), jump_if(swapped(NONE), 1, 0), DROP, ACCEPT]
    if only_starts:
        return starts
    return [
        load_word(_WHAT),
        jump_if(swapped(EXEC), 12, 0),
        jump_if(swapped(NONE), 11, 0),
        jump_if(swapped(FORK), 2, 0),
        jump_if(swapped(EXIT), 5, 0),
        DROP,
        load_word(_FIRST + 8),
        to_x(),
        load_word(_FIRST + 12),
        jump_if_x(4, 5),
        load_word(_FIRST),
        to_x(),
        load_word(_FIRST + 4),
        jump_if_x(0, 1),
        ACCEPT,
        DROP,
    ]


def _swapped(value: int) -> int:
    """A filter loads words in network order; the connector writes the machine's own."""
    return int.from_bytes(value.to_bytes(4, sys.byteorder), "big")
