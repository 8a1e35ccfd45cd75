"""One entry for the journal, by its own protocol, so that fields stay fields."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping

JOURNAL = "/run/systemd/journal/socket"


def send_entry(fields: Mapping[str, str], path: str = JOURNAL) -> None:
    """Sends one entry.

    Raises:
        OSError: there is no journal, or it refuses.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.sendto(encoded(fields), path)


def encoded(fields: Mapping[str, str]) -> bytes:
    """Fields as the journal reads them: `NAME=value`, or with a length before a value of several lines."""
    parts = []
    for name, value in fields.items():
        data = value.encode("utf-8", "backslashreplace")
        if b"\n" in data:
            parts.append(name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n")
        else:
            parts.append(name.encode() + b"=" + data + b"\n")
    return b"".join(parts)
