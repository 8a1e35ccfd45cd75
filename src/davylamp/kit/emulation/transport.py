"""What a transport does to a dialogue's sizes: TLS records, padding, joined writes."""

from __future__ import annotations

import random
from dataclasses import replace

from davylamp.kit.emulation.message import Dialogue, Message

TLS_OVERHEAD_BYTES = {"1.2": 29, "1.3": 22}
"""A record's bytes beside the plain ones: header 5, TLS 1.3 type byte and tag 17, TLS 1.2 GCM nonce and tag 24."""
TLS_HEADER_BYTES = 5
_ANSWER_S = 0.04


def encrypted(
    dialogue: Dialogue, seed: int, *, version: str = "1.3", server_name: str = "", pad_to_bytes: int = 1
) -> Dialogue:
    """The dialogue as TLS shows it: a handshake, then one record a message, its bytes random.

    Args:
        version: "1.2" (AES-GCM) or "1.3".
        pad_to_bytes: plain sizes are rounded up to a multiple of this, as TLS 1.3 allows.
    """
    rng = random.Random(f"tls:{seed}")
    opening = _handshake(rng, version, server_name)
    shift_s = opening[-1].time_s + 0.005
    records = [
        Message(
            message.time_s + shift_s,
            message.outbound,
            _record(rng, _padded(len(message.payload), pad_to_bytes) + TLS_OVERHEAD_BYTES[version] - TLS_HEADER_BYTES),
        )
        for message in dialogue
    ]
    return (*opening, *records)


def _padded(size_bytes: int, multiple_bytes: int) -> int:
    return -(-size_bytes // multiple_bytes) * multiple_bytes


def _record(rng: random.Random, size_bytes: int, content_type: int = 0x17) -> bytes:
    """One record, or several where a message is longer than a record may be."""
    head = bytes([content_type, 3, 3])
    parts: list[bytes] = []
    while size_bytes > 0:
        part_bytes = min(size_bytes, 16384)
        parts.append(head + part_bytes.to_bytes(2, "big") + rng.randbytes(part_bytes))
        size_bytes -= part_bytes
    return b"".join(parts)


def _handshake(rng: random.Random, version: str, server_name: str) -> list[Message]:
    hello = client_hello(rng, server_name, version)
    server_hello = _server_hello(rng, version)
    if version == "1.3":
        return [
            Message(0.001, True, hello),
            Message(_ANSWER_S, False, server_hello + _record(rng, rng.randrange(2400, 3600))),
            Message(2 * _ANSWER_S - 0.03, True, _record(rng, 53)),
            Message(2 * _ANSWER_S, False, _record(rng, 250) + _record(rng, 250)),
        ]
    return [
        Message(0.001, True, hello),
        Message(_ANSWER_S, False, server_hello + _record(rng, rng.randrange(2400, 3600), 0x16)),
        Message(2 * _ANSWER_S - 0.03, True, _record(rng, 37, 0x16) + _record(rng, 40, 0x16)),
        Message(2 * _ANSWER_S, False, _record(rng, 40, 0x16)),
    ]


def _vector(body: bytes, length_bytes: int) -> bytes:
    return len(body).to_bytes(length_bytes, "big") + body


def client_hello(rng: random.Random, server_name: str, version: str = "1.3") -> bytes:
    """A well-formed ClientHello record; without a server name when that is empty."""
    extensions = b""
    if server_name:
        entry = b"\x00" + _vector(server_name.encode("idna"), 2)
        extensions += b"\x00\x00" + _vector(_vector(entry, 2), 2)
    if version == "1.3":
        extensions += b"\x00\x2b" + _vector(_vector(b"\x03\x04", 1), 2)
        extensions += b"\x00\x33" + _vector(_vector(b"\x00\x1d" + _vector(rng.randbytes(32), 2), 2), 2)
    extensions += b"\x00\x0a" + _vector(_vector(b"\x00\x1d\x00\x17", 2), 2)
    ciphers = b"\x13\x01\x13\x02\xc0\x2f\xc0\x30"
    body = b"\x03\x03" + rng.randbytes(32) + _vector(rng.randbytes(32), 1) + _vector(ciphers, 2) + b"\x01\x00"
    message = b"\x01" + _vector(body + _vector(extensions, 2), 3)
    return b"\x16\x03\x01" + _vector(message, 2)


def _server_hello(rng: random.Random, version: str) -> bytes:
    extensions = b"\x00\x2b\x00\x02\x03\x04" if version == "1.3" else b"\xff\x01\x00\x01\x00"
    cipher = b"\x13\x01" if version == "1.3" else b"\xc0\x2f"
    body = b"\x03\x03" + rng.randbytes(32) + _vector(rng.randbytes(32), 1) + cipher + b"\x00"
    return b"\x16\x03\x03" + _vector(b"\x02" + _vector(body + _vector(extensions, 2), 3), 2)


def blank_padded(dialogue: Dialogue, seed: int, most_bytes: int) -> Dialogue:
    """Up to `most_bytes` blanks before each line end: JSON does not mind, sizes do."""
    rng = random.Random(f"pad:{seed}")

    def padded(message: Message) -> Message:
        body = message.payload.rstrip(b"\n")
        end = message.payload[len(body) :]
        return replace(message, payload=body + b" " * rng.randrange(most_bytes + 1) + end)

    return tuple(padded(message) for message in dialogue)


def joined(dialogue: Dialogue, within_s: float) -> Dialogue:
    """Messages of one direction closer than `within_s` leave as one write, as a busy server sends them."""
    kept: list[Message] = []
    for message in dialogue:
        before = kept[-1] if kept else None
        if before and before.outbound == message.outbound and message.time_s - before.time_s < within_s:
            kept[-1] = replace(before, payload=before.payload + message.payload)
        else:
            kept.append(message)
    return tuple(kept)
