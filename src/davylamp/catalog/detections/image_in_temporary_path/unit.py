"""The detection `image_in_temporary_path`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import candidates, number_of, whole_of
from davylamp.kit.metadata import DetectionMeta
from davylamp.kit.processes import process_finding, process_named, process_started_at
from davylamp.kit.temporary_folders import BUILDER_FOLDER, HIDDEN_FOLDER, MEMORY_FOLDER, TEMPORARY_FOLDER
from davylamp.model.finding import Finding, Technique
from davylamp.model.severity import Severity
from davylamp.units import format_duration

LASTING_S, BUSY_RATIO = 600.0, 0.5


class ImageInTemporaryPath(Detection):
    """A program runs from a folder for temporary files.

    What it sees.
    Processes whose image stands below `/tmp`, `/var/tmp`, `/dev/shm` or another folder that every user may write to.

    Why it matters.
    An intruder who came in through a web server or a database may write nowhere else. Kinsing's miner is
    `/tmp/kdevtmpfsi`, perfctl's `/tmp/.perf.c/perfctl`, others use `/var/tmp/.X11-unix/` and `/dev/shm/.x`.

    How it decides.
    Compilers, package managers, test runners and installers run programs there too, so their own folders (`go-build`,
    `pip-`, `bazel`, `.mount_` of an AppImage, ...) are left out, and what is left weighs little: ratio 1.5. In a hidden
    folder or under a hidden name, or in memory (`/dev/shm`), where no build tool works, it is 3.0. One more when it has
    run for ten minutes (`LASTING_S`) and used more than half of a CPU of all that time (`BUSY_RATIO`): what builds
    unpack ends, what serves waits. Severity is low for the plain case. One finding a process.

    What it misses.
    Folders of an application that the application's user may write to; a home; scripts, whose image is the interpreter;
    a miner in a folder that is named like a build tool's.

    What looks like it and is not.
    Builds, tests and installers under names we do not know: a low finding that no incident rests on.

    What to do.
    See who started it and since when; copy the file; mount these folders `noexec` where nothing needs it.

    References.
    https://attack.mitre.org/techniques/T1036/005/
    https://attack.mitre.org/software/S0599/
    """

    meta = DetectionMeta(
        uid="image_in_temporary_path",
        title="Program run from a temporary folder",
        group="host_identity",
        stage="preparation",
        severity=Severity.MEDIUM,
        techniques=(
            Technique("T1036.005", "Masquerading: Match Legitimate Resource Name or Location"),
            Technique("T1564.001", "Hide Artifacts: Hidden Files and Directories"),
        ),
        reads=("process_activity",),
        references=("https://attack.mitre.org/techniques/T1036/005/", "https://attack.mitre.org/software/S0599/"),
    )
    params: ClassVar[Mapping[str, object]] = {
        "temporary_folder": TEMPORARY_FOLDER,
        "memory_folder": MEMORY_FOLDER,
        "hidden_folder": HIDDEN_FOLDER,
        "builder_folder": BUILDER_FOLDER,
        "rows_count": 5,
    }
    plain_llr, odd_llr, busy_llr = 1.5, 3.0, 1.0

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding a process."""
        for first, rows in candidates(candidates_rows, "asset", "process_pid", "started_key"):
            age_s, cpu_s = number_of(first, "most_age_s"), number_of(first, "most_cpu_s")
            busy = age_s >= LASTING_S and cpu_s >= BUSY_RATIO * age_s
            odd = first["place_kind"] != "plain"
            kind = {"hidden": "a hidden place in a temporary folder", "memory": "a folder in memory"}
            used = f", and has used {format_duration(cpu_s)} of CPU in {format_duration(age_s)}" if busy else ""
            yield process_finding(
                self.meta,
                rows,
                because=(
                    f"{process_named(first)} on {first['asset']} runs {first['image_path']}, "
                    f"{kind.get(str(first['place_kind']), 'a temporary folder')}{used}"
                ),
                llr=(self.odd_llr if odd else self.plain_llr) + (self.busy_llr if busy else 0.0),
                severity=None if odd or busy else Severity.LOW,
                first_seen=process_started_at(first),
                columns=("image_state",),
                evidence_count=whole_of(first, "records_count"),
            )
