"""Writes settings, and which file says so."""

from __future__ import annotations

from davylamp.agent.files import HostFiles, told_time


def write_setting(
    files: HostFiles, kind: str, name: str, value: str | None, path: str | None = None, line: int | None = None
) -> None:
    """Writes one `host_setting`.

    Args:
        path: file it was read from; None for the kernel's or a program's own word.
    """
    status = files.stat(path) if path and not path.startswith(("/proc/", "/sys/")) else None
    files.look.record(
        "host_setting",
        kind=kind,
        name=name,
        value=value,
        file_path=path,
        file_line=line,
        modified_at=told_time(status.st_mtime) if status else None,
    )
