"""Runs a program of the host and keeps what it says: bounded in time and size, with nothing of our environment."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Sequence

FOLDERS = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")
ENVIRONMENT = {"PATH": ":".join(FOLDERS), "LC_ALL": "C", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""}


def find(name: str) -> str | None:
    """Path of a program in the system's own folders; None when it is not installed."""
    paths = (f"{folder}/{name}" for folder in FOLDERS)
    return next((path for path in paths if os.access(path, os.X_OK)), None)


def output_of(arguments: Sequence[str], timeout_s: float, limit_bytes: int) -> bytes:
    """What a program writes to standard output.

    Args:
        arguments: absolute path of the program and its arguments.
        timeout_s: it is killed, with what it started, after this time.
        limit_bytes: more output than this is not read; the program is killed.

    Raises:
        OSError: it did not start, failed, or was killed; the message says which and what it wrote to standard error.
    """
    process = subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        cwd="/",
        start_new_session=True,
    )
    timer = threading.Timer(timeout_s, _kill, [process.pid])
    timer.start()
    try:
        assert process.stdout is not None and process.stderr is not None
        data = process.stdout.read(limit_bytes + 1)
        if len(data) > limit_bytes:
            _kill(process.pid)
        complaint = process.stderr.read(500).decode("utf-8", "backslashreplace").strip()
        code = process.wait()
    finally:
        timer.cancel()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
    if len(data) > limit_bytes:
        raise OSError(f"{arguments[0]} wrote more than {limit_bytes} bytes")
    if code:
        ended = f"was killed after {timeout_s:g} s" if code == -signal.SIGKILL else f"ended with {code}"
        raise OSError(f"{' '.join(arguments[:2])} {ended}{': ' + complaint if complaint else ''}")
    return data


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
