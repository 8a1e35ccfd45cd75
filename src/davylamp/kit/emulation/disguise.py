"""How an emulated program looks to others: its name, its arguments, its image. For drills; nothing here mines."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_PR_SET_NAME = 15
# Where a role finds what it plays: in the environment, since its arguments are part of the play.
SETTINGS_NAME = "DAVYLAMP_DRILL"


def show_name(name: str) -> None:
    """Takes the name that `/proc/PID/comm` shows."""
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def show_arguments(arguments: list[str]) -> None:
    """Writes other arguments over our own, as programs do that set their title; what does not fit is cut."""
    fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="backslashreplace").rpartition(")")[2].split()
    begin, end = int(fields[45]), int(fields[46])
    room = end - begin
    shown = ("\0".join(arguments) + "\0").encode()[: room - 1] if arguments else b""
    ctypes.memmove(begin, shown + bytes(room - len(shown)), room)


def memory_image(program: str) -> str:
    """A copy of a program that lies in no file system; the path runs it until we close it."""
    descriptor = os.memfd_create("", 0)
    with Path(program).open("rb") as source:
        while block := source.read(1 << 20):
            os.write(descriptor, block)
    os.set_inheritable(descriptor, True)
    return f"/proc/self/fd/{descriptor}"
