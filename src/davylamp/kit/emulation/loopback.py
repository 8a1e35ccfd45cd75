"""Plays a dialogue between a real client and a real server on the loopback address, faster than life."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from davylamp.errors import UsageError
from davylamp.kit.emulation.message import Dialogue, Message

LONGEST_S = 60.0
_READ_BYTES = 65536
_MARGIN_S = 0.1


@dataclass(frozen=True, slots=True)
class Played:
    """What went over the wire.

    Args:
        complete: False when the time ran out first.
    """

    server_port: int
    client_port: int
    client_received_bytes: int
    server_received_bytes: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Tls:
    """Contexts of both ends; certificates are the caller's."""

    server: ssl.SSLContext
    client: ssl.SSLContext
    server_name: str = "pool.test"


class _Side:
    """One end: says its messages on time, counts what it hears until the other end closes."""

    def __init__(self, messages: Iterable[Message], speed_ratio: float) -> None:
        self.messages = tuple(messages)
        self.speed_ratio = speed_ratio
        self.received_bytes = 0
        self.done = False

    async def speak(self, writer: asyncio.StreamWriter, started_s: float) -> None:
        loop = asyncio.get_running_loop()
        for message in self.messages:
            await asyncio.sleep(max(0.0, started_s + message.time_s / self.speed_ratio - loop.time()))
            writer.write(message.payload)
            await writer.drain()
        self.done = True

    async def hear(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(_READ_BYTES):
            self.received_bytes += len(data)


async def play(
    dialogue: Dialogue,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    speed_ratio: float = 60.0,
    longest_s: float = LONGEST_S,
    tls: Tls | None = None,
) -> Played:
    """Plays the dialogue once and closes; ends after `longest_s` whatever happens.

    Args:
        port: 0 lets the system choose.
        speed_ratio: seconds of the dialogue in one second of ours.

    Raises:
        UsageError: `host` is no loopback address.
    """
    if not ip_address(host).is_loopback:
        raise UsageError("a dialogue is played on the loopback address only", where=host, hint="use 127.0.0.1")
    client_side = _Side((message for message in dialogue if message.outbound), speed_ratio)
    server_side = _Side((message for message in dialogue if not message.outbound), speed_ratio)
    serving: asyncio.Queue[asyncio.Task[None]] = asyncio.Queue()
    server = await asyncio.start_server(_handler(server_side, serving), host, port, ssl=tls.server if tls else None)
    server_port = int(server.sockets[0].getsockname()[1])
    client_port = 0
    try:
        async with asyncio.timeout(longest_s):
            end_s = (dialogue[-1].time_s if dialogue else 0.0) / speed_ratio + _MARGIN_S
            client_port = await _client(client_side, (host, server_port), end_s, tls)
            await (await serving.get())
    except TimeoutError:
        pass  # bounded in time by promise; `complete` tells the caller
    finally:
        server.close()
        while not serving.empty():
            serving.get_nowait().cancel()
    complete = client_side.done and server_side.done
    return Played(server_port, client_port, client_side.received_bytes, server_side.received_bytes, complete)


def _handler(
    side: _Side, serving: asyncio.Queue[asyncio.Task[None]]
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        started_s = asyncio.get_running_loop().time()
        heard = asyncio.create_task(side.hear(reader))
        try:
            await side.speak(writer, started_s)
            await heard
        finally:
            heard.cancel()
            await _closed(writer)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        await serving.put(task)

    return accept


async def _client(side: _Side, address: tuple[str, int], end_s: float, tls: Tls | None) -> int:
    """Speaks, listens until the dialogue's end, closes; gives its port."""
    started_s = asyncio.get_running_loop().time()
    reader, writer = await asyncio.open_connection(
        *address, ssl=tls.client if tls else None, server_hostname=tls.server_name if tls else None
    )
    client_port = int(writer.get_extra_info("sockname")[1])
    heard = asyncio.create_task(side.hear(reader))
    try:
        await side.speak(writer, started_s)
        await asyncio.sleep(max(0.0, started_s + end_s - asyncio.get_running_loop().time()))
    finally:
        await _closed(writer)
        heard.cancel()
    return client_port


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        await writer.wait_closed()
    except (ConnectionError, ssl.SSLError):
        return  # the other end was quicker
