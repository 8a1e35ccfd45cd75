"""Which package owns a file, and whether the file is as the package brought it."""

from __future__ import annotations

import hashlib
import os
from array import array
from bisect import bisect_left

from davylamp.agent.files import ABSENT, HostFiles
from davylamp.agent.package_databases.apk import Apk
from davylamp.agent.package_databases.database import Database, Digest
from davylamp.agent.package_databases.dpkg import Dpkg
from davylamp.agent.package_databases.pacman import Pacman
from davylamp.agent.package_databases.rpm import Rpm
from davylamp.agent.record import Look

DATABASES: tuple[type[Dpkg] | type[Apk] | type[Pacman] | type[Rpm], ...] = (Dpkg, Apk, Pacman, Rpm)
# A desktop has about 400,000 paths; eight bytes each are kept.
PATHS_COUNT = 4_000_000
# The largest programs (browsers, language runtimes) are about 250 MiB; what one look hashes is bounded as well.
FILE_BYTES, HASHED_BYTES = 512 << 20, 4 << 30
ANSWERS_COUNT = 8192
# Folders that merged distributions keep once and databases may name by either path.
MERGED = ("/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libx32")
PACKAGE_BITS = 16
UNKNOWN: tuple[str | None, str] = (None, "unknown")


class Packages:
    """Answers `owner(path)`; reads the databases at the first question.

    The index keeps 48 bits of a path's hash and 16 of its package's number: eight bytes a path, and with a million
    paths one question in 280 million would be answered for another path.
    """

    def __init__(self, look: Look) -> None:
        self._files = HostFiles(look)
        self._index: array[int] | None = None
        self._names: list[tuple[Database, str]] = []
        self._answers: dict[str, tuple[tuple[int, ...], tuple[str | None, str]]] = {}
        self._hashed_bytes = 0

    def owner(self, path: str) -> tuple[str | None, str]:
        """The package that owns a file and the state of the file.

        Returns:
            The package's name, or None; and `unmodified`, `modified`, `configured` (a configuration file that differs
            from the package's, as administrators are meant to make it), `unowned`, or `unknown` (no package database,
            no digest in it, or the file could not be read).
        """
        try:
            place = self._files.resolve(path)
            status = os.lstat(self._files.look.path(place))
        except (*ABSENT, ValueError):
            return next((package for package, _ in self._owners(path)), None), "unknown"
        except OSError:
            return UNKNOWN
        signature = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        known = self._answers.get(place)
        if known is None or known[0] != signature:
            if len(self._answers) >= ANSWERS_COUNT:
                self._answers.clear()
            known = self._answers[place] = (signature, self._answer(place, status.st_size))
        return known[1]

    def _answer(self, place: str, size_bytes: int) -> tuple[str | None, str]:
        if not self._loaded():
            return UNKNOWN
        owners = self._owners(place)
        if not owners:
            return None, "unowned"
        for package, expected in owners:
            if expected is not None:
                return package, self._compare(place, size_bytes, expected)
        return owners[0][0], "unknown"

    def _owners(self, place: str) -> list[tuple[str, Digest | None]]:
        found: list[tuple[str, Digest | None]] = []
        for alias in _aliases(place):
            for database, package in self._listed(alias):
                try:
                    name = database.owner_names(alias)[0]
                    found.append((package.partition(":")[0], database.expected(package, name)))
                except OSError:
                    found.append((package.partition(":")[0], None))
        return found

    def _listed(self, path: str) -> list[tuple[Database, str]]:
        index, found = self._load(), []
        for database in dict.fromkeys(database for database, _ in self._names):
            name, only, never = database.owner_names(path)
            key = _hashed(name.encode("utf-8", "surrogateescape"))
            place = bisect_left(index, key << PACKAGE_BITS)
            while place < len(index) and index[place] >> PACKAGE_BITS == key:
                owner, package = self._names[index[place] & ((1 << PACKAGE_BITS) - 1)]
                plain_name = package.partition(":")[0]
                if owner is database and plain_name not in never and (only is None or plain_name in only):
                    found.append((owner, package))
                place += 1
        return found

    def _loaded(self) -> bool:
        self._load()
        return bool(self._names)

    def _load(self) -> array[int]:
        if self._index is None:
            entries: array[int] = array("Q")
            for kind in DATABASES:
                if kind.present(self._files):
                    try:
                        self._add(kind(self._files), entries)
                    except OSError as error:
                        self._files.look.could_not_look("packages", error.strerror or str(error))
            self._index = array("Q", sorted(entries))
            self._files.report_failures("packages")
            if not self._names:
                self._files.look.could_not_look("packages", "no package database that we read: dpkg, apk, pacman, rpm")
        return self._index

    def _add(self, database: Database, entries: array[int]) -> None:
        last, number = None, 0
        for package, path in database.owned():
            if package != last:
                last, number = package, len(self._names)
                if number >= 1 << PACKAGE_BITS:
                    raise OSError("more packages than the index can hold")
                self._names.append((database, package))
            if len(entries) >= PATHS_COUNT:
                raise OSError(f"packages own more than {PATHS_COUNT} paths")
            entries.append(_hashed(path) << PACKAGE_BITS | number)

    def _compare(self, place: str, size_bytes: int, expected: Digest) -> str:
        if size_bytes > FILE_BYTES or self._hashed_bytes + size_bytes > HASHED_BYTES:
            return "unknown"
        digest = hashlib.new(expected.algorithm, usedforsecurity=False)
        try:
            with os.fdopen(self._files.open(place), "rb", buffering=0) as file:
                left = size_bytes
                while left > 0 and (piece := file.read(1 << 20)):
                    digest.update(piece)
                    left -= len(piece)
        except OSError:
            return "unknown"
        self._hashed_bytes += size_bytes
        if digest.hexdigest() == expected.hexadecimal:
            return "unmodified"
        return "configured" if expected.configuration else "modified"


def _hashed(path: bytes) -> int:
    return hash(path) & ((1 << 48) - 1)


def _aliases(path: str) -> list[str]:
    """Names under which a database may list a file of a merged /usr (and of a merged bin and sbin)."""
    names = [path]
    for folder in MERGED:
        if path.startswith(folder + "/"):
            names.append(path.removeprefix("/usr"))
    for name in list(names):
        if name.startswith(("/usr/bin/", "/bin/")):
            names.append(name.replace("/bin/", "/sbin/", 1))
    return names
