"""Reading the host's files without being held up: bounded, inside the root, never on a network file system."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from davylamp.agent.record import Look, plain

# Larger than any crontab, unit or profile that people keep; what is longer is read to here and said to be longer.
FILE_BYTES = 1 << 20
# A folder of more entries is no folder that people keep; its names are read, sorted, and the first are looked at.
ENTRIES_COUNT = 2000
NAMES_COUNT = 200_000
LINES_COUNT = 20_000
LINKS_COUNT = 40
NAMED_COUNT = 3
# 2100-01-01, where evidence ends.
LATEST_AT = 4_102_444_800.0
# File systems whose server may never answer: a stat there cannot be interrupted (autofs would even mount one).
NETWORK_TYPES = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "9p", "afs", "lustre", "gpfs", "beegfs", "ocfs2", "gfs2", "autofs"}
)
ABSENT = (FileNotFoundError, NotADirectoryError)


class TooManyError(OSError):
    """A collector came upon more than it may report."""


def told_time(at: float) -> float | None:
    """A file's time, or None for one that no reader accepts: `touch -d 2150-01-01` must not lose the whole record."""
    return at if 0 <= at < LATEST_AT else None


@dataclass
class HostFiles:
    """Files of the host as collectors read them.

    What is absent reads as None or nothing. What is there and could not be read is kept in `failures`, for one
    statement a collector. After `deadline` every read raises TimeoutError, so that a collector ends.
    """

    look: Look
    deadline: float = float("inf")
    failures: list[tuple[str, str]] = field(default_factory=list)
    _remote: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self._remote = _network_mounts(self.look)

    def resolve(self, path: str) -> str:
        """The path without symbolic links, as seen inside the root.

        Raises:
            OSError: a part is absent or closed to us, links form a loop, or it lies on a network file system.
            TimeoutError: the collector's time is over.
        """
        if time.monotonic() > self.deadline:
            raise TimeoutError(errno.ETIMEDOUT, "time for this part of the look was over", path)
        pending, done, links_count = path.split("/")[::-1], "", 0
        while pending:
            part = pending.pop()
            if part in ("", "."):
                continue
            if part == "..":
                done = done.rpartition("/")[0]
                continue
            step = f"{done}/{part}"
            if step in self._remote:
                raise OSError(errno.EREMOTE, "on a network file system, which might never answer", path)
            try:
                target = os.readlink(self.look.path(step))
            except OSError as error:
                if error.errno != errno.EINVAL:  # EINVAL: there, and no link
                    raise
                done = step
                continue
            links_count += 1
            if links_count > LINKS_COUNT:
                raise OSError(errno.ELOOP, "symbolic links form a loop", path)
            done = "" if target.startswith("/") else done
            pending.extend(target.split("/")[::-1])
        return done or "/"

    def stat(self, path: str) -> os.stat_result | None:
        """Facts of the file a path leads to; None when it is absent or cannot be looked at."""
        try:
            return os.lstat(self.look.path(self.resolve(path)))
        except ABSENT:
            return None
        except TimeoutError:
            raise
        except (OSError, ValueError) as error:
            self._failed(path, error)
            return None

    def open(self, path: str) -> int:
        """An open descriptor of a regular file.

        Raises:
            OSError: as `resolve`, or the file is not a regular one (a FIFO would wait for a writer).
        """
        place = self.look.path(self.resolve(path))
        descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | os.O_NOFOLLOW)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "not a regular file", path)
        return descriptor

    def read(self, path: str, limit_bytes: int = FILE_BYTES) -> bytes | None:
        """The first bytes of a file; None when it is absent or cannot be read."""
        try:
            with os.fdopen(self.open(path), "rb", buffering=0) as file:
                data = _read_up_to(file.fileno(), limit_bytes + 1)
        except ABSENT:
            return None
        except TimeoutError:
            raise
        except (OSError, ValueError) as error:
            self._failed(path, error)
            return None
        if len(data) > limit_bytes:
            self.failures.append((path, f"longer than {limit_bytes} bytes, the rest was not read"))
        return data[:limit_bytes]

    def read_head(self, path: str, head_bytes: int) -> bytes:
        """The first bytes of a file; empty when there are none or it is closed to us."""
        try:
            descriptor = self.open(path)
        except TimeoutError:
            raise
        except (OSError, ValueError):
            return b""
        try:
            return os.read(descriptor, head_bytes)
        except OSError:
            return b""
        finally:
            os.close(descriptor)

    def is_file(self, path: str) -> bool:
        """Whether a path leads to a regular file."""
        try:
            return stat.S_ISREG(os.lstat(self.look.path(self.resolve(path))).st_mode)
        except TimeoutError:
            raise
        except (OSError, ValueError):
            return False

    def text(self, path: str) -> str:
        """A small file's text, stripped; empty when it is not there."""
        return plain(self.read(path, 64 * 1024) or b"").strip("\x00 \t\r\n")

    def lines(self, path: str) -> Iterator[tuple[int, str]]:
        """Lines with their numbers, from 1."""
        data = self.read(path)
        if data is None:
            return
        for number, line in enumerate(data.split(b"\n"), 1):
            if number > LINES_COUNT:
                self.failures.append((path, f"more than {LINES_COUNT} lines, the rest was not read"))
                return
            yield number, plain(line.rstrip(b"\r"))

    def names(self, folder: str) -> list[str]:
        """Names in a folder, sorted; empty when it is absent or cannot be listed."""
        return self.all_names(folder, ENTRIES_COUNT)

    def all_names(self, folder: str, most_count: int) -> list[str]:
        """As `names`, with another bound on how many are taken."""
        found: list[str] = []
        try:
            with os.scandir(self.look.path(self.resolve(folder))) as entries:
                for entry in entries:
                    found.append(entry.name)
                    if len(found) >= NAMES_COUNT:
                        break
        except ABSENT:
            return []
        except TimeoutError:
            raise
        except (OSError, ValueError) as error:
            self._failed(folder, error)
            return []
        if len(found) > most_count:
            count = f"{len(found)}{' or more' if len(found) >= NAMES_COUNT else ''}"
            self.failures.append((folder, f"{count} entries, of which the first {most_count} were looked at"))
        return sorted(found)[:most_count]

    def paths(self, folder: str) -> list[str]:
        """Paths of a folder's entries."""
        return [f"{folder.rstrip('/')}/{name}" for name in self.names(folder)]

    def _failed(self, path: str, error: OSError | ValueError) -> None:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        if isinstance(error, PermissionError):
            reason += " (needs CAP_DAC_READ_SEARCH, or root)"
        self.failures.append((path, reason))

    def report_failures(self, name: str) -> None:
        """One statement for each reason why a collector could not read, naming the first paths; forgets them."""
        by_reason: dict[str, dict[str, None]] = {}
        for path, reason in self.failures:
            by_reason.setdefault(reason, {})[path] = None
        for reason, paths in by_reason.items():
            more = f" and {len(paths) - NAMED_COUNT} more" if len(paths) > NAMED_COUNT else ""
            self.look.could_not_look(name, f"{', '.join(list(paths)[:NAMED_COUNT])}{more}: {reason}")
        self.failures.clear()


def _read_up_to(descriptor: int, limit_bytes: int) -> bytes:
    pieces, left = [], limit_bytes
    while left > 0 and (piece := os.read(descriptor, min(left, 1 << 18))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _network_mounts(look: Look) -> frozenset[str]:
    """Mount points below the root that may hang; the mount of `/` itself is not one of them."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            rows = [line.split() for line in file]
    except OSError:
        return frozenset()
    root, found = look.root.rstrip("/"), set()
    for row in rows:
        kind = row[row.index("-") + 1] if "-" in row else ""
        place = row[4].replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
        if (kind in NETWORK_TYPES or kind.startswith("fuse")) and kind != "fusectl" and place.startswith(root + "/"):
            found.add(place[len(root) :])
    return frozenset(found - {"/"})
