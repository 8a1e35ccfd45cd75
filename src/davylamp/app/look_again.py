"""Looks at what does not move by itself, before a judging: startup items, settings, services, images' packages."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

from davylamp.app.watch_places import WatchPlaces

# What changed files do not tell (a module loaded, a port's service) is looked at again once an hour.
AGAIN_S = 3600.0
KEPT_COUNT = 8
# A pid is not given to another process with the same image within so short a time, on a host that is not stormed to
# make it so; what that one would lose is only whose package its image is.
FRESH_S = 120.0
FILE_CHANGED = "a watched file changed"


def look_again(places: WatchPlaces, why: str, pids: Sequence[int], boot_at: float | None) -> None:
    """Writes the host's state when a watched file changed and once an hour, and the packages of new burners' images."""
    places.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    looks = sorted(places.state.glob("state-*.jsonl"))
    due = not looks or why == FILE_CHANGED or not 0 <= time.time() - looks[-1].stat().st_mtime < AGAIN_S
    if not due and pids:
        told = _told_images(places.state)
        pids = [pid for pid in pids if (pid, _image_of(pid)) not in told]
    if due or pids:
        lines = _lines(due, pids, boot_at)
        _keep(places.state, "state" if due else "burners", lines)


def _lines(due: bool, pids: Sequence[int], boot_at: float | None) -> list[str]:
    # Imported here: most judgings look at nothing again, and this is a thirtieth of what one costs.
    from davylamp.agent import procfs
    from davylamp.agent.details import Reader, users_of
    from davylamp.agent.packages import Packages
    from davylamp.agent.processes import Table
    from davylamp.agent.record import Look, Recorder
    from davylamp.agent.state import collect_state

    lines: list[str] = []
    recorder = Recorder(lines.append)
    look = Look(recorder, time.time())
    recorder.header(look.at)
    packages = Packages(look)
    table = Table(Reader(users_of(), boot_at if boot_at is not None else procfs.boot_at()), packages.owner)
    table.refresh()
    if due:
        collect_state(look, packages)
        table.tell(look, table.stats, "snapshot")
    else:
        table.tell(look, [pid for pid in pids if pid in table.stats], "snapshot")
    return lines


def _told_images(folder: Path) -> set[tuple[int, str]]:
    """Processes and images that an earlier judging has told of, just before: the package database is read once."""
    told = set()
    for file in folder.glob("burners-*.jsonl"):
        if 0 <= time.time() - file.stat().st_mtime < FRESH_S:
            for line in file.read_text(encoding="ascii").splitlines():
                row = json.loads(line)
                told.add((row.get("process_pid"), row.get("image_path") or ""))
    return told


def _image_of(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/exe").readlink())
    except OSError:
        return "unreadable"


def _keep(folder: Path, kind: str, lines: list[str]) -> None:
    older = sorted(folder.glob(f"{kind}-*.jsonl"))
    number = int(older[-1].stem.rpartition("-")[2]) + 1 if older else 1
    target = folder / f"{kind}-{number:010d}.jsonl"
    draft = folder.parent / f"{target.name}.draft"
    draft.write_text("".join(lines), encoding="ascii")
    draft.replace(target)
    for old in older[: max(0, len(older) + 1 - KEPT_COUNT)]:
        old.unlink(missing_ok=True)
