"""Libraries that the loader puts into every program: ld.so.preload, and the loader's list of folders."""

from __future__ import annotations

import re

from davylamp.agent.startup.item import ITEMS_PER_FILE_COUNT, StartupItems

PRELOAD = "/etc/ld.so.preload"
MUSL = re.compile(r"^ld-musl-.*\.path$")


def collect(items: StartupItems) -> None:
    """Each preloaded library; each folder that a file names which no package left so."""
    for number, line in items.files.lines(PRELOAD):
        for library in re.split(r"[:\s]+", line.partition("#")[0]):
            if library and number <= ITEMS_PER_FILE_COUNT:
                items.add(
                    "preload",
                    PRELOAD,
                    name="ld.so.preload",
                    command=library,
                    program=library,
                    line=number,
                    follow=False,
                )
    folders = [path for path in items.files.paths("/etc/ld.so.conf.d") if path.endswith(".conf")]
    folders += [path for path in items.files.paths("/etc") if MUSL.match(path.rpartition("/")[2])]
    for path in ["/etc/ld.so.conf", *folders]:
        if not items.files.is_file(path) or items.packages.owner(path)[1] == "unmodified":
            continue
        for number, line in items.files.lines(path):
            folder = line.partition("#")[0].strip()
            if folder.startswith("/") and number <= ITEMS_PER_FILE_COUNT:
                items.add("other", path, name="ld.so.conf", command=folder, line=number, follow=False)
