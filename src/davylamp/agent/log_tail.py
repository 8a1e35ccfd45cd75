"""sshd's lines out of the host's log files, forwarded as they are into small files that the log sources read."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

# Where syslog daemons write what sshd says: Debian and its kin, Red Hat and its kin, Alpine and busybox.
LOGS = ("/var/log/auth.log", "/var/log/secure", "/var/log/messages")
# How far back a start reads: a way in is some hours older than the mining, and guessing fills a log by 10 MB a day.
BEGIN_BYTES = 1 << 20
# What is read in one turn; what is further behind is passed over and counted.
TURN_BYTES, BEHIND_BYTES = 1 << 18, 4 << 20
FILE_BYTES = 1 << 20
TOTAL_BYTES = 8 << 20


@dataclass
class LinesFolder:
    """Whole lines in numbered files of a bounded folder.

    Args:
        prefix, suffix: of the files' names, around the number.
        continued: go on with the newest file; only where nothing that was torn can stand at its end.
    """

    folder: str
    prefix: str
    suffix: str
    file_bytes: int = FILE_BYTES
    total_bytes: int = TOTAL_BYTES
    continued: bool = False
    lost_count: int = 0
    refused: str = ""
    _number: int = 0
    _size_bytes: int = 0

    def __post_init__(self) -> None:
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        newest = max(self._numbers(), default=0)
        self._number = newest if self.continued and newest else newest + 1
        if self._number == newest:
            self._size_bytes = os.stat(self._path(newest)).st_size

    def write(self, lines: list[bytes]) -> None:
        """Appends lines, each with its line end; a full disk is counted."""
        data = b"".join(lines)
        if not data:
            return
        if self._size_bytes and self._size_bytes + len(data) > self.file_bytes:
            self._number, self._size_bytes = self._number + 1, 0
            self._make_room()
        try:
            descriptor = os.open(self._path(self._number), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                written = os.write(descriptor, data)
                if written < len(data):
                    whole = data.rfind(b"\n", 0, written) + 1
                    os.ftruncate(descriptor, self._size_bytes + whole)
                    self.lost_count += data.count(b"\n", whole)
                    written = whole
                self._size_bytes += written
            finally:
                os.close(descriptor)
        except OSError as error:
            self.refused = (error.strerror or str(error)).lower()
            self.lost_count += len(lines)

    def _make_room(self) -> None:
        numbers = self._numbers()
        keep_count = max(1, self.total_bytes // self.file_bytes) - 1
        for number in numbers[: max(0, len(numbers) - keep_count)]:
            os.unlink(self._path(number))

    def _numbers(self) -> list[int]:
        begin, end = len(self.prefix), -len(self.suffix)
        names = [
            name for name in os.listdir(self.folder) if name.startswith(self.prefix) and name.endswith(self.suffix)
        ]
        return sorted(int(name[begin:end]) for name in names if name[begin:end].isdigit())

    def _path(self, number: int) -> str:
        return os.path.join(self.folder, f"{self.prefix}{number:010d}{self.suffix}")


@dataclass
class LogTail:
    """Follows one log through rotation.

    Args:
        path: the log.
        target: where its sshd lines go.
        place: file that keeps how far the log was read, so that a start forwards no line twice.
    """

    path: str
    target: LinesFolder
    place: str
    passed_over_bytes: int = 0
    _descriptor: int = -1
    _identity: tuple[int, int] = (0, 0)
    _rest: bytes = b""

    def poll(self) -> None:
        """Forwards what has come."""
        before = self._position()
        self._follow()
        if self._position() != before:
            self._keep_position()

    def _follow(self) -> None:
        try:
            found = os.stat(self.path)
        except OSError:
            found = None  # between two rotations; what the old file still holds is read below
        if self._descriptor >= 0:
            self._forward()
            grown = found is not None and (found.st_dev, found.st_ino) == self._identity
            if grown and os.lseek(self._descriptor, 0, os.SEEK_CUR) > found.st_size:  # type: ignore[union-attr]
                os.lseek(self._descriptor, 0, os.SEEK_SET)  # cut and written anew in place
            if grown or found is None:
                return
            os.close(self._descriptor)
            self._descriptor = -1
            self._open(0)
        elif found is not None:
            self._open(self._kept_position(found))
        if self._descriptor >= 0:
            self._forward()

    def close(self) -> None:
        """Stops following."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self, begin: int) -> None:
        self._rest = b""
        try:
            self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._descriptor = -1
            return
        found = os.fstat(self._descriptor)
        self._identity = (found.st_dev, found.st_ino)
        if begin:
            os.lseek(self._descriptor, begin, os.SEEK_SET)
            # A line met in its middle is no line; a NUL makes it none of sshd's.
            self._rest = b"" if os.pread(self._descriptor, 1, begin - 1) == b"\n" else b"\0"

    def _position(self) -> int:
        return -1 if self._descriptor < 0 else os.lseek(self._descriptor, 0, os.SEEK_CUR) - len(self._rest)

    def _keep_position(self) -> None:
        draft = self.place + ".draft"
        try:
            with open(draft, "w", encoding="ascii") as out:
                out.write(f"{self._identity[0]} {self._identity[1]} {self._position()}\n")
            os.replace(draft, self.place)
        except OSError as error:
            self.target.refused = (error.strerror or str(error)).lower()

    def _kept_position(self, found: os.stat_result) -> int:
        try:
            with open(self.place, encoding="ascii") as kept:
                device, inode, offset = (int(word) for word in kept.read().split())
        except (OSError, ValueError):
            return max(0, found.st_size - BEGIN_BYTES)
        if (device, inode) == (found.st_dev, found.st_ino) and 0 <= offset <= found.st_size:
            return max(offset, found.st_size - BEHIND_BYTES)
        return 0  # it was rotated while nobody watched; a line of the old file's end may be missing

    def _forward(self) -> None:
        behind = os.fstat(self._descriptor).st_size - os.lseek(self._descriptor, 0, os.SEEK_CUR)
        if behind > BEHIND_BYTES:
            os.lseek(self._descriptor, behind - TURN_BYTES, os.SEEK_CUR)
            self.passed_over_bytes += behind - TURN_BYTES
            self._rest = b"\0"
        read_bytes = 0
        while read_bytes < BEHIND_BYTES and (data := os.read(self._descriptor, TURN_BYTES)):
            read_bytes += len(data)
            *lines, self._rest = (self._rest + data).split(b"\n")
            self._rest = self._rest[-TURN_BYTES:]
            self.target.write([line + b"\n" for line in lines if b"sshd" in line and not line.startswith(b"\0")])


@dataclass
class LogTails:
    """All the logs that this host has."""

    tails: list[LogTail] = field(default_factory=list)

    @classmethod
    def of_host(cls, folder: str, root: str = "/") -> LogTails:
        """Tails of the logs that are there, or may come."""
        base = root.rstrip("/")
        return cls([_tail(f"{base}{path}", folder, path[len("/var/log/") :].replace(".", "-")) for path in LOGS])

    def poll(self) -> None:
        """Forwards what has come in any of them."""
        for tail in self.tails:
            tail.poll()

    def take_lost(self) -> tuple[int, int]:
        """Lines that could not be written, and bytes passed over, since the last call."""
        lost_count = sum(tail.target.lost_count for tail in self.tails)
        passed_bytes = sum(tail.passed_over_bytes for tail in self.tails)
        for tail in self.tails:
            tail.target.lost_count = tail.passed_over_bytes = 0
        return lost_count, passed_bytes

    def close(self) -> None:
        """Stops following."""
        for tail in self.tails:
            tail.close()


def _tail(path: str, folder: str, name: str) -> LogTail:
    return LogTail(path, LinesFolder(folder, f"{name}-", ".log"), f"{folder.rstrip('/')}.{name}.position")
