"""Plays a dialogue between a real client and a real server on the loopback address, faster than life."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
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


class Clock:
    """One beginning for both ends: the end that is ready first sets it."""

    def __init__(self) -> None:
        self._started_s: float | None = None

    def started_s(self) -> float:
        if self._started_s is None:
            self._started_s = asyncio.get_running_loop().time()
        return self._started_s


class Side:
    """One end: says its messages on time and never before what they answer; hears until the other end closes."""

    def __init__(
        self, dialogue: Dialogue, outbound: bool, speed_ratio: float = 1.0, clock: Clock | None = None
    ) -> None:
        self.turns: list[tuple[Message, int]] = []
        heard_bytes = 0
        for message in dialogue:
            if message.outbound == outbound:
                self.turns.append((message, heard_bytes))
            else:
                heard_bytes += len(message.payload)
        self.speed_ratio = speed_ratio
        self.clock = clock or Clock()
        self.received_bytes = 0
        self.done = False
        self._more = asyncio.Event()

    async def speak(self, writer: asyncio.StreamWriter) -> None:
        loop, started_s = asyncio.get_running_loop(), self.clock.started_s()
        for message, after_bytes in self.turns:
            await asyncio.sleep(max(0.0, started_s + message.time_s / self.speed_ratio - loop.time()))
            # At a hundredfold speed an answer's delay is below the timer's grain, and would overtake its question.
            while self.received_bytes < after_bytes:
                self._more.clear()
                await self._more.wait()
            writer.write(message.payload)
            await writer.drain()
        self.done = True

    async def hear(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(_READ_BYTES):
            self.received_bytes += len(data)
            self._more.set()


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
    family = socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET
    with socket.create_server((host, port), family=family) as listening, socket.socket(family) as calling:
        return await play_between(dialogue, listening, calling, speed_ratio=speed_ratio, longest_s=longest_s, tls=tls)


async def play_between(
    dialogue: Dialogue,
    listening: socket.socket,
    calling: socket.socket,
    *,
    speed_ratio: float = 60.0,
    longest_s: float = LONGEST_S,
    tls: Tls | None = None,
) -> Played:
    """Plays the dialogue once on sockets of the caller, who answers for where they are (`play` is the safe way).

    Args:
        listening: bound to an address that `calling`, not yet connected, can reach.
    """
    clock = Clock()
    client_side = Side(dialogue, True, speed_ratio, clock)
    server_side = Side(dialogue, False, speed_ratio, clock)
    serving: asyncio.Queue[asyncio.Task[None]] = asyncio.Queue()
    server = await asyncio.start_server(_handler(server_side, serving), sock=listening, ssl=tls.server if tls else None)
    address = listening.getsockname()[:2]
    client_port = 0
    try:
        async with asyncio.timeout(longest_s):
            end_s = (dialogue[-1].time_s if dialogue else 0.0) / speed_ratio + _MARGIN_S
            calling.setblocking(False)
            await asyncio.get_running_loop().sock_connect(calling, address)
            client_port = int(calling.getsockname()[1])
            await _client(client_side, calling, end_s, tls)
            await (await serving.get())
    except TimeoutError:
        pass  # bounded in time by promise; `complete` tells the caller
    finally:
        server.close()
        while not serving.empty():
            serving.get_nowait().cancel()
    complete = client_side.done and server_side.done
    return Played(int(address[1]), client_port, client_side.received_bytes, server_side.received_bytes, complete)


def _handler(
    side: Side, serving: asyncio.Queue[asyncio.Task[None]]
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard = asyncio.create_task(side.hear(reader))
        try:
            await side.speak(writer)
            await heard
        finally:
            heard.cancel()
            await closed(writer)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        await serving.put(task)

    return accept


async def _client(side: Side, connected: socket.socket, end_s: float, tls: Tls | None) -> None:
    """Speaks, listens until the dialogue's end, closes."""
    reader, writer = await asyncio.open_connection(
        sock=connected, ssl=tls.client if tls else None, server_hostname=tls.server_name if tls else None
    )
    heard = asyncio.create_task(side.hear(reader))
    try:
        await side.speak(writer)
        await asyncio.sleep(max(0.0, side.clock.started_s() + end_s - asyncio.get_running_loop().time()))
    finally:
        await closed(writer)
        heard.cancel()


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        await writer.wait_closed()
    except (ConnectionError, ssl.SSLError):
        return  # the other end was quicker
