"""Listening ports, written when they change and once an hour besides."""

from __future__ import annotations

import json
from dataclasses import dataclass

from davylamp.agent.record import Look, Recorder
from davylamp.agent.socket_watch import SocketWatch

AGAIN_S = 3600.0


@dataclass
class ListeningPorts:
    """Knows which ports were written last."""

    _known: frozenset[tuple[object, ...]] = frozenset()
    _written_at: float = float("-inf")

    def write_changed(self, sockets: SocketWatch, recorder: Recorder, at: float) -> None:
        """Asks the kernel and writes all ports if one has come or gone."""
        lines: list[str] = []
        sockets.listening(Look(Recorder(lines.append, recorder.device_name), at))
        rows = [json.loads(line) for line in lines]
        ports = frozenset((row["protocol"], row["ip"], row["port"], row.get("process_pid")) for row in rows)
        if ports == self._known and 0 <= at - self._written_at < AGAIN_S:
            return
        self._known, self._written_at = ports, at
        for line in lines:
            recorder.write(line)
