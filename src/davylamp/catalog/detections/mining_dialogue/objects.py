"""JSON objects in a stream's first bytes: cut at either end, joined, spread, framed, or not there at all."""

from __future__ import annotations

import json
from dataclasses import dataclass

OBJECTS_MOST = 256
FAILURES_MOST = 128
"""Bounds the work on `{{{{...`: each failed start costs at most one pass to the first error."""

_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Stream:
    """One direction as read.

    Args:
        objects: JSON objects in order; members of a batch array are among them.
        json_ratio: share of the bytes that are whole objects, white space aside, and a cut end aside.
        http: `request`, `answer`, `switched` (upgrade), `tunnel` (CONNECT) or empty.
        text: the bytes as Latin-1 text, for what a cut object still shows.
    """

    objects: tuple[dict[str, object], ...]
    json_ratio: float
    http: str
    text: str


def read_stream(payload: bytes) -> Stream:
    """Objects of a payload; never raises, whatever the bytes are."""
    text = payload.decode("latin-1")
    objects: list[dict[str, object]] = []
    position = used = failures = 0
    cut_at = len(text)
    while len(objects) < OBJECTS_MOST and failures < FAILURES_MOST:
        position = text.find("{", position)
        if position < 0:
            break
        try:
            value, end = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError):
            failures += 1
            cut_at = min(cut_at, position) if objects else cut_at
            position += 1
            continue
        if isinstance(value, dict):
            objects.append(value)
            used += end - position
        cut_at = len(text)
        position = end
    total = len("".join(text[:cut_at].split())) or 1
    return Stream(tuple(objects), min(1.0, used / total), _http(text), text)


def _http(text: str) -> str:
    head = text.lstrip()[:40]
    if head.startswith(("CONNECT ", "HTTP/1.1 200 Connection", "HTTP/1.0 200 Connection")):
        return "tunnel"
    if head.startswith(("HTTP/1.1 101", "HTTP/1.0 101")):
        return "switched"
    if head.startswith("HTTP/1."):
        return "answer"
    first_line = text[:300].split("\n", 1)[0]
    return "request" if " HTTP/1." in first_line and first_line[:1].isupper() else ""
