"""Where things are kept when the user names no place: the last case, imported indicators."""

from __future__ import annotations

import os
from pathlib import Path


def state_folder() -> Path:
    """Folder for the last case (`$XDG_STATE_HOME/davylamp`)."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "davylamp"


def last_case() -> Path:
    """The case of the last scan that named none."""
    return state_folder() / "last"


def imported_indicators() -> Path:
    """The user's imported indicators (`$XDG_DATA_HOME/davylamp/indicators.jsonl`)."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "davylamp" / "indicators.jsonl"


def new_case_folder() -> Path:
    """A fresh folder for a scan that names no case; in the temporary folder when the state folder is not writable."""
    import tempfile

    state = state_folder()
    try:
        state.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix="case-", dir=state))
    except OSError:
        return Path(tempfile.mkdtemp(prefix="davylamp-case-"))


def keep_as_last(case: Path) -> Path:
    """Makes a finished case the last one, in place of the one before; returns where it lies now."""
    import shutil

    last = last_case()
    if case.parent != last.parent:
        return case
    stale = case.with_name(case.name + ".old")
    if last.exists():
        last.replace(stale)
    case.replace(last)
    shutil.rmtree(stale, ignore_errors=True)
    return last
