"""RPM's database, through the rpm tool: its own formats (Berkeley DB, ndb, SQLite) hold binary headers."""

from __future__ import annotations

from collections.abc import Iterator

from davylamp.agent import programs
from davylamp.agent.files import HostFiles
from davylamp.agent.package_databases.database import DATABASE_BYTES, Digest, PlainNames

PLACES = ("/var/lib/rpm", "/usr/lib/sysimage/rpm")
DATABASES = ("rpmdb.sqlite", "Packages", "Packages.db")
LIST_S, ONE_S = 30.0, 5.0
ALGORITHMS = {32: "md5", 40: "sha1", 64: "sha256", 96: "sha384", 128: "sha512"}


class Rpm(PlainNames):
    """Asks rpm once for all names, and for one package's digests when they are needed."""

    def __init__(self, files: HostFiles) -> None:
        self._files = files

    @staticmethod
    def present(files: HostFiles) -> bool:
        """Whether the host has such a database."""
        return _place(files) is not None

    def owned(self) -> Iterator[tuple[str, bytes]]:
        """Paths of every installed package.

        Raises:
            OSError: rpm is not installed, or it failed.
        """
        listed = self._ask(["-qa", "--qf", "[%{=NAME}\\t%{FILENAMES}\\n]"], LIST_S)
        for line in listed.split(b"\n"):
            package, tab, path = line.partition(b"\t")
            if tab:
                yield package.decode("utf-8", "backslashreplace"), path

    def expected(self, package: str, path: str) -> Digest | None:
        """The digest in the package's header; its algorithm shows in its length."""
        query = "[%{FILENAMES}\\t%{FILEDIGESTS}\\t%{FILEFLAGS:fflags}\\n]"
        wanted = path.encode("utf-8", "surrogateescape")
        for line in self._ask(["-q", "--qf", query, package], ONE_S).split(b"\n"):
            name, digest, flags = [*line.split(b"\t"), b"", b""][:3]
            if name == wanted and len(digest) in ALGORITHMS:
                return Digest(ALGORITHMS[len(digest)], digest.decode("ascii", "replace"), configuration=b"c" in flags)
        return None

    def _ask(self, arguments: list[str], timeout_s: float) -> bytes:
        tool = programs.find("rpm")
        if tool is None:
            raise OSError("reading the RPM database needs the rpm tool, which is not installed")
        root = self._files.look.root
        rooted = ["--root", root] if root.rstrip("/") else []
        # rpm's own default differs between distributions; some keep it in a home folder.
        dbpath = ["--dbpath", _place(self._files) or PLACES[0]]
        return programs.output_of([tool, *rooted, *dbpath, *arguments], timeout_s, DATABASE_BYTES)


def _place(files: HostFiles) -> str | None:
    """The folder that holds the database; None when there is none."""
    return next((place for place in PLACES for name in DATABASES if files.stat(f"{place}/{name}") is not None), None)
