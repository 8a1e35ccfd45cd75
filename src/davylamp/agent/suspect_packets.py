"""Packets of suspects' connections over weeks: small capture files, a bounded number of them, each whole."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from davylamp.agent.capture import Capture, remove_if_empty
from davylamp.agent.connections import Connections
from davylamp.agent.process_windows import Burner
from davylamp.agent.socket_watch import family_of
from davylamp.agent.sockets import Socket
from davylamp.agent.suspects import LOUD_BYTES_PER_S, SUSPECT_CONNECTIONS_COUNT

# A pool speaks within minutes (a job with every block template); who is listened to for ten has shown its rhythm.
LISTENED_S = 600.0
# A throttled miner falls below what counts as burning now and then; its capture goes on meanwhile.
KEPT_OPEN_S = 120.0
FILE_BYTES = 1 << 20
FILES_COUNT = 16
# Connections remembered as loud; what is forgotten is found loud again.
LOUD_COUNT = 1024


@dataclass
class SuspectPackets:
    """Listens to the few connections of processes that have begun to burn.

    Args:
        folder: where the captures lie.
        refused: why nothing can be listened to; empty when it can.
        wanted: connections that it would listen to, each with its process.
    """

    folder: str
    refused: str = ""
    wanted: list[tuple[Socket, int]] = field(default_factory=list)
    _capture: Capture | None = None
    _out: BinaryIO | None = None
    _path: str = ""
    _carried: dict[str, tuple[float, int]] = field(default_factory=dict)
    _wanted_s: float = 0.0
    _loud: set[str] = field(default_factory=set)

    def follow(self, found: list[Socket], connections: Connections, burners: Mapping[int, Burner], at_s: float) -> None:
        """Takes up the connections of fresh burners and of their parents and children, and keeps what came."""
        fresh = [pid for pid, each in burners.items() if at_s - each.since_s < LISTENED_S]
        family = family_of(fresh, connections.table.stats)
        held: dict[int, list[Socket]] = {}
        for each in found:
            pid = connections.owner_of.get(each.inode)
            if pid in family and pid is not None:
                held.setdefault(pid, []).append(each)
        wanted = [
            (each, pid)
            for pid, own in sorted(held.items())
            if len(own) <= SUSPECT_CONNECTIONS_COUNT
            for each in own
            if each.uid not in self._loud
        ]
        self.drain()
        if self._found_loud([each for each, _ in wanted], at_s):
            self.close()
            wanted = [(each, pid) for each, pid in wanted if each.uid not in self._loud]
        self.wanted = wanted
        if wanted:
            self._wanted_s = at_s
        elif at_s - self._wanted_s > KEPT_OPEN_S:
            self.close()
        if not wanted:
            return
        if self._capture is None and not self._begin():
            return
        assert self._capture is not None
        self._capture.follow(wanted)
        self.refused = self._capture.refused

    def _found_loud(self, wanted: list[Socket], at_s: float) -> bool:
        """Whether one of these has carried too much since the last look to be worth listening to."""
        before, self._carried = self._carried, {}
        for each in wanted:
            carried = (each.bytes_out or 0) + (each.bytes_in or 0)
            self._carried[each.uid] = at_s, carried
            known = before.get(each.uid)
            if known is not None and carried - known[1] > LOUD_BYTES_PER_S * max(1.0, at_s - known[0]):
                self._loud.add(each.uid)
        if len(self._loud) > LOUD_COUNT:
            self._loud.clear()
        return any(each.uid in self._loud for each in wanted)

    def drain(self) -> None:
        """Writes what has come; a full file is ended, and the next look begins another."""
        if self._capture is None:
            return
        try:
            self._capture.drain()
        except OSError as error:
            self.refused = f"packets could not be written: {error.strerror}"
            self.close()
            return
        if self._capture.written_bytes > FILE_BYTES:
            self.close()

    def close(self) -> None:
        """Ends the file that is open."""
        if self._capture is None or self._out is None:
            return
        self._capture.close()
        self._out.close()
        self._capture = self._out = None
        remove_if_empty(self._path)

    def _begin(self) -> bool:
        try:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            numbers = sorted(int(name[:-5]) for name in os.listdir(self.folder) if name[:-5].isdigit())
            for number in numbers[: max(0, len(numbers) - FILES_COUNT + 1)]:
                os.unlink(self._name(number))
            self._path = self._name(max(numbers, default=0) + 1)
            # Unbuffered, so that a crash leaves whole packets.
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            self._out = os.fdopen(descriptor, "wb", buffering=0)
        except OSError as error:
            self.refused = f"packets could not be written: {error.strerror}"
            return False
        self._capture = Capture(self._out)
        return True

    def _name(self, number: int) -> str:
        return os.path.join(self.folder, f"{number:010d}.pcap")
