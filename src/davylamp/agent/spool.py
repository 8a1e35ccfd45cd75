"""The sensor's spool: bounded, crash-safe segments of records (`davylamp.host/1`), in the order of their sequence."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from davylamp.agent.record import Recorder

DEFAULT_TOTAL_BYTES = 64 << 20
# A sixteenth: what dropping the oldest segment takes away, and what a judge reads again while a segment grows.
SEGMENTS_COUNT = 16
SMALLEST_SEGMENT_BYTES = 1 << 14
# Lines wait in memory for the end of one turn of the event loop at most, and never more than this.
WAITING_BYTES = 1 << 16
# A clock that is slewed moves by far less between two writes; what goes back further was set.
SET_BACK_S = 1.0
RETRY_S = 5.0


class SpoolInUseError(OSError):
    """Another sensor writes to this spool."""


@dataclass
class Spool:
    """Writes lines to segments of a folder; the oldest segments go when the bound is reached.

    A segment's name and header carry its sequence, which only ever grows, so that a clock set back orders nothing
    anew. A start of the sensor begins a new segment, so that a line torn by a crash is always the last of its file.
    What could not be kept is counted and stated in a `sensor_state` record (`lost`).

    Args:
        folder: made when it is missing; readable by its owner alone.
        total_bytes: bound of all segments together.
        wall, steady: clocks, seconds; `steady` never goes back.

    Raises:
        SpoolInUseError: another sensor writes there.
        OSError: the folder cannot be made or written.
    """

    folder: str
    total_bytes: int = DEFAULT_TOTAL_BYTES
    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic
    recorder: Recorder = field(init=False)
    lost_count: int = 0
    sequence: int = 0
    _waiting: list[bytes] = field(default_factory=list)
    _waiting_bytes: int = 0
    _segment: int = -1
    _segment_bytes: int = 0
    _dropped_count: int = 0
    _refused_count: int = 0
    _refused_why: str = ""
    _retry_at: float = 0.0
    _offset_s: float = 0.0

    def __post_init__(self) -> None:
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        # Beside the folder, in which nothing but evidence lies.
        self._lock = os.open(self.folder.rstrip("/") + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise SpoolInUseError(error.errno, "another sensor writes to this spool", self.folder) from error
        self.recorder = Recorder(self.write)
        self._sizes = dict(sorted((number_of(name), self._size(name)) for name in segments(self.folder)))
        self.sequence = max(self._sizes, default=0)
        self._offset_s = self.wall() - self.steady()
        self._open()

    def write(self, line: str) -> None:
        """Takes one line with its line end."""
        data = line.encode("ascii", "backslashreplace")
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes >= WAITING_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hands what waits to the system; called at the end of every turn of the event loop. Never raises."""
        self._watch_clock()
        if self._segment < 0 and not self._reopened():
            self._refuse(len(self._taken()))
            return
        stated = self._dropped_count, self._refused_count
        losses = self._losses()
        lines = [*losses, *self._taken()]
        if not lines:
            return
        if self._segment_bytes >= self._segment_bound:
            self._rotate()
        if self._segment < 0:
            self._refuse(len(lines) - len(losses))
        elif self._append(b"".join(lines), len(losses)):
            self._dropped_count -= stated[0]
            self._refused_count -= stated[1]

    def close(self) -> None:
        """Writes what waits and ends the segment."""
        self.flush()
        self._end_segment()
        os.close(self._lock)

    @property
    def _segment_bound(self) -> int:
        return max(SMALLEST_SEGMENT_BYTES, self.total_bytes // SEGMENTS_COUNT)

    def _taken(self) -> list[bytes]:
        lines, self._waiting, self._waiting_bytes = self._waiting, [], 0
        return lines

    def _append(self, data: bytes, uncounted: int) -> bool:
        while sum(self._sizes.values()) + len(data) > self.total_bytes and self._drop_oldest():
            pass
        written = 0
        try:
            while written < len(data):
                written += os.write(self._segment, data[written:])
        except OSError as error:
            whole = data.rfind(b"\n", 0, written) + 1
            self._grew(whole)
            self._cut()
            self._refuse(max(0, data.count(b"\n", whole) - uncounted), error)
            return False
        self._grew(written)
        return True

    def _cut(self) -> None:
        """Takes a torn line away again, which works on a full disk; where not, a reader rejects that line."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._segment, self._segment_bytes)

    def _grew(self, size_bytes: int) -> None:
        self._segment_bytes += size_bytes
        self._sizes[self.sequence] = self._segment_bytes

    def _refuse(self, count: int, error: OSError | None = None) -> None:
        self.lost_count += count
        self._refused_count += count
        if error is not None:
            self._refused_why = os.strerror(error.errno or errno.EIO).lower()
            self._retry_at = self.steady() + RETRY_S
            self._end_segment()
            self._drop_oldest()  # makes room where the spool itself fills the disk

    def _reopened(self) -> bool:
        if self.steady() < self._retry_at:
            return False
        try:
            self._open()
        except OSError as error:
            self._refuse(0, error)
            return False
        return True

    def _rotate(self) -> None:
        self._end_segment()
        try:
            self._open()
        except OSError as error:
            self._refuse(0, error)

    def _open(self) -> None:
        self.sequence += 1
        path = os.path.join(self.folder, name_of(self.sequence))
        self._segment = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._segment_bytes = 0
        self._sizes[self.sequence] = 0
        header: list[str] = []
        Recorder(header.append, self.recorder.device_name).header(self.wall(), sequence=self.sequence)
        data = header[0].encode("ascii", "backslashreplace")
        try:
            if os.write(self._segment, data) < len(data):
                raise OSError(errno.ENOSPC, "no room for a header")
        except OSError:
            # A segment without its header would be no evidence; the sequence number stays used.
            self._end_segment()
            os.unlink(path)
            del self._sizes[self.sequence]
            raise
        self._grew(len(data))

    def _end_segment(self) -> None:
        if self._segment >= 0:
            os.close(self._segment)
            self._segment = -1

    def _drop_oldest(self) -> bool:
        oldest = next(iter(self._sizes), None)
        if oldest is None or oldest == self.sequence:
            return False
        del self._sizes[oldest]
        path = os.path.join(self.folder, name_of(oldest))
        try:
            records_count = max(0, _lines_count(path) - 1)
            os.unlink(path)
        except OSError:
            return True  # somebody else took it away, or holds it: it is not ours any more
        self.lost_count += records_count
        self._dropped_count += records_count
        return True

    def _losses(self) -> list[bytes]:
        """Statements of what was lost; they stay due until one was written."""
        lines: list[str] = []
        due = Recorder(lines.append, self.recorder.device_name)
        for count, reason in (
            (self._dropped_count, f"the oldest segment made room: the spool is bounded to {self.total_bytes} bytes"),
            (self._refused_count, f"the spool could not be written: {self._refused_why}"),
        ):
            if count:
                due.record("sensor_state", self.wall(), kind="lost", name="spool", reason=reason, lost_count=count)
        return [line.encode("ascii", "backslashreplace") for line in lines]

    def _watch_clock(self) -> None:
        offset_s = self.wall() - self.steady()
        moved_s, self._offset_s = offset_s - self._offset_s, offset_s
        if moved_s < -SET_BACK_S and self._segment >= 0:
            self._rotate()
            reason = f"the clock was set back by {-moved_s:.1f} s; the order is that of the segments"
            self.recorder.record("sensor_state", self.wall(), kind="clock_set_back", name="clock", reason=reason)

    def _size(self, name: str) -> int:
        return os.stat(os.path.join(self.folder, name)).st_size


def name_of(sequence: int) -> str:
    """A segment's file name; names sort as sequences do."""
    return f"host-{sequence:010d}.jsonl"


def number_of(name: str) -> int:
    """The sequence in a segment's file name."""
    return int(name[5:-6])


def segments(folder: str) -> list[str]:
    """File names of the segments in a folder, the oldest first."""
    names = os.listdir(folder)
    return sorted(
        name for name in names if name.startswith("host-") and name.endswith(".jsonl") and name[5:-6].isdigit()
    )


def _lines_count(path: str) -> int:
    count = 0
    with open(path, "rb", buffering=0) as lines:
        while block := lines.read(1 << 18):
            count += block.count(b"\n")
    return count
