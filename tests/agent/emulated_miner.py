"""A load and a dialogue shaped like a miner's, for a bounded time, between two processes on the loopback address.

It computes nothing of value: the load is a loop of additions, throttled by sleeping. Run as

    python -m tests.agent.emulated_miner pool SECONDS [TLS]
    python -m tests.agent.emulated_miner miner PORT SECONDS LOAD

the pool prints its port; both end by themselves.
"""

from __future__ import annotations

import socket
import sys
import threading
import time

from davylamp.kit.emulation.message import Dialogue
from davylamp.kit.emulation.mining import MiningRhythm, mining_dialogue

LONGEST_S = 900.0
SLICE_S = 0.1


def dialogue(duration_s: float) -> Dialogue:
    """What both ends say: shares every eight seconds, jobs every twenty, as a pool with vardiff settles."""
    rhythm = MiningRhythm(duration_s=duration_s, share_gap_s=8.0, job_period_s=20.0, block_gap_s=120.0)
    return mining_dialogue("cryptonote", 7, rhythm)


def speak(channel: socket.socket, said: Dialogue, outbound: bool, ends_s: float) -> None:
    """Says one side's lines on time and hears whatever comes."""
    began = time.monotonic()
    channel.settimeout(0.05)
    turns = [message for message in said if message.outbound == outbound]
    while time.monotonic() < ends_s:
        while turns and time.monotonic() - began >= turns[0].time_s:
            channel.sendall(turns.pop(0).payload)
        try:
            if not channel.recv(65536):
                return
        except TimeoutError:
            continue
        except ConnectionError:
            return


def burn(load_ratio: float, ends_s: float) -> None:
    """Uses a share of one core."""
    while (now := time.monotonic()) < ends_s:
        until = now + SLICE_S * load_ratio
        total = 0
        while time.monotonic() < until:
            for number in range(2000):
                total += number
        if load_ratio < 1:
            time.sleep(SLICE_S * (1 - load_ratio))


def pool(seconds: float) -> None:
    """Waits for one miner."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        sys.stdout.write(f"{server.getsockname()[1]}\n")
        sys.stdout.flush()
        server.settimeout(seconds)
        channel, _ = server.accept()
        with channel:
            speak(channel, dialogue(seconds), False, time.monotonic() + seconds)


def miner(port: int, seconds: float, load_ratio: float) -> None:
    """Talks to the pool and burns."""
    ends_s = time.monotonic() + seconds
    with socket.create_connection(("127.0.0.1", port)) as channel:
        talker = threading.Thread(target=speak, args=(channel, dialogue(seconds), True, ends_s), daemon=True)
        talker.start()
        burn(load_ratio, ends_s)


if __name__ == "__main__":
    asked_s = min(LONGEST_S, float(sys.argv[2] if sys.argv[1] == "pool" else sys.argv[3]))
    if sys.argv[1] == "pool":
        pool(asked_s)
    else:
        miner(int(sys.argv[2]), asked_s, float(sys.argv[4]))
