"""Netlink messages: asking the kernel for a dump and walking what it answers."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_DUMP = 1, 0x300
HEADER = struct.Struct("=IHHII")
ANSWER_BYTES = 1 << 18


class NetlinkError(OSError):
    """The kernel refused a question."""


def ask(channel: socket.socket, kind: int, body: bytes) -> memoryview | None:
    """Asks for one thing; None where the kernel does not know it (any more).

    Raises:
        OSError: the channel broke.
    """
    channel.send(HEADER.pack(HEADER.size + len(body), kind, NLM_F_REQUEST, 1, 0) + body)
    data = memoryview(channel.recv(ANSWER_BYTES))
    if len(data) < HEADER.size:
        return None
    length, answered, _, _, _ = HEADER.unpack_from(data)
    return data[HEADER.size : length] if answered == kind else None


def dump(channel: socket.socket, kind: int, body: bytes) -> Iterator[memoryview]:
    """Asks for a dump and yields the body of every message of the answer.

    Raises:
        OSError: the kernel refused, or the channel broke.
    """
    channel.send(HEADER.pack(HEADER.size + len(body), kind, NLM_F_REQUEST | NLM_F_DUMP, 1, 0) + body)
    while True:
        data = memoryview(channel.recv(ANSWER_BYTES))
        place = 0
        while place + HEADER.size <= len(data):
            length, answered, _, _, _ = HEADER.unpack_from(data, place)
            if length < HEADER.size:
                raise NetlinkError("a message of the kernel is shorter than its header")
            if answered == NLMSG_DONE:
                return
            if answered == NLMSG_ERROR:
                (code,) = struct.unpack_from("=i", data, place + HEADER.size)
                raise NetlinkError(-code, "the kernel refused the question")
            yield data[place + HEADER.size : place + length]
            place += (length + 3) & ~3
