"""What a drill that was killed (SIGKILL, a crash of the machine) could not take back; the next one does.

Its processes end by themselves, and with them their namespaces. What stays is its folder, a control group, and the
evidence store of its look.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

MARKER = ".davylamp-drill.json"
CASE_PREFIX, STAGE_PREFIX = "davylamp-drill-", "drill-"
GROUPS_ROOT = Path("/sys/fs/cgroup")
_MARKER_BYTES = 65536


def stage_parents() -> tuple[Path, ...]:
    """Folders in which a drill's own may be made, the best first."""
    return (Path("/opt"), Path.home() / ".cache", Path(tempfile.gettempdir()))


def mark(folder: Path, groups: Iterable[Path] = ()) -> None:
    """Says in the folder whose it is: this process, as long as it lives, and the control groups made for it."""
    told = {"pid": os.getpid(), "started": _started(os.getpid()), "groups": [str(group) for group in groups]}
    (folder / MARKER).write_text(json.dumps(told), encoding="utf-8")


def remove_leftovers(parents: Iterable[Path] | None = None) -> tuple[Path, ...]:
    """Removes what drills left behind that were killed; gives the folders.

    Only folders of our own user with our mark in them, whose drill has ended and in which no process works.
    """
    found = [folder for parent in parents or stage_parents() for folder in _candidates(parent)]
    removed = []
    for folder in found:
        told = _told(folder)
        if told is None or told["started"] == _started(told["pid"]) or any(_users(folder)):
            continue
        for group in told["groups"]:
            # An empty one is all that can be removed this way; whoever moved in meanwhile keeps it.
            if Path(group).parent in (GROUPS_ROOT, *GROUPS_ROOT.glob("*")):
                with contextlib.suppress(OSError):
                    Path(group).rmdir()
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            removed.append(folder)
    return tuple(removed)


def _candidates(parent: Path) -> Iterator[Path]:
    for prefix in (STAGE_PREFIX, CASE_PREFIX):
        for folder in sorted(parent.glob(f"{prefix}*")):
            if _ours(folder, stat.S_ISDIR) and _ours(folder / MARKER, stat.S_ISREG):
                yield folder


def _ours(path: Path, is_kind: Any) -> bool:
    """No link, and of our own user: in the temporary folder everybody may make what looks like it."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return bool(is_kind(status.st_mode)) and status.st_uid == os.geteuid()


def _told(folder: Path) -> Mapping[str, Any] | None:
    """The mark, or None where it is none that this program writes."""
    try:
        told = json.loads((folder / MARKER).read_bytes()[:_MARKER_BYTES])
        pid, started, groups = told["pid"], told["started"], told["groups"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    whole = isinstance(pid, int) and isinstance(started, str) and isinstance(groups, list)
    return told if whole and all(isinstance(group, str) for group in groups) else None


def _started(pid: int) -> str:
    """When a process started, and in which boot; a pid alone may have been given to another one since."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return f"{boot} {int(fields[19])}"
    except (OSError, IndexError, ValueError):
        return "gone"


def _users(folder: Path) -> Iterator[int]:
    """Processes that work in the folder, run from it, or hold a file of it open."""
    for place in Path("/proc").iterdir():
        if not place.name.isdecimal() or place.name == str(os.getpid()):
            continue
        for link in _links(place):
            with contextlib.suppress(OSError):
                if link.readlink().is_relative_to(folder):
                    yield int(place.name)
                    break


def _links(place: Path) -> Iterator[Path]:
    yield from (place / name for name in ("cwd", "exe", "root"))
    with contextlib.suppress(OSError):
        yield from (place / "fd").iterdir()
