"""Questions to the site's resolver, asked from a machine's own namespace."""

from __future__ import annotations

import random
import socket
import struct
import time

from examples.make import plan
from examples.make.namespaces import socket_in

_TYPES = (1, 28)


def ask(host: str, name: str, rng: random.Random) -> None:
    """Asks for the A and the AAAA records of a name, as a system's resolver library does.

    Raises:
        TimeoutError: no answer came within 2 s.
    """
    labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.split("."))
    for kind in _TYPES:
        with socket_in(host, socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(2.0)
            asking.connect((plan.RESOLVER, 53))
            head = struct.pack("!HHHHHH", rng.randrange(65536), 0x0100, 1, 0, 0, 0)
            asking.send(head + labels + b"\0" + struct.pack("!HH", kind, 1))
            asking.recv(4096)


def ask_everyday_names(rng: random.Random, count: int, pause_s: float) -> None:
    """Ordinary questions of every machine."""
    for _ in range(count):
        ask(rng.choice(tuple(plan.HOSTS)), rng.choice(plan.EVERYDAY_NAMES), rng)
        time.sleep(pause_s)
