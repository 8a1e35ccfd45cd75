"""A small syslog daemon per machine: what programs write to /dev/log, with the instant it came."""

from __future__ import annotations

import re
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path

_DATAGRAM = re.compile(
    rb"(?:<\d{1,3}>)?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d (?P<program>[^ \[:]+)\[(?P<pid>\d+)\]: (?P<text>.*)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Line:
    """One message as a daemon said it."""

    recorded_s: float
    host: str
    program: str
    pid: int
    text: str


class SystemLog:
    """Listens on a datagram socket in `folder` until closed."""

    def __init__(self, host: str, folder: Path) -> None:
        self.host = host
        self.lines: list[Line] = []
        folder.mkdir(parents=True)
        folder.chmod(0o755)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / "log"))
        (folder / "log").chmod(0o666)
        self._socket.settimeout(0.2)
        self._open = True
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while self._open:
            try:
                datagram = self._socket.recv(8192)
            except TimeoutError:
                continue
            said = _DATAGRAM.match(datagram.rstrip(b"\n\0"))
            if said:
                text = said["text"].decode("utf-8", "replace")
                self.lines.append(Line(time.time(), self.host, said["program"].decode(), int(said["pid"]), text))

    def close(self) -> None:
        """Stops listening; what was heard stays in `lines`."""
        self._open = False
        self._thread.join()
        self._socket.close()
