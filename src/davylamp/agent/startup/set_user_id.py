"""Programs that run with their owner's rights (SUID, SGID, file capabilities' cousins) and no package left so."""

from __future__ import annotations

import os
import stat
import time
from itertools import islice

from davylamp.agent.files import TooManyError
from davylamp.agent.startup.item import StartupItems

# Where programs and droppings lie, the likeliest first, with how deep each is walked: programs stand in shallow
# folders, and below are libraries, sources and data by the hundred thousand.
TREES = {
    "/tmp": 6, "/var/tmp": 6, "/dev/shm": 6, "/usr/bin": 1, "/usr/sbin": 1, "/bin": 1, "/sbin": 1, "/usr/local": 4,
    "/opt": 4, "/usr/libexec": 3, "/usr/lib": 3, "/lib": 3, "/lib64": 3, "/usr/games": 1, "/etc": 4, "/root": 3,
    "/home": 4, "/srv": 3, "/run": 4, "/var": 4, "/usr/share": 2,
}  # fmt: skip
SKIPPED = frozenset(
    {
        "/var/lib/docker", "/var/lib/containers", "/var/lib/containerd", "/var/lib/lxc", "/var/lib/lxd", "/var/snap",
        "/var/lib/snapd", "/run/user", "/var/lib/kubelet/pods",
    }
)  # fmt: skip
# Measured at 9 microseconds an entry: the whole walk takes a second at most. A folder filled with files ends the walk
# of its own tree alone.
TREE_ENTRIES_COUNT, ENTRIES_COUNT, WALK_S = 30_000, 120_000, 3.0


def collect(items: StartupItems) -> None:
    """Files with the set-user-id or set-group-id bit that are unowned, modified or not known."""
    walk = _Walk(items)
    for tree, depth in TREES.items():
        if items.files.stat(tree) is not None:
            walk.below(tree, depth)


class _Walk:
    def __init__(self, items: StartupItems) -> None:
        self._items = items
        self._left_count = ENTRIES_COUNT
        self._until = time.monotonic() + WALK_S
        self._seen: set[tuple[int, int]] = set()

    def below(self, tree: str, depth_count: int) -> None:
        """Walks one tree; where the budget ends is said."""
        files = self._items.files
        pending, before_count = [(files.resolve(tree), 0)], self._left_count
        while pending:
            folder, depth = pending.pop()
            over = before_count - self._left_count > TREE_ENTRIES_COUNT
            if over or self._left_count <= 0 or time.monotonic() > self._until:
                reason = (
                    f"the walk for SUID files ended early: {TREE_ENTRIES_COUNT} entries a tree, {WALK_S:g} s in all"
                )
                files.failures.append((folder, reason))
                return
            if folder not in SKIPPED and depth < depth_count:
                pending += [(each, depth + 1) for each in self._folder(folder)]

    def _folder(self, folder: str) -> list[str]:
        files = self._items.files
        folders: list[str] = []
        try:
            place = os.stat(files.look.path(files.resolve(folder)))
            if (place.st_dev, place.st_ino) in self._seen:
                return []
            self._seen.add((place.st_dev, place.st_ino))
            with os.scandir(files.look.path(folder)) as entries:
                for entry in islice(entries, TREE_ENTRIES_COUNT):
                    self._left_count -= 1
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(f"{folder}/{entry.name}")
                    elif entry.is_file(follow_symlinks=False):
                        mode = entry.stat(follow_symlinks=False).st_mode
                        if mode & stat.S_ISUID or (mode & stat.S_ISGID and mode & stat.S_IXGRP):
                            self._found(f"{folder}/{entry.name}")
        except (TimeoutError, TooManyError):
            raise
        except FileNotFoundError:
            return folders
        except OSError as error:
            files.failures.append((folder, error.strerror or str(error)))
        return folders

    def _found(self, path: str) -> None:
        if self._items.packages.owner(path)[1] != "unmodified":
            self._items.add("suid", path, name=path.rpartition("/")[2], command=path, program=path, follow=False)
