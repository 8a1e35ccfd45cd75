"""A view of processes that nobody has laid anything over: the kernel's own, attached nowhere, seen by us alone.

Mining campaigns bind an empty folder, or another process's, over `/proc/PID`: then `ps` and `top` show nothing, or
somebody else (https://attack.mitre.org/techniques/T1564/013/).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator

# Numbers of the mount interface, the same on every architecture but Alpha (include/uapi/asm-generic/unistd.h).
_OPEN, _CONFIGURE, _MOUNT = 430, 431, 432
_CLOSE_ON_EXEC = 1
_CREATE = 6
# MOUNT_ATTR_RDONLY, _NOSUID, _NODEV and _NOEXEC (include/uapi/linux/mount.h).
_READ_ONLY = 0x1 | 0x2 | 0x4 | 0x8


@contextlib.contextmanager
def own_procfs() -> Iterator[str]:
    """Path of a `/proc` of our own, as long as the context lasts.

    Raises:
        OSError: the kernel refuses; it takes CAP_SYS_ADMIN and Linux 5.2.
    """
    made = _call(_OPEN, ctypes.c_char_p(b"proc"), _CLOSE_ON_EXEC)
    try:
        _call(_CONFIGURE, made, _CREATE, None, None, 0)
        place = _call(_MOUNT, made, _CLOSE_ON_EXEC, _READ_ONLY)
    finally:
        os.close(made)
    try:
        yield f"/proc/self/fd/{place}"
    finally:
        os.close(place)


def _call(number: int, *arguments: object) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    given = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result = int(library.syscall(ctypes.c_long(number), *given))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
