"""The embedded engine: what happens to a query that is stopped."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from davylamp.store.engine import DuckEngine


def test_ctrl_c_during_a_query_stays_a_ctrl_c(tmp_path: Path) -> None:
    # One thread does all the work, and looks for signals between two pieces of it.
    engine = DuckEngine(256 << 20, tmp_path, sparing=True)
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)

    def press() -> None:
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    finger = threading.Thread(target=press)
    finger.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            engine.rows("SELECT count(*) FROM range(1000000000) AS a WHERE hash(a.range) % 7 = 3")
    finally:
        finger.join()
        signal.signal(signal.SIGINT, previous)
        engine.close()
