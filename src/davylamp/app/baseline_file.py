"""The baseline's file: where it is, read with care, written whole or not at all, the one before kept beside it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from davylamp.app.places import state_folder
from davylamp.errors import CaseError, UsageError
from davylamp.model.baseline import ANY, NEED_LISTS, RANDOM, SCHEMA, Baseline, Entry, NeedList

SYSTEM_PLACE = Path("/etc/davylamp/baseline.json")
# A host of a thousand startup items and accounts has a quarter of a megabyte.
MOST_BYTES = 16 << 20


def default_place() -> Path:
    """Where this host's baseline is when no file is named."""
    return SYSTEM_PLACE if os.geteuid() == 0 else state_folder() / "baseline.json"


def found_baseline() -> Path | None:
    """This host's baseline, one's own before the system's; None when nobody has approved any."""
    return next((path for path in (default_place(), SYSTEM_PLACE) if path.is_file()), None)


def previous_of(path: Path) -> Path:
    """Where the baseline before that one is kept."""
    return path.with_name(path.name + ".previous")


def read_baseline(path: Path) -> Baseline:
    """The baseline in a file.

    Raises:
        UsageError: there is none, or it is not what it should be.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise _wrong(path, f"larger than {MOST_BYTES >> 20} MB")
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(
            "there is no baseline", where=str(path), why="nothing was approved yet", hint="davylamp baseline approve"
        ) from error
    except OSError as error:
        raise _wrong(path, (error.strerror or str(error)).lower()) from error
    except (ValueError, RecursionError) as error:
        raise _wrong(path, f"not JSON: {error}") from error
    if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
        raise _wrong(path, f"it does not say that it is {SCHEMA}")
    for key in ("device_name", "approved_at", "approved_by"):
        if not isinstance(raw.get(key), str):
            raise _wrong(path, f"{key} is no text")
    entries = {each.name: _entries(path, each, raw[each.name]) for each in NEED_LISTS if each.name in raw}
    return Baseline(raw["device_name"], raw["approved_at"], raw["approved_by"], entries)


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Writes a baseline; the one before is kept.

    Raises:
        CaseError: it cannot be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            _replace(previous_of(path), path.read_text(encoding="utf-8"))
        _replace(path, baseline_text(baseline))
    except OSError as error:
        raise _not_written(path, error) from error


def restore_previous(path: Path) -> Baseline:
    """Puts the baseline before in place again, and keeps the present one as the one before.

    Raises:
        UsageError: there is none before.
        CaseError: the files cannot be written.
    """
    before = read_baseline(previous_of(path))
    try:
        if path.exists():
            shutil.copy2(path, path.with_name(path.name + ".draft"))
        previous_of(path).replace(path)
        if (draft := path.with_name(path.name + ".draft")).exists():
            draft.replace(previous_of(path))
    except OSError as error:
        raise _not_written(path, error) from error
    return before


def baseline_text(baseline: Baseline) -> str:
    """The file's text: one entry a line, so that a difference of two versions reads well."""
    head = {
        "schema": SCHEMA,
        "device_name": baseline.device_name,
        "approved_at": baseline.approved_at,
        "approved_by": baseline.approved_by,
    }
    parts = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    for each in NEED_LISTS:
        if each.name in baseline.entries:
            lines = [f"    {json.dumps(_ordered(entry, each))}" for entry in baseline.entries[each.name]]
            parts.append(f'  "{each.name}": [' + ("\n" + ",\n".join(lines) + "\n  ]" if lines else "]"))
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _ordered(entry: Entry, need: NeedList) -> dict[str, object]:
    return {key: entry[key] for key in need.keys if entry.get(key) is not None}


def _entries(path: Path, need: NeedList, raw: Any) -> tuple[Entry, ...]:
    if not isinstance(raw, list):
        raise _wrong(path, f"{need.name} is no list")
    for number, entry in enumerate(raw, 1):
        if not isinstance(entry, dict) or any(entry.get(key) in (None, "") for key in need.required):
            raise _wrong(path, f"entry {number} of {need.name} has no {' or '.join(need.required)}")
        if "port" in need.keys and not _is_port(entry):
            raise _wrong(path, f"entry {number} of {need.name}: {entry['port']!r} is no port")
    return tuple(raw)


def _is_port(entry: Mapping[str, Any]) -> bool:
    port = entry["port"]
    return port in (RANDOM, ANY) or (isinstance(port, int) and not isinstance(port, bool) and 1 <= port <= 65535)


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(path.name + ".draft")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _wrong(path: Path, why: str) -> UsageError:
    return UsageError("the baseline cannot be used", where=str(path), why=why, hint="davylamp baseline approve")


def _not_written(path: Path, error: OSError) -> CaseError:
    return CaseError(
        "the baseline cannot be written",
        where=str(error.filename or path),
        why=(error.strerror or str(error)).lower(),
        hint="davylamp baseline approve --file FILE",
    )
