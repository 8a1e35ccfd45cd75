"""Alpine's package database: /lib/apk/db/installed."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

from davylamp.agent.files import HostFiles
from davylamp.agent.package_databases.database import DATABASE_BYTES, Digest, PlainNames

PLACES = ("/lib/apk/db/installed", "/usr/lib/apk/db/installed")


class Apk(PlainNames):
    """One file holds everything: P: package, F: folder, R: file, Z: digest."""

    def __init__(self, files: HostFiles) -> None:
        self._files = files

    @staticmethod
    def present(files: HostFiles) -> bool:
        """Whether the host has such a database."""
        return any(files.stat(place) is not None for place in PLACES)

    def owned(self) -> Iterator[tuple[str, bytes]]:
        """Paths of every installed package."""
        for package, path, _ in self._entries():
            yield package, path

    def expected(self, package: str, path: str) -> Digest | None:
        """Q1 and the SHA-1 in base64; apk leaves files in /etc to the administrator."""
        wanted = path.encode("utf-8", "surrogateescape")
        for owner, found, checksum in self._entries():
            if found == wanted and owner == package and checksum.startswith(b"Q1"):
                try:
                    digest = base64.b64decode(checksum[2:], validate=True).hex()
                except (binascii.Error, ValueError):
                    return None
                return Digest("sha1", digest, configuration=path.startswith("/etc/"))
        return None

    def _entries(self) -> Iterator[tuple[str, bytes, bytes]]:
        data = next((data for place in PLACES if (data := self._files.read(place, DATABASE_BYTES))), b"")
        package, folder, path = "", b"", b""
        for line in data.split(b"\n"):
            tag, value = line[:2], line[2:].rstrip(b"\r")
            if path and tag != b"Z:" and tag != b"a:":
                yield package, path, b""
                path = b""
            if tag == b"P:":
                package, folder = value.decode("utf-8", "backslashreplace"), b""
            elif tag == b"F:":
                folder = value
            elif tag == b"R:":
                path = b"/" + (folder + b"/" if folder else b"") + value
            elif tag == b"Z:" and path:
                yield package, path, value
                path = b""
