"""The sensor's records: JSON lines in the columns of the event classes (`davylamp.host/1`)."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

SCHEMA = "davylamp.host/1"
# A record is one line of a file that is read back in blocks; what an attacker can make long is cut here.
TEXT_BYTES = 8192
LIST_COUNT = 64
# Instants and sizes of messages: as many as a capture's row holds, a quarter of them.
NUMBERS_COUNT = 1024
_WHOLE = frozenset({int, bool})

_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, check_circular=False)

Write = Callable[[str], object]


@dataclass
class Recorder:
    """Turns columns into lines.

    Args:
        write: takes one line with its line end.
        device_name: the host, as the header names it for every record of the file.
    """

    write: Write
    device_name: str = field(default_factory=lambda: this_host())
    records_count: int = 0

    def header(self, at: float, **columns: object) -> None:
        """Writes the first line of a file."""
        named = {"record": "header", "schema": SCHEMA, "time": round(at, 3), "device_name": self.device_name}
        self.write(_line(named | columns))

    def record(self, event_class: str, at: float, **columns: object) -> None:
        """Writes one record; what is None is left out, what is too long is cut.

        Args:
            event_class: name of the class, as in `davylamp.model.events`.
            at: the record's `time`, seconds since 1970.
            columns: the class's other columns; instants as seconds since 1970.
        """
        kept: dict[str, object] = {"record": event_class, "time": round(at, 3)}
        for name, value in columns.items():
            if value is not None:
                kept[name] = value if type(value) in _WHOLE else _bounded(value)
        self.write(_line(kept))
        self.records_count += 1


@dataclass
class Look:
    """One look at the host, as collectors are given it.

    Args:
        recorder: where records go.
        at: instant of the look, seconds since 1970.
        root: folder that stands for `/`; another one in tests and for mounted images.
    """

    recorder: Recorder
    at: float
    root: str = "/"

    def record(self, event_class: str, **columns: object) -> None:
        """Writes a record of this look's instant."""
        self.recorder.record(event_class, self.at, **columns)

    def could_not_look(self, name: str, reason: str) -> None:
        """States what was not seen and what would allow it: never silence, never `clean`."""
        self.recorder.record("sensor_state", self.at, kind="could_not_look", name=name, reason=reason)

    def path(self, *parts: str) -> str:
        """A path of the host below the root looked at."""
        return "/".join([self.root.rstrip("/"), *(part.strip("/") for part in parts)])


def this_host() -> str:
    """The host's own name."""
    return plain(os.fsencode(socket.gethostname()))


def plain(data: bytes) -> str:
    """Text of bytes that somebody else chose; what is no UTF-8 shows as `\\xNN`."""
    return data.decode("utf-8", "backslashreplace")


def _line(columns: dict[str, object]) -> str:
    return _ENCODER.encode(columns) + "\n"


def _bounded(value: object) -> object:
    if isinstance(value, str):
        # Lone surrogates (names decoded by the system) are no text that a reader of JSON has to accept.
        clean = (
            value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        )
        return clean if len(clean) <= TEXT_BYTES else clean[:TEXT_BYTES] + "..."
    if isinstance(value, list | tuple | set | frozenset):
        members = sorted(value) if isinstance(value, set | frozenset) else value
        numbers = all(isinstance(member, int | float) for member in members)
        return [_bounded(member) for member in members[: NUMBERS_COUNT if numbers else LIST_COUNT]]
    return round(value, 4) if isinstance(value, float) else value
