"""From the PATHs a user names to the evidence files they hold, in a stable order."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

STANDARD_INPUT = "-"
ASSETS_FILE_NAME = "davylamp.toml"


@dataclass(frozen=True, slots=True)
class Found:
    """A path to read, or (with `refusal`) a path that cannot be evidence and why."""

    path: str
    refusal: str = ""

    @property
    def shown(self) -> str:
        """The path as text for tables and reports."""
        return shown_path(self.path)


def shown_path(path: str) -> str:
    """A path as text; bytes of a name that are not UTF-8 show as `\\xNN`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def evidence_paths(paths: Sequence[str], leave_out: Path | None = None) -> Iterator[Found]:
    """Every evidence path below the named ones, each once, in sorted order within a name.

    Folders are walked without following links to folders, so a loop of links ends by itself.

    Args:
        leave_out: a folder that is never evidence (the case being written).
    """
    seen: set[str] = set()
    for name in paths:
        for found in _expand(name, leave_out):
            key = found.path if found.refusal or found.path == STANDARD_INPUT else os.path.realpath(found.path)
            if key not in seen or found.refusal:
                seen.add(key)
                yield found


def _expand(name: str, leave_out: Path | None) -> Iterator[Found]:
    if name == STANDARD_INPUT:
        yield Found(name)
        return
    try:
        exists = Path(name).exists() or Path(name).is_symlink()
    except (OSError, ValueError) as error:
        yield Found(name, f"cannot be opened: {error}")
        return
    if exists:
        yield from _one(Path(name), leave_out)
        return
    matches = _matches(name) if glob.has_magic(name) else []
    if not matches:
        yield Found(name, "no such file or folder")
    for match in matches:
        yield from _one(Path(match), leave_out)


def _matches(pattern: str) -> list[str]:
    return sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - the pattern may be absolute


def _one(path: Path, leave_out: Path | None) -> Iterator[Found]:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        yield Found(str(path), _reason(error))
        return
    if stat.S_ISDIR(mode):
        yield from _walk(path, leave_out)
    elif stat.S_ISREG(mode):
        yield Found(str(path))
    else:
        yield Found(str(path), f"is a {_kind(mode)}, not a file")


def _walk(root: Path, leave_out: Path | None) -> Iterator[Found]:
    failures: list[Found] = []

    def note(error: OSError) -> None:
        failures.append(Found(str(error.filename or root), _reason(error)))

    for folder, names, files in os.walk(root, onerror=note, followlinks=False):
        names.sort()
        if leave_out is not None:
            names[:] = [name for name in names if (Path(folder) / name).resolve() != leave_out.resolve()]
        for name in sorted(names):
            if (Path(folder) / name).is_symlink():
                yield Found(str(Path(folder) / name), "is a link to a folder; name the folder itself to read it")
        for name in sorted(files):
            if name == ASSETS_FILE_NAME:
                continue
            yield from _one(Path(folder) / name, leave_out)
    yield from failures


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _kind(mode: int) -> str:
    kinds = ((stat.S_ISFIFO, "pipe"), (stat.S_ISSOCK, "socket"), (stat.S_ISCHR, "device"), (stat.S_ISBLK, "device"))
    return next((word for test, word in kinds if test(mode)), "special file")
