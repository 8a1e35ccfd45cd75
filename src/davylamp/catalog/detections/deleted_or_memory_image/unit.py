"""The detection `deleted_or_memory_image`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import candidates, number_of, whole_of
from davylamp.kit.metadata import DetectionMeta
from davylamp.kit.processes import process_finding, process_named, process_started_at
from davylamp.kit.temporary_folders import BUILDER_FOLDER, HIDDEN_FOLDER, KNOWN_HIDDEN_FOLDER, TEMPORARY_FOLDER
from davylamp.model.finding import Finding, Technique
from davylamp.model.severity import Severity

# Container runtimes start a copy of themselves from memory (CVE-2019-5736) and become the container within a second.
_RUNTIME_COPY = re.compile(r"^/?memfd:(?:runc_cloned:/proc/self/exe|lxc_cloned|crun|libcrun|youki|conmon)")
_RUNTIME_NAME = re.compile(r"^(?:runc|crun|lxc|exe|youki|conmon|[0-9]+$)")
RUNTIME_CPU_S = 5.0
BUSY_RATIO, IDLE_RATIO, YOUNG_S = 0.25, 0.05, 60.0


class DeletedOrMemoryImage(Detection):
    """A process runs from a removed file, or from memory that never was a file.

    What it sees.
    Processes whose image was removed after the start, in a folder for temporary files or a hidden one, and processes
    started from memory (`memfd_create`).

    Why it matters.
    What has no file is not found by a scan of files and leaves nothing behind. perfctl runs as `/tmp/.perf.c/perfctl
    (deleted)`, PyLoose and others start XMRig from memory alone.

    How it decides.
    From memory: agents of clouds and sandboxes are run so too, and wait (nine of one sandbox were measured: 0.1 % of a
    CPU over their lives), so what a process does decides. One that used at least a quarter of a CPU (`BUSY_RATIO`) over
    its life or while it was watched: ratio 4.0. One that is younger than a minute (`YOUNG_S`), or whose use is not
    known, as in an audit log: 2.5. One that has used less than 5 % (`IDLE_RATIO`): none; between the two: 2.5. A
    container runtime's copy of itself (`runc_cloned`, under the runtime's name) is none while it has used less than
    five seconds of CPU (`RUNTIME_CPU_S`; it lives for a fraction of one). Removed from a temporary folder: 3.5 when
    nothing stands at the path any more, 2.0 when a new file does, which is how a rebuilt program looks. Removed from a
    hidden folder that is no tool's own: 2.5, and nothing where a new file stands there. The sensor says whether one
    does: it asks which package owns the path. Folders of build tools within the temporary ones (`go-build`,
    `rustdoctest`, `pip-`, `bazel`, ...) are left out. Not reported is a removed image in a folder of the system, of a
    package, or in a plain home: every upgrade leaves its daemons so until they are restarted, and every rebuild a
    developer's server.

    What it misses.
    A miner in memory that rests while it is looked at; a miner removed from `/usr/bin` or `/opt`; one that starts from
    memory through an interpreter (the image is Python's); a file that is hidden rather than removed.

    What looks like it and is not.
    Daemons after an upgrade, also of a version whose folder is gone; `go run`, tests and doctests; a program that an
    installer unpacked and removed; JIT compilers and pipewire, which map memory and do not start from it.

    What to do.
    Copy `/proc/PID/exe` before anything else: it still is the whole program. Then its maps, its command line and its
    parents.

    References.
    https://attack.mitre.org/techniques/T1070/004/
    https://attack.mitre.org/techniques/T1620/
    """

    meta = DetectionMeta(
        uid="deleted_or_memory_image",
        title="Process without a file",
        group="host_identity",
        stage="impairment",
        severity=Severity.MEDIUM,
        techniques=(
            Technique("T1070.004", "Indicator Removal: File Deletion"),
            Technique("T1620", "Reflective Code Loading"),
        ),
        reads=("process_activity", "process_usage"),
        references=("https://attack.mitre.org/techniques/T1070/004/", "https://attack.mitre.org/techniques/T1620/"),
    )
    params: ClassVar[Mapping[str, object]] = {
        "temporary_folder": TEMPORARY_FOLDER,
        "builder_folder": BUILDER_FOLDER,
        "hidden_folder": HIDDEN_FOLDER,
        "known_hidden_folder": KNOWN_HIDDEN_FOLDER,
        "rows_count": 5,
    }
    busy_llr, memory_llr, temporary_llr, replaced_llr, hidden_llr = 4.0, 2.5, 3.5, 2.0, 2.5

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding a process."""
        for first, rows in candidates(candidates_rows, "asset", "process_pid", "started_key"):
            if _is_runtime_copy(rows) or (llr := self._llr(first)) <= 0:
                continue
            in_memory = first["image_state"] == "memory"
            how = (
                f"was started from memory ({first['image_path']})"
                if in_memory
                else f"runs {first['image_path']}, a file that has been removed"
            )
            yield process_finding(
                self.meta,
                rows,
                because=f"{process_named(first)} on {first['asset']} {how}",
                llr=llr,
                first_seen=process_started_at(first),
                columns=("image_state",),
                evidence_count=whole_of(first, "records_count"),
            )

    def _llr(self, row: Row) -> float:
        if row["place_kind"] == "memory":
            ratio = _used_ratio(row)
            if ratio is None or IDLE_RATIO <= ratio < BUSY_RATIO:
                return self.memory_llr
            return self.busy_llr if ratio >= BUSY_RATIO else 0.0
        if row["place_kind"] == "hidden":
            return self.hidden_llr
        return self.replaced_llr if row["has_successor"] == 1 else self.temporary_llr


def _used_ratio(row: Row) -> float | None:
    """CPUs used, over the life or while watched, whichever is more; None for what is not known or too young."""
    cpu_s, age_s, watched_ratio = row["most_cpu_s"], row["most_age_s"], row["window_ratio"]
    ratios = [float(watched_ratio)] if isinstance(watched_ratio, int | float) else []
    if isinstance(cpu_s, int | float) and isinstance(age_s, int | float) and age_s >= YOUNG_S:
        ratios.append(cpu_s / age_s)
    return max(ratios) if ratios else None


def _is_runtime_copy(rows: Sequence[Row]) -> bool:
    return all(
        _RUNTIME_COPY.match(str(row["image_path"]))
        and _RUNTIME_NAME.match(str(row["process_name"] or "exe"))
        and number_of(row, "most_cpu_s") < RUNTIME_CPU_S
        for row in rows
    )
