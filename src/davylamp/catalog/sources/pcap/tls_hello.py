"""TLS hello messages: the server name the client asks for, and the version the server chose."""

from __future__ import annotations

from dataclasses import dataclass

_HANDSHAKE = 22
_CLIENT_HELLO, _SERVER_HELLO = 1, 2
_SERVER_NAME, _SUPPORTED_VERSIONS = 0, 43
VERSIONS = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}


@dataclass(frozen=True, slots=True)
class Hello:
    """What a hello says; empty where it does not."""

    client: bool
    server_name: str = ""
    version: str = ""


class _Reader:
    """Reads numbers and vectors; past the end it gives nothing more."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def take(self, size: int) -> bytes:
        piece = self._data[self._at : self._at + size]
        self._at += size
        return piece

    def vector(self, length_bytes: int) -> bytes:
        return self.take(self.number(length_bytes))

    @property
    def more(self) -> bool:
        return self._at < len(self._data)


def looks_like_tls(data: bytes) -> bool:
    """Whether a stream starts with a TLS record header."""
    return len(data) >= 5 and 20 <= data[0] <= 24 and data[1] == 3 and data[2] <= 4 and data[3] <= 0x48


def _handshake(data: bytes) -> bytes:
    """Handshake bytes of the records at the start of a stream, put together."""
    out = bytearray()
    position = 0
    while position + 5 <= len(data) and data[position] == _HANDSHAKE and data[position + 1] == 3:
        length = data[position + 3] << 8 | data[position + 4]
        out += data[position + 5 : position + 5 + length]
        position += 5 + length
        if len(out) >= 4 and len(out) >= 4 + int.from_bytes(out[1:4], "big"):
            break
    return bytes(out)


def read_hello(data: bytes) -> Hello | None:
    """The hello at the start of a stream, or None; a cut hello gives what its whole parts say."""
    reader = _Reader(_handshake(data))
    kind = reader.number(1)
    if kind not in (_CLIENT_HELLO, _SERVER_HELLO):
        return None
    reader = _Reader(reader.vector(3))
    legacy = reader.number(2)
    reader.take(32)
    reader.vector(1)
    if kind == _CLIENT_HELLO:
        reader.vector(2)
        reader.vector(1)
    else:
        reader.take(3)
    name, chosen = _extensions(_Reader(reader.vector(2)), kind == _SERVER_HELLO)
    version = VERSIONS.get(chosen or legacy, "") if kind == _SERVER_HELLO else ""
    return Hello(kind == _CLIENT_HELLO, name, version)


def _extensions(reader: _Reader, from_server: bool) -> tuple[str, int]:
    name, version = "", 0
    while reader.more:
        kind = reader.number(2)
        body = reader.vector(2)
        if kind == _SERVER_NAME and not from_server:
            entry = _Reader(_Reader(body).vector(2))
            if entry.number(1) == 0:
                name = as_name(entry.vector(2))
        elif kind == _SUPPORTED_VERSIONS and from_server:
            version = int.from_bytes(body[:2], "big")
    return name, version


def as_name(raw: bytes) -> str:
    """A host name as lower-case text; bytes that are no ASCII show as `\\xNN`, control characters too."""
    text = raw.decode("ascii", "backslashreplace").lower().rstrip(".")
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in text)
