"""udev rules that run programs when a device appears: a disk, a network card, /dev/random at every boot."""

from __future__ import annotations

import re

from davylamp.agent.startup.item import ITEMS_PER_FILE_COUNT, StartupItems

FOLDERS = (
    "/etc/udev/rules.d",
    "/run/udev/rules.d",
    "/usr/local/lib/udev/rules.d",
    "/usr/lib/udev/rules.d",
    "/lib/udev/rules.d",
)
RUNS = re.compile(r'\b(?:RUN(?:\{program\})?\s*\+?:?=|PROGRAM\s*=?=|IMPORT\{program\}\s*=)\s*e?"((?:[^"\\]|\\.)*)"')


def collect(items: StartupItems) -> None:
    """Programs of rules in files that no package left so; packages' own rules are hundreds and the same everywhere."""
    seen: set[str] = set()
    for folder in FOLDERS:
        for path in items.files.paths(folder):
            place = items.files.resolve(path) if items.files.is_file(path) else path
            if not path.endswith(".rules") or place in seen or items.packages.owner(path)[1] == "unmodified":
                continue
            seen.add(place)
            for number, line in items.files.lines(path):
                for found in RUNS.finditer("" if line.lstrip().startswith("#") else line):
                    if number <= ITEMS_PER_FILE_COUNT:
                        items.add(
                            "udev",
                            path,
                            name=path.rpartition("/")[2],
                            command=found.group(1),
                            user_name="root",
                            line=number,
                        )
