"""The detection `hidden_process`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import candidates, whole_of
from davylamp.kit.metadata import DetectionMeta
from davylamp.kit.processes import process_finding, process_named
from davylamp.model.finding import Finding, Technique
from davylamp.model.severity import Severity


class HiddenProcess(Detection):
    """A process exists, and a listing of processes does not show it.

    What it sees.
    Processes that the sensor met in one view of the host (it answers a signal, stands in a control group, owns a
    socket, or the kernel announced its start) and that the listing of `/proc` lacks, before and after. And processes
    that are listed while their folder `/proc/PID` is empty or another's, because something was mounted over it; the
    sensor reads them through a view of its own that nobody can mount over.

    Why it matters.
    Nothing hides a process but something that was made to: a library forced into every program (`/etc/ld.so.preload`,
    libprocesshider, perfctl's libgcwrap.so), a kernel module (Diamorphine, Reptile, Skidmap) or a bind mount. What they
    hide is the miner.

    How it decides.
    The views and their comparison are the sensor's: twice in a row, and never for a process that began or ended between
    two looks, nor where `hidepid` keeps other users' processes from the sensor. The ratio is 5.5; for a process that a
    listing of the same host does show at another time it is 2.0, because then a race, or a library loaded into one
    program and not the other, explains it as well. For a folder that something lies over it is 7: that takes root and
    intent, no race and no setting explains it, and no program of a distribution does it.

    What it misses.
    A kernel module that hides the process from every question the sensor can ask (`cpu_accounting_gap` still sees the
    CPU that is spent); a process that is hidden from a sensor in another pid namespace by that namespace alone, which
    the sensor does not report; evidence from logs, which has one view only.

    What looks like it and is not.
    A process that ends between two looks; other users' processes under `hidepid`; threads, which answer signals under
    ids that no listing shows.

    What to do.
    Take the machine's own tools for untrustworthy. Look from outside, or with a static program: `/etc/ld.so.preload`,
    the module list against /sys/module, the process's image through its pid. Keep the disk before cleaning.

    References.
    https://attack.mitre.org/techniques/T1014/
    https://attack.mitre.org/techniques/T1574/006/
    https://attack.mitre.org/techniques/T1564/013/
    """

    meta = DetectionMeta(
        uid="hidden_process",
        title="Process that a listing does not show",
        group="host_identity",
        stage="impairment",
        severity=Severity.HIGH,
        techniques=(
            Technique("T1014", "Rootkit"),
            Technique("T1574.006", "Hijack Execution Flow: Dynamic Linker Hijacking"),
            Technique("T1564.013", "Hide Artifacts: Bind Mounts"),
        ),
        reads=("process_activity",),
        references=("https://attack.mitre.org/techniques/T1014/", "https://attack.mitre.org/techniques/T1574/006/"),
    )
    params: ClassVar[Mapping[str, object]] = {"rows_count": 5}
    hidden_llr, contradicted_llr, covered_llr = 5.5, 2.0, 7.0

    def could_look(self, facts: Facts) -> str:
        """Logs show one view of the processes; only a host that was looked at has two (its CPU is always told)."""
        if not facts.has_rows("resource_usage"):
            return "no host was looked at, and logs show processes in one view only"
        return super().could_look(facts)

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding a process."""
        for first, rows in candidates(candidates_rows, "asset", "process_pid", "started_key"):
            covered = "details" in str(first["hidden_from"])
            shown = first["was_shown"] == 1 and not covered
            yield process_finding(
                self.meta,
                rows,
                because=_covered(first) if covered else _hidden(first, shown),
                llr=self.covered_llr if covered else self.contradicted_llr if shown else self.hidden_llr,
                severity=Severity.MEDIUM if shown else None,
                columns=("seen_by", "hidden_from"),
                evidence_count=whole_of(first, "records_count"),
            )


def _covered(row: Row) -> str:
    image = f"; it runs {row['image_path']}" if row["image_path"] else ""
    return (
        f"something is mounted over the folder of {process_named(row)} on {row['asset']}, so that listings show "
        f"nothing or another process in its place{image}"
    )


def _hidden(row: Row, shown: bool) -> str:
    image = f"; it runs {row['image_path']}" if row["image_path"] else ""
    at_times = " at times" if shown else ""
    return (
        f"{process_named(row)} on {row['asset']} is there ({row['seen_by'] or 'one view'}) and missing{at_times} from: "
        f"{row['hidden_from']}{image}"
    )
