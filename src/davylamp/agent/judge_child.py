"""Judging in a process of its own: started, listened to, and its cost counted when it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass

# A judging that hangs would be the last one; on a large host under full load it takes some seconds.
LONGEST_S = 300.0
LINE_BYTES = 16 << 20
# One arena and no pool that keeps what is freed (bench/README.md).
SMALL = {"MALLOC_ARENA_MAX": "1", "ARROW_DEFAULT_MEMORY_POOL": "system", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Ended:
    """What a process took that has ended, and its exit code."""

    cpu_s: float
    peak_bytes: int
    code: int


@dataclass
class JudgeChild:
    """Runs a command that prints lines.

    Args:
        command: program and arguments; what each judging is told is added.
    """

    command: list[str]
    pid: int = 0
    descriptor: int = -1
    _rest: bytes = b""
    _started_s: float = 0.0

    @property
    def running(self) -> bool:
        """Whether one is under way."""
        return self.pid != 0

    def start(self, more: list[str]) -> int:
        """Starts it; gives the descriptor from which its lines come.

        Raises:
            OSError: no process can be made.
        """
        reading, writing = os.pipe2(os.O_CLOEXEC)
        try:
            # A group of its own: Ctrl-C on the terminal is ours to hear, and ours to pass on.
            self.pid = os.posix_spawn(
                self.command[0],
                [*self.command, *more],
                {**os.environ, **SMALL},
                file_actions=[(os.POSIX_SPAWN_DUP2, writing, 1)],
                setpgroup=0,
                setsigmask=[],
                setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGPIPE],
            )
        except OSError:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        os.set_blocking(reading, False)
        self.descriptor, self._rest, self._started_s = reading, b"", time.monotonic()
        return reading

    def read(self) -> tuple[list[bytes], bool]:
        """Whole lines that have come, and whether it has closed its end."""
        parts = [self._rest]
        closed = False
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.descriptor, 1 << 16):
                parts.append(data)
            closed = True
        *lines, self._rest = b"".join(parts).split(b"\n")
        if len(self._rest) > LINE_BYTES:
            self._rest = b""
        return lines, closed

    def finish(self) -> Ended:
        """Waits for it."""
        os.close(self.descriptor)
        self.descriptor = -1
        _, status, used = os.wait4(self.pid, 0)
        self.pid = 0
        return Ended(used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, os.waitstatus_to_exitcode(status))

    def hangs(self) -> bool:
        """Whether it has taken longer than any judging takes."""
        return self.running and time.monotonic() - self._started_s > LONGEST_S

    def stop(self) -> None:
        """Ends it; what it has written until then is whole."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
