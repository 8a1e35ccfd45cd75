"""Programs of a drill: a pool, a worker that burns CPU and talks like a miner, a proxy. No coin's algorithm anywhere.

Each is a process of its own, started by `davylamp.kit.emulation.stage`; what it plays stands in the environment, so
that its arguments can be those of the program it plays. All stay on loopback addresses, and all end by themselves
when their time is over, whoever has forgotten them.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import ssl
import sys
import threading
import time
import zlib
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from davylamp.kit.emulation.disguise import SETTINGS_NAME, show_arguments, show_name
from davylamp.kit.emulation.loopback import Side, closed
from davylamp.kit.emulation.message import Dialogue
from davylamp.kit.emulation.mining import MiningRhythm, mining_dialogue
from davylamp.kit.emulation.twins import twin_dialogue

LONGEST_S = 900.0
# Releases the interpreter's lock while it is summed up, so that threads burn whole cores.
_BLOCK = bytes(range(256)) * 4096
# What the C library writes to the log's socket: priority, the time in short, then the program's own words.
_SYSLOG = re.compile(rb"(?:<\d{1,3}>)?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d ([^ ].*)", re.DOTALL)
_BURN = (("duration_s", 1.0), ("level_ratio", 1.0), ("period_s", 0.2))


def dialogue_of(settings: dict[str, Any]) -> Dialogue:
    """The dialogue both ends know: seeded, so that each can play its own part of it."""
    rhythm = MiningRhythm(
        duration_s=float(settings["duration_s"]),
        share_gap_s=float(settings.get("share_gap_s", 8.0)),
        job_period_s=float(settings.get("job_period_s", 30.0)),
        block_gap_s=120.0,
        vardiff=bool(settings.get("vardiff", True)),
        round_trip_s=0.04,
    )
    return mining_dialogue(str(settings.get("dialect", "cryptonote")), int(settings["seed"]), rhythm)


def burn(duration_s: float, level_ratio: float, period_s: float) -> None:
    """Uses one CPU at a level: busy for its share of each period, then asleep."""
    ends_s = time.monotonic() + duration_s
    while (now_s := time.monotonic()) < ends_s:
        busy_until_s = now_s + period_s * level_ratio
        while time.monotonic() < min(busy_until_s, ends_s):
            zlib.crc32(_BLOCK)
        if level_ratio < 1.0:
            time.sleep(max(0.0, period_s * (1.0 - level_ratio)))


async def pool(settings: dict[str, Any]) -> None:
    """Answers workers as a pool does, and pushes jobs nobody asked for."""
    context = None
    if settings.get("certificate"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings["certificate"], settings["key"])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _play(Side(dialogue_of(settings), outbound=False), reader, writer)

    server = await asyncio.start_server(serve, _loopback(settings["host"]), int(settings["port"]), ssl=context)
    async with server:
        await asyncio.sleep(float(settings["duration_s"]) + 5.0)


async def worker(settings: dict[str, Any]) -> None:
    """Burns CPU in threads and plays the miner's part of the dialogue."""
    opened = open(settings["opens"], encoding="utf-8") if settings.get("opens") else None  # noqa: SIM115, PTH123
    _burn_in_threads(settings)
    context = None
    if settings.get("tls"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await _connected(settings["host"], int(settings["port"]), context)
    try:
        await _play(Side(dialogue_of(settings), outbound=True), reader, writer)
    finally:
        if opened is not None:
            opened.close()


async def _connected(
    host: str, port: int, context: ssl.SSLContext | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Tries until the other end listens, as miners and proxies do: on a loaded machine the pool may be the last up."""
    for _ in range(100):
        try:
            return await asyncio.open_connection(_loopback(host), port, ssl=context)
        except ConnectionError:
            await asyncio.sleep(0.1)
    raise ConnectionError("the drill's pool does not listen")


async def proxy(settings: dict[str, Any]) -> None:
    """Hands on what it hears, both ways."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        finally:
            await closed(writer)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await _connected(settings["to_host"], int(settings["to_port"]))
        await asyncio.gather(carry(reader, back), carry(there, writer), return_exceptions=True)

    server = await asyncio.start_server(serve, _loopback(settings["host"]), int(settings["port"]))
    async with server:
        await asyncio.sleep(float(settings["duration_s"]) + 5.0)


async def talker(settings: dict[str, Any]) -> None:
    """One end of a benign conversation, or several of them at once, with as much CPU as it is told to use."""
    dialogue = twin_dialogue(str(settings["twin"]), int(settings["seed"]), float(settings["duration_s"]))
    _burn_in_threads(settings)
    if settings["serves"]:

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await _play(Side(dialogue, outbound=False), reader, writer)

        server = await asyncio.start_server(serve, _loopback(settings["host"]), int(settings["port"]))
        async with server:
            await asyncio.sleep(float(settings["duration_s"]) + 5.0)
        return
    host, port = settings["host"], int(settings["port"])
    ends = [await _connected(host, port) for _ in range(int(settings.get("connections", 1)))]
    await asyncio.gather(*(_play(Side(dialogue, outbound=True), *end) for end in ends))


async def _play(side: Side, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    heard = asyncio.create_task(side.hear(reader))
    try:
        await side.speak(writer)
        await asyncio.sleep(5.0)
    finally:
        heard.cancel()
        await closed(writer)


def _burn_in_threads(settings: dict[str, Any]) -> None:
    levels = (
        float(settings["duration_s"]),
        float(settings.get("level_ratio", 1.0)),
        float(settings.get("period_s", 0.2)),
    )
    for _ in range(int(settings.get("threads", 1))):
        threading.Thread(target=burn, args=levels, daemon=True).start()


async def pool_and_worker(settings: dict[str, Any]) -> None:
    """A worker whose pool is its child in the same network namespace, which has nothing but loopback."""
    await (await asyncio.create_subprocess_exec("ip", "link", "set", "lo", "up")).wait()
    child = os.fork()
    if child == 0:
        asyncio.set_event_loop(None)
        os.execve(
            sys.executable,
            [sys.executable, sys.argv[0]],
            os.environ | {SETTINGS_NAME: json.dumps(settings | {"role": "pool", "pid_file": ""})},
        )
    await worker(settings)


def _loopback(host: str) -> str:
    """The address, which must be our own: a drill reaches nobody else.

    Raises:
        ValueError: it is not.
    """
    if not ip_address(host).is_loopback:
        raise ValueError(f"{host} is no loopback address")
    return host


async def system_log(settings: dict[str, Any]) -> None:
    """A syslog daemon: what programs write to its socket, with the instant it came, in rsyslog's own format."""
    host = socket.gethostname()
    with (
        open(settings["file"], "ab", buffering=0) as kept,  # noqa: PTH123
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard,
    ):
        heard.bind(settings["socket"])
        heard.setblocking(False)
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(heard, 8192):
            if found := _SYSLOG.match(data.rstrip(b"\n\0")):
                at = datetime.now(UTC).isoformat(timespec="microseconds")
                kept.write(f"{at} {host} ".encode() + found.group(1) + b"\n")


ROLES = {
    "pool": pool,
    "worker": worker,
    "proxy": proxy,
    "pool_and_worker": pool_and_worker,
    "talker": talker,
    "system_log": system_log,
}


def main() -> int:
    """Plays the role that the environment names."""
    settings = json.loads(os.environ.pop(SETTINGS_NAME))
    if settings.get("pid_file"):
        Path(settings["pid_file"]).write_text(f"{os.getpid()}\n", encoding="ascii")
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(int(min(LONGEST_S, float(settings["duration_s"]) + 30.0)))
    if settings.get("shown_name"):
        show_name(settings["shown_name"])
    if settings.get("wiped_arguments"):
        show_arguments([settings["wiped_arguments"]])
    try:
        asyncio.run(ROLES[settings["role"]](settings))
    except (ConnectionError, KeyboardInterrupt):
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
