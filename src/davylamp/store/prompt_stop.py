"""A long query ends as soon as somebody asks to stop, and not when the engine next looks up."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

_STOPS = frozenset({signal.SIGINT, signal.SIGTERM})
_DONE = 0  # no signal has this number
# Asked just before a query begins, the engine forgets it: it is asked again until the query's owner has gone.
_AGAIN_S = 0.5


class Interruptible(Protocol):
    """What can be told from another thread to stop what it does."""

    def interrupt(self) -> None:
        """Stops the running query, if there is one."""
        ...


@contextmanager
def prompt_stop(engine: Interruptible) -> Iterator[None]:
    """Interrupts the engine at once when a signal asks to stop; what the signal means stays its handler's affair.

    Python's handlers run in the main thread between two instructions of Python, and a query is one instruction. The
    engine asks for them now and then, but on two threads a query was seen to go on for two minutes after Ctrl-C. The
    interpreter writes a signal's number to a wake-up descriptor at once; a thread that waits for it needs no turn of
    the main thread.

    Only the main thread can have this, and a descriptor that somebody else has set (the sensor's loop) stays theirs.
    """
    if threading.current_thread() is not threading.main_thread() or _is_taken():
        yield
        return
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    listener = threading.Thread(target=_listen, args=(reads, engine), name="prompt stop", daemon=True)
    listener.start()
    signal.set_wakeup_fd(writes, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(-1)
        os.write(writes, bytes([_DONE]))
        listener.join()
        os.close(reads)
        os.close(writes)


def _is_taken() -> bool:
    descriptor = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
    return descriptor != -1


def _listen(reads: int, engine: Interruptible) -> None:
    asked = False
    while True:
        ready, _, _ = select.select([reads], [], [], _AGAIN_S if asked else None)
        numbers = os.read(reads, 64) if ready else b""
        if _DONE in numbers:
            return
        asked = asked or not _STOPS.isdisjoint(numbers)
        if asked:
            engine.interrupt()
