"""Debian's package database: /var/lib/dpkg, and status.d of images without a package manager."""

from __future__ import annotations

from collections.abc import Iterator

from davylamp.agent.files import HostFiles
from davylamp.agent.package_databases.database import DATABASE_BYTES, Digest

INFO, STATUS_D = "/var/lib/dpkg/info", "/var/lib/dpkg/status.d"
STATUS, DIVERSIONS = "/var/lib/dpkg/status", "/var/lib/dpkg/diversions"
PACKAGES_COUNT = 20_000


class Dpkg:
    """Reads file lists for the index, and one package's digests when asked."""

    def __init__(self, files: HostFiles) -> None:
        self._files = files
        self._conffiles: dict[str, str] | None = None
        self._diverted: dict[str, tuple[str, str]] | None = None

    @staticmethod
    def present(files: HostFiles) -> bool:
        """Whether the host has such a database."""
        return files.stat(INFO) is not None or files.stat(STATUS_D) is not None

    def owned(self) -> Iterator[tuple[str, bytes]]:
        """Paths of every installed package."""
        for name in self._files.all_names(INFO, PACKAGES_COUNT):
            if name.endswith(".list"):
                data = self._files.read(f"{INFO}/{name}", DATABASE_BYTES) or b""
                yield from ((name[:-5], line) for line in data.split(b"\n") if line)
        for name in self._files.all_names(STATUS_D, PACKAGES_COUNT):
            if name.endswith(".md5sums"):
                data = self._files.read(f"{STATUS_D}/{name}", DATABASE_BYTES) or b""
                yield from ((name[:-8], b"/" + line[34:]) for line in data.split(b"\n") if len(line) > 34)

    def expected(self, package: str, path: str) -> Digest | None:
        """From the package's md5sums, else from the status file's list of configuration files."""
        wanted = path.lstrip("/").encode("utf-8", "surrogateescape")
        for folder in (INFO, STATUS_D):
            for line in (self._files.read(f"{folder}/{package}.md5sums", DATABASE_BYTES) or b"").split(b"\n"):
                if line[34:] == wanted:
                    return Digest("md5", line[:32].decode("ascii", "replace"))
        md5 = self._configuration().get(path)
        return Digest("md5", md5, configuration=True) if md5 else None

    def owner_names(self, path: str) -> tuple[str, frozenset[str] | None, frozenset[str]]:
        """A diverted file stands under another name than its package gave it."""
        diverted = self._diversions()
        for original, (moved_to, package) in diverted.items():
            if path == moved_to:
                return original, None, frozenset({package})
            if path == original:
                return original, frozenset({package}), frozenset()
        return path, None, frozenset()

    def _configuration(self) -> dict[str, str]:
        if self._conffiles is None:
            self._conffiles = {}
            for line in (self._files.read(STATUS, DATABASE_BYTES) or b"").split(b"\n"):
                if line.startswith(b" /"):
                    parts = line.decode("utf-8", "surrogateescape").split()
                    # `path md5` and, for what a later version dropped, a third word.
                    if len(parts) >= 2 and len(parts[1]) == 32:
                        self._conffiles[parts[0]] = parts[1]
        return self._conffiles

    def _diversions(self) -> dict[str, tuple[str, str]]:
        if self._diverted is None:
            data = self._files.read(DIVERSIONS) or b""
            rows = data.decode("utf-8", "surrogateescape").split("\n")
            self._diverted = {
                rows[place]: (rows[place + 1], rows[place + 2]) for place in range(0, len(rows) - 2, 3) if rows[place]
            }
        return self._diverted
