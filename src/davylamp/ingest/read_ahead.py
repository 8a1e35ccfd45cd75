"""A stream read by a thread of its own, some blocks ahead of who asks: decompressing and cutting at the same time."""

from __future__ import annotations

import contextlib
import io
import queue
import threading
from types import TracebackType
from typing import Any, BinaryIO

BLOCK_BYTES = 1 << 20
# What waits at most; a block that a decompressor gives is of up to 8 MiB, a block here never.
BLOCKS_COUNT = 8


class ReadAhead(io.RawIOBase):
    """Reads `stream` ahead; to be left (`with`) before anybody else touches the stream again.

    Of 20 million flow records in gzip the reading takes a quarter of the time that cutting and writing take
    (bench/README.md). What the stream raises is raised here, where its bytes would have come.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._blocks: queue.Queue[bytes | BaseException] = queue.Queue(BLOCKS_COUNT)
        self._rest = memoryview(b"")
        self._ended = False
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._read, name="read-ahead", daemon=True)
        self._thread.start()

    def __enter__(self) -> ReadAhead:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.leave()

    def readable(self) -> bool:
        """Always readable."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills the buffer with the next bytes; 0 at the end."""
        if not self._rest and not self._ended:
            block = self._blocks.get()
            if isinstance(block, BaseException):
                self._ended = True
                raise block
            self._rest, self._ended = memoryview(block), not block
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def leave(self) -> None:
        """Stops reading; when this returns, nobody reads the stream any more."""
        self._left.set()
        while self._thread.is_alive():
            # A reader that waits for room finds some, and then that nobody wants more.
            with contextlib.suppress(queue.Empty):
                self._blocks.get_nowait()
            self._thread.join(0.01)
        self._ended = True

    def _read(self) -> None:
        block: bytes | BaseException = b"."
        while block and not isinstance(block, BaseException) and not self._left.is_set():
            try:
                block = self._stream.read(BLOCK_BYTES)
            except BaseException as error:  # noqa: BLE001 - it is raised where the bytes were asked for
                block = error
            self._blocks.put(block)
