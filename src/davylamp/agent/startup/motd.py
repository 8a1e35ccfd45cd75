"""Scripts that run as root at every log-in to write the message of the day."""

from __future__ import annotations

from davylamp.agent.startup.item import StartupItems


def collect(items: StartupItems) -> None:
    """Each script of update-motd.d, and whether it may be run."""
    for path in items.files.paths("/etc/update-motd.d"):
        status = items.files.stat(path)
        if status is not None:
            on = bool(status.st_mode & 0o111)
            items.add_script("motd", path, name=path.rpartition("/")[2], user_name="root", enabled=on)
