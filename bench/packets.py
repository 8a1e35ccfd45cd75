"""A pcap of any size: a few emulated connections as templates, copied with other addresses, ports and times."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path

import numpy as np

from davylamp.kit.emulation.message import Dialogue, Message
from davylamp.kit.emulation.pcap import Connection, Frame, frames

START_S = 1_772_323_200
OPEN_AT_ONCE_COUNT = 256
_CLIENT, _SERVER = IPv4Address("10.0.0.5"), IPv4Address("198.51.100.7")
_RECORD, _ETHERNET = 16, 14
_SOURCE, _TARGET = _RECORD + _ETHERNET + 12, _RECORD + _ETHERNET + 16
_SOURCE_PORT, _TARGET_PORT = _RECORD + _ETHERNET + 20, _RECORD + _ETHERNET + 22
_Bytes = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def _record(rng: random.Random, kind: int, size_bytes: int) -> bytes:
    """A TLS record: its own head, noise inside."""
    return bytes((kind, 3, 3)) + struct.pack("!H", size_bytes) + rng.randbytes(size_bytes)


def _exchange(rng: random.Random, answers_bytes: Sequence[int]) -> Dialogue:
    """A TLS-shaped connection: hello, certificate, then requests with answers of the given sizes."""
    messages = [
        Message(0.0, True, _record(rng, 22, 512)),
        Message(0.03, False, _record(rng, 22, 3_200)),
        Message(0.05, True, _record(rng, 20, 74)),
    ]
    moment_s = 0.1
    for size_bytes in answers_bytes:
        messages.append(Message(moment_s, True, _record(rng, 23, rng.randrange(120, 900))))
        whole = b"".join(_record(rng, 23, min(16_384, size_bytes - at)) for at in range(0, size_bytes, 16_384))
        messages.append(Message(moment_s + 0.05, False, whole))
        moment_s += rng.uniform(0.2, 5.0)
    return tuple(messages)


def _templates(seed: int) -> list[list[Frame]]:
    rng = random.Random(f"capture:{seed}")
    answers = [[400], [900, 300, 1_200], [2_000] * 8, [14_000, 5_000], [60_000, 700], [180_000], [350, 350]]
    return [
        frames(Connection(_exchange(rng, sizes), 0.0, str(_CLIENT), 40_000, str(_SERVER), 443, seed=number))
        for number, sizes in enumerate(answers)
    ]


def _interleaved(template: Sequence[Frame], first: int, start_s: float) -> bytes:
    """One batch: the template's packets in turn, each for every one of the connections opened at once."""
    numbers = np.arange(first, first + OPEN_AT_ONCE_COUNT, dtype=np.int64)
    client = np.stack([np.full_like(numbers, 10), numbers % 4, numbers // 4 % 250, numbers // 1_000 % 250 + 1], axis=1)
    server = np.stack([numbers % 90 + 30, numbers // 90 % 200, numbers % 7, numbers % 250 + 1], axis=1)
    port = numbers * 7 % 28_000 + 32_768
    parts = []
    for moment_s, frame in template:
        block: _Bytes = np.empty((OPEN_AT_ONCE_COUNT, _RECORD + len(frame)), dtype=np.uint8)
        block[:, _RECORD:] = np.frombuffer(frame, dtype=np.uint8)
        micros = np.int64((start_s + moment_s) * 1e6) + np.arange(OPEN_AT_ONCE_COUNT)
        head = np.stack([micros // 1_000_000, micros % 1_000_000, *([np.full_like(micros, len(frame))] * 2)], axis=1)
        block[:, :_RECORD] = head.astype("<u4").view(np.uint8).reshape(OPEN_AT_ONCE_COUNT, _RECORD)
        outbound = frame[_ETHERNET + 12 : _ETHERNET + 16] == _CLIENT.packed
        block[:, (_SOURCE if outbound else _TARGET) : (_SOURCE if outbound else _TARGET) + 4] = client
        block[:, (_TARGET if outbound else _SOURCE) : (_TARGET if outbound else _SOURCE) + 4] = server
        at = _SOURCE_PORT if outbound else _TARGET_PORT
        block[:, at], block[:, at + 1] = port >> 8, port & 255
        parts.append(block.tobytes())
    return b"".join(parts)


def write_pcap(target: Path, size_bytes: int, seed: int) -> int:
    """Writes at least `size_bytes` and returns the number of packets."""
    templates = _templates(seed)
    rng = random.Random(f"order:{seed}")
    packets_count, first, start_s = 0, 0, float(START_S)
    with target.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1))
        while file.tell() < size_bytes:
            template = rng.choice(templates)
            file.write(_interleaved(template, first, start_s))
            packets_count += len(template) * OPEN_AT_ONCE_COUNT
            first += OPEN_AT_ONCE_COUNT
            start_s += template[-1][0] + 0.001
    return packets_count
