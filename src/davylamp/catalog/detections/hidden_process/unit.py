"""The detection `hidden_process`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import candidates
from davylamp.kit.metadata import DetectionMeta
from davylamp.kit.processes import process_finding, process_named
from davylamp.model.finding import Finding, Technique
from davylamp.model.severity import Severity


class HiddenProcess(Detection):
    """A process exists, and a listing of processes does not show it.

    What it sees.
    Processes that the sensor met in one view of the host (it answers a signal, stands in a control group, owns a
    socket, or the kernel announced its start) and that the listing of `/proc` lacks, before and after.

    Why it matters.
    Nothing hides a process but something that was made to: a library forced into every program (`/etc/ld.so.preload`,
    libprocesshider, perfctl's libgcwrap.so) or a kernel module (Diamorphine, Reptile, Skidmap). What they hide is the
    miner.

    How it decides.
    The views and their comparison are the sensor's: twice in a row, and never for a process that began or ended between
    two looks, nor where `hidepid` keeps other users' processes from the sensor. The ratio is 5.5; for a process that a
    listing of the same host does show at another time it is 2.0, because then a race, or a library loaded into one
    program and not the other, explains it as well.

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
        ),
        reads=("process_activity",),
        references=("https://attack.mitre.org/techniques/T1014/", "https://attack.mitre.org/techniques/T1574/006/"),
    )
    params: ClassVar[Mapping[str, object]] = {"rows_count": 5}
    hidden_llr, contradicted_llr = 5.5, 2.0

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding a process."""
        for first, rows in candidates(candidates_rows, "asset", "process_pid", "started_key"):
            shown = first["was_shown"] == 1
            image = f"; it runs {first['image_path']}" if first["image_path"] else ""
            at_times = " at times" if shown else ""
            yield process_finding(
                self.meta,
                rows,
                because=(
                    f"{process_named(first)} on {first['asset']} is there ({first['seen_by'] or 'one view'}) and "
                    f"missing{at_times} from: {first['hidden_from']}{image}"
                ),
                llr=self.contradicted_llr if shown else self.hidden_llr,
                severity=Severity.MEDIUM if shown else None,
                columns=("seen_by", "hidden_from"),
                evidence_count=int(str(first["records_count"])),
            )
