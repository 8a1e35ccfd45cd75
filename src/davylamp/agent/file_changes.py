"""Changes of the files that matter, as `file_activity` records: what, when, and by whom where the kernel says it."""

from __future__ import annotations

import errno
import os
import select
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from davylamp.agent import procfs
from davylamp.agent.details import users_of
from davylamp.agent.notices import (
    ATTRIB,
    CLOSE_WRITE,
    CREATE,
    DELETE,
    MOVED_FROM,
    MOVED_TO,
    OVERFLOW,
    Fanotify,
    Inotify,
    Notice,
)
from davylamp.agent.processes import Table
from davylamp.agent.record import Look, Recorder
from davylamp.agent.watched_files import watched_folders

_ACTIVITIES = (
    (DELETE, "delete"),
    (MOVED_FROM, "rename"),
    (MOVED_TO, "rename"),
    (CREATE, "create"),
    (CLOSE_WRITE, "update"),
    (ATTRIB, "set_attributes"),
)
_NOBODY_NAMED = "who changed a file is not seen: fanotify says it to CAP_SYS_ADMIN alone"
# What fanotify says of a file system that gives it no handles: overlayfs, FUSE, subvolumes of btrfs.
_WITHOUT_HANDLES = (errno.EOPNOTSUPP, errno.ENODEV, errno.EXDEV)
# include/uapi/linux/capability.h
_CAP_SYS_ADMIN = 21
# A folder that a user may write in can be changed thousands of times a second.
RECORDS_PER_TURN_COUNT = 64


@dataclass
class FileChanges:
    """Watches the folders of `watched_files`.

    Args:
        table: processes, to name who did it; with fanotify only.
        root: folder that stands for `/`, in tests.
        changed_count: changes written so far.
    """

    recorder: Recorder
    table: Table | None = None
    root: str = "/"
    wall: Callable[[], float] = time.time
    changed_count: int = 0
    skipped_count: int = 0
    _names: dict[str, frozenset[str]] = field(default_factory=dict)
    _refused: dict[str, str] = field(default_factory=dict)
    _unsigned: list[str] = field(default_factory=list)
    _beside: Inotify | None = None

    def open(self, look: Look) -> bool:
        """Opens the better interface that the kernel gives us; says what is missing."""
        self._users = users_of(f"{self.root.rstrip('/')}/etc/passwd")
        self._source: Fanotify | Inotify
        try:
            self._source = Fanotify()
        except OSError as error:
            try:
                self._source = Inotify()
            except OSError as refused:
                look.could_not_look("changes of files", f"neither fanotify nor inotify: {refused.strerror}")
                return False
            look.could_not_look("who changes files", f"{_NOBODY_NAMED} ({error.strerror})")
        else:
            if not _may_administer():
                look.could_not_look("who changes files", _NOBODY_NAMED)
        self._poll = select.epoll()
        self._poll.register(self._source, select.EPOLLIN)
        self.watch_new()
        if self._unsigned:
            reason = (
                f"the file system of {self._unsigned[0]} gives fanotify no handles; inotify tells what changes there"
            )
            look.could_not_look(f"who changes files in {len(self._unsigned)} folders", reason)
        for folder, reason in self._refused.items():
            look.could_not_look(f"changes in {folder}", reason)
        return True

    def fileno(self) -> int:
        """For selectors."""
        return self._poll.fileno()

    def close(self) -> None:
        """Stops watching."""
        self._poll.close()
        for source in self._sources():
            source.close()

    def watch_new(self) -> list[str]:
        """Watches folders of the list that are there by now; gives those that were not watched before."""
        fresh = []
        for folder, names in watched_folders(self.root).items():
            if folder in self._names or folder in self._refused:
                continue
            try:
                if not stat.S_ISDIR(os.stat(folder).st_mode):
                    continue
                self._watch(folder)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                self._refused[folder] = (error.strerror or str(error)).lower()
                continue
            self._names[folder] = names
            fresh.append(folder)
        return fresh

    def _watch(self, folder: str) -> None:
        try:
            self._source.watch(folder)
        except OSError as error:
            if isinstance(self._source, Inotify) or error.errno not in _WITHOUT_HANDLES:
                raise
            if self._beside is None:
                self._beside = Inotify()
                self._poll.register(self._beside, select.EPOLLIN)
            self._beside.watch(folder)
            self._unsigned.append(folder)

    def _sources(self) -> list[Fanotify | Inotify]:
        return [self._source] if self._beside is None else [self._source, self._beside]

    def read(self) -> None:
        """Records the changes that wait."""
        written_count = 0
        for notice in (notice for source in self._sources() for notice in source.read()):
            if notice.bits & OVERFLOW:
                self.skipped_count += 1
            elif self._counts(notice):
                written_count += 1
                if written_count > RECORDS_PER_TURN_COUNT:
                    self.skipped_count += 1
                    continue
                self._write(notice)

    def tick(self) -> None:
        """Watches what has come since; what lies in a new folder already is told, by nobody known."""
        at = self.wall()
        for folder in self.watch_new():
            names = self._names[folder]
            try:
                entries = sorted(os.listdir(folder))[:RECORDS_PER_TURN_COUNT]
            except OSError:
                continue  # it is gone again, which the folder above tells
            for name in entries:
                if not names or name in names:
                    self._record(at, "create", f"{folder}/{name}", {})

    def take_skipped_count(self) -> int:
        """Changes not written since the last call."""
        count, self.skipped_count = self.skipped_count, 0
        return count

    def _counts(self, notice: Notice) -> bool:
        names = self._names.get(notice.folder)
        # Editors and package managers write beside a file and rename: the rename tells.
        passing = notice.name.endswith((".swp", "~", ".dpkg-new", ".dpkg-tmp")) or not notice.name
        return names is not None and not passing and (not names or notice.name in names)

    def _write(self, notice: Notice) -> None:
        if notice.pid == os.getpid():
            return
        activity = next((word for bit, word in _ACTIVITIES if notice.bits & bit), "update")
        self._record(self.wall(), activity, f"{notice.folder}/{notice.name}", self._who(notice.pid))

    def _record(self, at: float, activity: str, path: str, who: dict[str, object]) -> None:
        self.changed_count += 1
        shown = path[len(self.root.rstrip("/")) :] if self.root != "/" else path
        self.recorder.record("file_activity", at, activity=activity, file_path=shown, status="success", **who)

    def _who(self, pid: int | None) -> dict[str, object]:
        """The process that did it, if it is there still or was seen while it was."""
        if not pid or self.table is None:
            return {}
        proc = self.table.reader.proc
        known = procfs.stat_of(pid, proc) or self.table.stats.get(pid)
        if known is None:
            return {"process_pid": pid}
        try:
            user_uid: int | None = os.stat(f"{proc}/{pid}").st_uid
        except OSError:
            user_uid = None
        return {
            "process_pid": pid,
            "process_started_at": procfs.started_at(known, self.table.reader.boot),
            "process_name": known.name,
            "image_path": procfs.link_of(f"{proc}/{pid}/exe"),
            "user_name": None if user_uid is None else self._users.get(user_uid, str(user_uid)),
        }


def _may_administer() -> bool:
    """Whether we have CAP_SYS_ADMIN; since Linux 5.13 others get notices too, without the process in them."""
    effective = procfs.status_fields(procfs.read_bytes("/proc/self/status")).get("CapEff", "0")
    return bool(int(effective, 16) >> _CAP_SYS_ADMIN & 1)
