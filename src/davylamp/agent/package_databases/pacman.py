"""Arch's package database: /var/lib/pacman/local, one folder a package."""

from __future__ import annotations

import contextlib
import re
import zlib
from collections.abc import Iterator

from davylamp.agent.files import HostFiles
from davylamp.agent.package_databases.database import DATABASE_BYTES, Digest, PlainNames

LOCAL = "/var/lib/pacman/local"
PACKAGES_COUNT = 20_000
SHA256 = re.compile(rb"\bsha256digest=([0-9a-f]{64})\b")


class Pacman(PlainNames):
    """`files` lists what a package brought, `mtree` (gzip) the digests."""

    def __init__(self, files: HostFiles) -> None:
        self._files = files

    @staticmethod
    def present(files: HostFiles) -> bool:
        """Whether the host has such a database."""
        return files.stat(LOCAL) is not None

    def owned(self) -> Iterator[tuple[str, bytes]]:
        """Paths of every installed package."""
        for folder in self._files.all_names(LOCAL, PACKAGES_COUNT):
            for line in self._section(folder, b"%FILES%"):
                if not line.endswith(b"/"):
                    yield folder, b"/" + line

    def expected(self, package: str, path: str) -> Digest | None:
        """SHA-256 from the package's mtree; what `files` lists for backup is configuration."""
        data = self._files.read(f"{LOCAL}/{package}/mtree", DATABASE_BYTES)
        if data is None:
            return None
        unpacked = b""
        with contextlib.suppress(zlib.error):
            unpacked = zlib.decompressobj(wbits=31).decompress(data, DATABASE_BYTES)
        wanted = b"." + path.encode("utf-8", "surrogateescape")
        backup = {line.split(b"\t")[0] for line in self._section(package, b"%BACKUP%")}
        for line in unpacked.split(b"\n"):
            name, _, facts = line.partition(b" ")
            if _unescaped(name) == wanted and (found := SHA256.search(facts)):
                return Digest("sha256", found.group(1).decode(), configuration=wanted[2:] in backup)
        return None

    def _section(self, package: str, header: bytes) -> Iterator[bytes]:
        inside = False
        for line in (self._files.read(f"{LOCAL}/{package}/files", DATABASE_BYTES) or b"").split(b"\n"):
            if line.startswith(b"%") and line.endswith(b"%"):
                inside = line == header
            elif inside and line:
                yield line


def _unescaped(name: bytes) -> bytes:
    return re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found.group(1), 8) & 255]), name)
