"""Looks into the images of a look's suspects: who burns CPU, and who runs what no ordinary program runs."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from davylamp.agent import procfs
from davylamp.agent.record import Look, Recorder
from davylamp.intel.image_rules import ImageRules, can_match

# Who uses less of one CPU earns cents a month (knowledge base, cost).
SUSPECT_CPU_RATIO = 0.1
# Busy servers run tens of busy processes of a handful of programs; each image is looked into once.
SUSPECTS_COUNT, IMAGE_MOST_BYTES, ALTOGETHER_S = 64, 512 << 20, 20.0
TEMPORARY = ("/tmp/", "/var/tmp/", "/dev/shm/", "/run/")
# Starts are written to a hundredth of a second.
SAME_START_S = 0.02


@dataclass(frozen=True, slots=True)
class Suspect:
    """One process whose image is looked into."""

    pid: int
    started_at: float
    image_path: str
    image_uid: str
    cpu_ratio: float


def look_into_images(evidence: Path) -> None:
    """Adds what the rules found in suspects' images to the records of a look; nothing where YARA-X is not installed.

    Raises:
        OSError: the records cannot be read or written.
    """
    if not can_match():
        return
    with evidence.open(encoding="ascii") as lines:
        suspects = sorted(_suspects(lines), key=lambda each: -each.cpu_ratio)[:SUSPECTS_COUNT]
    if not suspects:
        return
    with evidence.open("a", encoding="ascii") as out:
        _write(Look(Recorder(out.write), time.time()), suspects)


def _suspects(lines: Iterable[str]) -> list[Suspect]:
    used: dict[tuple[int, float], list[float]] = {}
    known: dict[tuple[int, float], Mapping[str, Any]] = {}
    for line in lines:
        if '"record":"process_' not in line:
            continue
        record = json.loads(line)
        key = (record.get("process_pid"), record.get("process_started_at"))
        if None in key:
            continue
        if record["record"] == "process_usage":
            window = used.setdefault(key, [0.0, 0.0])
            window[0] += (record.get("cpu_user_s") or 0.0) + (record.get("cpu_system_s") or 0.0)
            window[1] += record["end_time"] - record["time"]
        elif record.get("image_uid"):
            known[key] = record
    found = []
    for (pid, started_at), record in known.items():
        spent_s, length_s = used.get((pid, started_at), [0.0, 0.0])
        ratio = spent_s / length_s if length_s > 0 else 0.0
        if ratio >= SUSPECT_CPU_RATIO or _is_odd(record):
            found.append(Suspect(pid, started_at, record.get("image_path") or "", record["image_uid"], ratio))
    return found


def _is_odd(record: Mapping[str, Any]) -> bool:
    return bool(
        record.get("image_state") in ("deleted", "memory")
        or record.get("image_package_state") == "modified"
        or record.get("hidden_from")
        or str(record.get("image_path")).startswith(TEMPORARY)
    )


def _write(look: Look, suspects: list[Suspect]) -> None:
    rules, seen, ends_s = ImageRules(), dict[str, dict[str, object]](), time.monotonic() + ALTOGETHER_S
    boot_at, unread = procfs.boot_at(), []
    for suspect in suspects:
        place = f"/proc/{suspect.pid}/exe"
        known = procfs.stat_of(suspect.pid)
        if known is None or abs(procfs.started_at(known, boot_at) - suspect.started_at) > SAME_START_S:
            continue  # it has ended
        if suspect.image_uid not in seen:
            try:
                seen[suspect.image_uid] = _found(rules, place, time.monotonic() < ends_s)
            except OSError as error:
                unread.append(f"{suspect.image_path}: {error.strerror or error}")
                continue
        look.record(
            "image_content",
            process_pid=suspect.pid,
            process_started_at=suspect.started_at,
            image_path=suspect.image_path,
            **seen[suspect.image_uid],
        )
    if unread:
        look.could_not_look("images of suspects", f"{len(unread)} not looked into, such as {unread[0]}")


def _found(rules: ImageRules, place: str, in_time: bool) -> dict[str, object]:
    size = os.stat(place).st_size  # noqa: PTH116
    if size > IMAGE_MOST_BYTES or not in_time:
        raise OSError("too large" if in_time else f"stopped after {ALTOGETHER_S:g} s")
    match = rules.match_file(place)
    columns: dict[str, object] = {"image_bytes": size, "rules": list(match.rules)}
    if match.rules:
        with open(place, "rb") as image:  # noqa: PTH123
            columns["image_sha256"] = hashlib.file_digest(image, "sha256").hexdigest()
        columns["strings_count"] = match.strings_count
    return columns
