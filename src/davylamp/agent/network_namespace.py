"""Opening a socket inside another process's network namespace; it stays there, so one visit is enough."""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Callable

_CLONE_NEWNET = 0x40000000


def opened_inside(pid: int, make: Callable[[], socket.socket], proc: str = "/proc") -> socket.socket:
    """Makes a socket in the network namespace of a process, and comes back.

    Raises:
        OSError: we may not enter (CAP_SYS_ADMIN), or the process is gone.
    """
    home = os.open(f"{proc}/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(f"{proc}/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(there)
            try:
                return make()
            finally:
                _enter(home)
        finally:
            os.close(there)
    finally:
        os.close(home)


def _enter(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
