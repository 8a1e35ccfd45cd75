"""Notices of changed files from the kernel: fanotify, which says who did it, or inotify, which needs no capability."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import struct
from dataclasses import dataclass, field

# The same bits in both interfaces (include/uapi/linux/inotify.h, fanotify.h).
ATTRIB, CLOSE_WRITE, MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x4, 0x8, 0x40, 0x80, 0x100, 0x200
WANTED = ATTRIB | CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE
OVERFLOW = 0x4000
FAN_ON_DIRECTORY, FAN_EVENT_ON_CHILD = 0x40000000, 0x08000000
_FAN_CLOEXEC, _FAN_NONBLOCK, _FAN_REPORT_DIRECTORY_AND_NAME = 0x1, 0x2, 0xC00
_FAN_MARK_ADD, _DIRECTORY_AND_NAME = 0x1, 2
_AT_FDCWD = -100
_IN_ONLYDIR = 0x01000000
_FAN_EVENT = struct.Struct("=IBBHQii")
_FAN_INFO = struct.Struct("=BBH")
_IN_EVENT = struct.Struct("=iIII")
_HANDLE = struct.Struct("=Ii")
_HANDLE_BYTES = 128
READ_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Notice:
    """One change.

    Args:
        folder: as it was given to `watch`; empty for an overflow.
        bits: what happened; OVERFLOW when notices were lost.
        pid: who did it; None where the interface does not say.
    """

    folder: str
    name: str
    bits: int
    pid: int | None = None


@dataclass
class Fanotify:
    """Notices with the process that made the change.

    Raises:
        OSError: the kernel refuses (CAP_SYS_ADMIN), or knows no names in notices (Linux before 5.9).
    """

    says_who = True
    _folders: dict[bytes, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        flags = _FAN_CLOEXEC | _FAN_NONBLOCK | _FAN_REPORT_DIRECTORY_AND_NAME
        self.descriptor = _checked(self._libc.fanotify_init(flags, os.O_RDONLY | os.O_CLOEXEC))

    def fileno(self) -> int:
        """For selectors."""
        return self.descriptor

    def close(self) -> None:
        """Stops listening."""
        os.close(self.descriptor)

    def watch(self, folder: str) -> None:
        """Asks for notices of a folder's entries.

        Raises:
            OSError: it is not there, or its file system gives no handles.
        """
        path = os.fsencode(folder)
        key = self._handle(path)
        mask = ctypes.c_uint64(WANTED | FAN_EVENT_ON_CHILD | FAN_ON_DIRECTORY)
        _checked(self._libc.fanotify_mark(self.descriptor, ctypes.c_uint(_FAN_MARK_ADD), mask, _AT_FDCWD, path))
        self._folders[key] = folder

    def read(self) -> list[Notice]:
        """Notices that wait."""
        notices: list[Notice] = []
        for data in _pieces(self.descriptor):
            place = 0
            while place + _FAN_EVENT.size <= len(data):
                length, _, _, head, mask, _, pid = _FAN_EVENT.unpack_from(data, place)
                if length < _FAN_EVENT.size:
                    break
                notices += self._notice(data[place + head : place + length], mask, pid)
                place += length
        return notices

    def _notice(self, info: bytes, mask: int, pid: int) -> list[Notice]:
        if mask & OVERFLOW:
            return [Notice("", "", OVERFLOW)]
        if len(info) < _FAN_INFO.size + 8 + _HANDLE.size:
            return []
        kind, _, length = _FAN_INFO.unpack_from(info)
        if kind != _DIRECTORY_AND_NAME:
            return []
        size, _ = _HANDLE.unpack_from(info, _FAN_INFO.size + 8)
        begin = _FAN_INFO.size + 8 + _HANDLE.size
        folder = self._folders.get(info[begin : begin + size])
        name = os.fsdecode(info[begin + size : length].split(b"\0", 1)[0])
        return [] if folder is None else [Notice(folder, name, mask, pid)]

    def _handle(self, path: bytes) -> bytes:
        """The folder's handle, by which notices name it."""
        handle = ctypes.create_string_buffer(_HANDLE.pack(_HANDLE_BYTES, 0), _HANDLE.size + _HANDLE_BYTES)
        mount = ctypes.c_int()
        # AT_SYMLINK_FOLLOW, as marks follow links.
        _checked(self._libc.name_to_handle_at(_AT_FDCWD, path, handle, ctypes.byref(mount), 0x400))
        size, _ = _HANDLE.unpack_from(handle.raw)
        return handle.raw[_HANDLE.size : _HANDLE.size + size]


@dataclass
class Inotify:
    """Notices without a name of who made the change.

    Raises:
        OSError: the user's instances are used up.
    """

    says_who = False
    _folders: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = _checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def fileno(self) -> int:
        """For selectors."""
        return self.descriptor

    def close(self) -> None:
        """Stops listening."""
        os.close(self.descriptor)

    def watch(self, folder: str) -> None:
        """Asks for notices of a folder's entries.

        Raises:
            OSError: it is not there, or the user's watches are used up.
        """
        mask = ctypes.c_uint32(WANTED | _IN_ONLYDIR)
        self._folders[_checked(self._libc.inotify_add_watch(self.descriptor, os.fsencode(folder), mask))] = folder

    def read(self) -> list[Notice]:
        """Notices that wait."""
        notices: list[Notice] = []
        for data in _pieces(self.descriptor):
            place = 0
            while place + _IN_EVENT.size <= len(data):
                watch, mask, _, length = _IN_EVENT.unpack_from(data, place)
                place += _IN_EVENT.size
                name = os.fsdecode(data[place : place + length].split(b"\0", 1)[0])
                place += length
                folder = self._folders.get(watch)
                if mask & OVERFLOW:
                    notices.append(Notice("", "", OVERFLOW))
                elif folder is not None and mask & WANTED:
                    notices.append(Notice(folder, name, mask))
        return notices


def _pieces(descriptor: int) -> list[bytes]:
    pieces: list[bytes] = []
    with contextlib.suppress(BlockingIOError):
        while len(pieces) < 16:
            pieces.append(os.read(descriptor, READ_BYTES))
    return pieces


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno() or errno.EIO
        raise OSError(number, os.strerror(number))
    return result
