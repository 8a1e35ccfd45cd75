"""The detection `preload_hook`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from davylamp.catalog.detections.preload_hook.libraries import judge_library
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, candidates, evidence_of, instant
from davylamp.kit.metadata import DetectionMeta
from davylamp.kit.processes import process_assets, process_named, process_observables
from davylamp.model.finding import AssetRef, Finding, Observable, Technique
from davylamp.model.severity import Confidence, Severity

LOADERS_LIST = "/etc/ld.so.preload"
SHOWN = (
    "library", "file_path", "file_line", "program_package_state", "user_name", "process_pid", "parent_process_pid",
    "process_name", "image_path", "command_line",
)  # fmt: skip
LIBRARIES_COUNT = 16
SEPARATORS = re.compile(r"[:\s]+")


class PreloadHook(Detection):
    """A library is forced into programs that did not ask for it.

    What it sees.
    Entries of the loader's own list (/etc/ld.so.preload), LD_PRELOAD and LD_AUDIT in profiles, units and tables of
    cron, and the same variables of running processes.

    Why it matters.
    A library in every program decides what `ps`, `ls` and `top` show: it hides the miner's process, its files, its
    connections and itself (Kinsing, TeamTNT, Rocke, perfctl), and can hook log-ins. It also means that other
    findings about this host may lack what it hides.

    How it decides.
    By where the library lies and whose it is. A reported rootkit's name: 6.0. A file unlike its package's: 4.5.
    In a folder that anybody may write to: 4.5 from the loader's list or hidden, 3.0 otherwise; hidden outside homes:
    4.5. In the loader's list and of no package: 3.5 (in /opt, where agents live: 2.0); not to be seen there: 2.5; whose
    it is not known: 2.0. From a profile, a unit or a process: among the system's libraries and of no package 3.0, in
    /usr/local/lib 1.9. +0.5 when both an entry and processes carry it. Quiet are libraries of unmodified packages,
    those made to be preloaded (allocators, clocks, sanitizers, test wrappers, proxies, profilers) and agents whose
    vendors document it. Reported from 1.8 on. Weights are judgements from reports.

    What it misses.
    A rootkit that hides its entry from our sensor, which is a program like any other; a library under the name of one
    that is made for it; libraries put in by ptrace or into a patched loader.

    What looks like it and is not.
    jemalloc, libfaketime, sanitizers, fakeroot, proxychains, valgrind; monitoring agents; Steam and AppImages.

    What to do.
    Read the list with a static program (`busybox cat /etc/ld.so.preload`), keep the library, empty the list, and look
    again: what shows now was hidden.

    References.
    https://attack.mitre.org/techniques/T1574/006/
    https://man7.org/linux/man-pages/man8/ld.so.8.html
    """

    meta = DetectionMeta(
        uid="preload_hook",
        title="A library is forced into programs",
        group="host_identity",
        stage="impairment",
        severity=Severity.HIGH,
        techniques=(
            Technique("T1574.006", "Hijack Execution Flow: Dynamic Linker Hijacking"),
            Technique("T1014", "Rootkit"),
        ),
        reads=("startup_item", "process_activity"),
        references=("https://attack.mitre.org/techniques/T1574/006/",),
    )
    params: ClassVar[Mapping[str, object]] = {}
    least_llr = 1.8

    def could_look(self, facts: Facts) -> str:
        """Needs startup items or processes."""
        seen = facts.has_rows("startup_item") or facts.has_rows("process_activity")
        return "" if seen else "no startup_item and no process_activity evidence"

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding a host and library."""
        forced = [
            {**row, "library": library}
            for row in candidates_rows
            for library in [each for each in SEPARATORS.split(str(row["libraries"])) if each][:LIBRARIES_COUNT]
        ]
        for first, rows in candidates(forced, "asset", "library"):
            llr, words = max(_judged(row) for row in rows)
            if len({row["what"] for row in rows}) == 2 and llr > 0:
                llr = min(6.5, llr + 0.5)
            if llr >= self.least_llr:
                yield self._finding(first, rows, llr, words)

    def _finding(self, first: Row, rows: Sequence[Row], llr: float, words: str) -> Finding:
        library = str(first["library"])
        processes = {(row["process_pid"], row["process_started_at"]): row for row in rows if row["what"] == "process"}
        entries = sorted({str(row["file_path"]) for row in rows if row["what"] == "file"})
        only = next(iter(processes.values())) if len(processes) == 1 and not entries else None
        into = ", ".join(entries[:2]) or (process_named(only) if only else f"{len(processes)} processes")
        return build_finding(
            self.meta,
            fact_key=library,
            assets=process_assets(only) if only else (AssetRef("host", str(first["asset"])),),
            because=f"{library}, preloaded by {into}, {words}"
            if entries
            else f"{library}, preloaded into {into}, {words}",
            first_seen=_since(rows),
            last_seen=max(instant(row["time"]) for row in rows),
            llr=llr,
            confidence=Confidence.HIGH if llr >= 4 else Confidence.MEDIUM if llr >= 2.5 else Confidence.LOW,
            severity=None if llr >= 3 else Severity.MEDIUM,
            evidence=evidence_of(rows, SHOWN),
            evidence_count=len(rows),
            observables={Observable("file_name", library), *(process_observables(only) if only else ())},
        )


def _judged(row: Row) -> tuple[float, str]:
    library, state = str(row["library"]), str(row["program_package_state"] or "unknown")
    if row["what"] == "process":
        # The sensor lists executable mappings that no package owns.
        state = "unowned" if library in str(row["mapped"]).split(" ") else "unknown"
        return judge_library(library, state, everywhere=False, missing=False)
    everywhere = row["file_path"] == LOADERS_LIST
    return judge_library(library, state, everywhere, missing=row["program_path"] is None)


def _since(rows: Sequence[Row]) -> datetime:
    """When an entry's file changed last, or its process started; never after the look."""
    looked = min(instant(row["time"]) for row in rows)
    known = [row[name] for row in rows for name in ("changed_at", "process_started_at")]
    return min([*(instant(each) for each in known if isinstance(each, datetime)), looked])
