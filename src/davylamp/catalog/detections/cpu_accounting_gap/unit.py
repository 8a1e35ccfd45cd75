"""The detection `cpu_accounting_gap`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import ClassVar

from davylamp.catalog.detections.cpu_accounting_gap.gap import Gap, missing_cpus, stretches
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, candidates, evidence_of, instant, number_of
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import AssetRef, Finding, Technique
from davylamp.model.severity import Confidence, Severity
from davylamp.model.usage import ComputeUsage
from davylamp.units import format_duration

LLR_UNEXPLAINED = 4.5
LLR_SHORT_LIVES = 2.0
LLR_PROVIDER = 3.5


class CpuAccountingGap(Detection):
    """More CPU is spent than all the processes that show have used.

    What it sees.
    In each window: the CPU time that the kernel counts for processes (`/proc/stat`: user, nice, system), and the sum of
    what each process in the listing used, with what parents counted for children that ended. Where a provider's CPU
    series of the same machine was given: that series beside what the host says of itself.

    Why it matters.
    A rootkit hides a process from every listing; it does not give the CPU back. What is spent and belongs to nobody is
    somebody who hides, whatever hides him.

    How it decides.
    Spent minus shown is at least a tenth of one CPU (`gap_least_cpus`; knowledge base, detection methods 4.2) and 5 %
    of what was spent (`gap_least_ratio`), in four of five windows (`held_ratio`) of at least 8 (`windows_count`) and
    15 s (`seconds_least`). Measured on a machine of two CPUs, both busy with tests that start 640 processes and threads
    a second: the median of 19 windows of a second was -0.01 CPU, and no two in a row passed 0.05. Time of interrupts
    and time that the hypervisor took belong to no process and are left out on both sides.
    Processes that live shorter than a window and whose parent ignores their end are in nobody's count. So the starts of
    processes and threads are counted: where each of them would have had to use 0.2 s of CPU unseen
    (`cpu_s_per_start_least`; a command of a shell takes 1 to 20 ms) the ratio is 4.5, otherwise 2.
    The provider's series must lie above the host's own figure by 15 % of the machine (`provider_least_ratio`: tools
    inside and outside differ by a few) in two samples in a row of at least 5 min together, each covered to 80 % by the
    host's own windows. The ratio is 3.5: clocks and averages differ.

    What it misses.
    A hidden process below a tenth of a CPU, or one that works in turns of some seconds during a short look (`davylamp
    watch` has windows of 30 s, in which that averages out); a kernel that lies in `/proc/stat` too, where no provider's
    series is given; a container, whose listing is not of the machine that is counted: the sensor says that it could not
    look; a visible process that burned while it was hidden and shows now.

    What looks like it and is not.
    Build servers, cron and shells: their parents wait for children, and the count holds. A daemon that ignores the end
    of many short children leaves a real gap, which the count of starts tells apart. Guests and their interrupts are in
    the time of the process that runs the guest, and time that the hypervisor took is left out. Provider's series of the
    whole hour, or of another machine, are not compared.

    What to do.
    Take the machine's own tools for untrustworthy: look at the findings of `hidden_process`, at `/etc/ld.so.preload`,
    modules and BPF programs; take the disk as evidence, then rebuild. Ask the provider's console for CPU of the same
    minutes and scan again with that series.

    References.
    Knowledge base, detection methods 4.2; https://attack.mitre.org/techniques/T1014/
    https://attack.mitre.org/techniques/T1564/013/
    """

    meta: ClassVar[DetectionMeta] = DetectionMeta(
        uid="cpu_accounting_gap",
        title="CPU is spent that no visible process used",
        group="host_cpu",
        stage="mining",
        severity=Severity.HIGH,
        techniques=(
            Technique("T1014", "Rootkit"),
            Technique("T1496.001", "Resource Hijacking: Compute Hijacking"),
        ),
        reads=("resource_usage", "process_usage"),
        references=("https://attack.mitre.org/techniques/T1014/",),
    )
    params: ClassVar[Mapping[str, object]] = {
        "gap_least_cpus": 0.1,
        "gaping_least_count": 7,
        "windows_most_count": 5000,
        "sample_longest_s": 1800,
        "covered_ratio": 0.8,
    }
    windows_count = 8
    seconds_least = 15.0
    gap_least_ratio = 0.05
    held_ratio = 0.8
    cpu_s_per_start_least = 0.2
    provider_least_ratio = 0.15
    provider_windows_count = 2
    provider_seconds_least = 300.0

    def could_look(self, facts: Facts) -> str:
        """A provider's series alone has nothing to be compared with."""
        if not facts.has_rows("resource_usage"):
            return "no resource_usage evidence"
        return "" if facts.has_rows("process_usage") else "no evidence of a sensor that counts processes' CPU"

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding an asset and way of comparing, with the longest stretch."""
        for first, rows in candidates(candidates_rows, "asset", "kind"):
            of_provider = first["kind"] == "provider"
            found = self._provider_gaps(rows) if of_provider else self._listing_gaps(rows)
            if found:
                gap = max(found, key=lambda each: each.length_s)
                yield self._finding(gap, *(self._of_provider(gap) if of_provider else self._of_listing(gap)))

    def _listing_gaps(self, rows: Sequence[Row]) -> list[Gap]:
        least_cpus = number_of(self.params, "gap_least_cpus")

        def gapes(row: Row) -> bool:
            return missing_cpus(row) >= max(least_cpus, self.gap_least_ratio * number_of(row, "spent_cpus"))

        return stretches(rows, self.windows_count, self.seconds_least, self.held_ratio, gapes)

    def _provider_gaps(self, rows: Sequence[Row]) -> list[Gap]:
        def gapes(row: Row) -> bool:
            return missing_cpus(row) >= self.provider_least_ratio * number_of(row, "cpu_count")

        return stretches(rows, self.provider_windows_count, self.provider_seconds_least, 1.0, gapes)

    def _of_listing(self, gap: Gap) -> tuple[str, float, str]:
        each = gap.cpu_s_per_start
        short_lives = each is not None and each < self.cpu_s_per_start_least
        told = (
            f"processes on {gap.rows[0]['asset']} spent {gap.cpus:.2f} CPUs more than all that a listing shows, "
            f"over {format_duration(gap.length_s)}"
        )
        if short_lives:
            told += "; many short processes were started meanwhile, whose parent may not have counted them"
        return told, LLR_SHORT_LIVES if short_lives else LLR_UNEXPLAINED, "listing"

    def _of_provider(self, gap: Gap) -> tuple[str, float, str]:
        told = (
            f"{gap.rows[0]['asset']} used {gap.cpus:.2f} CPUs more by its provider's series than by its own count, "
            f"over {format_duration(gap.length_s)}"
        )
        return told, LLR_PROVIDER, "provider"

    def _finding(self, gap: Gap, because: str, llr: float, fact_key: str) -> Finding:
        first, last = gap.rows[0], gap.rows[-1]
        asset, cpu_count = str(first["asset"]), max(1.0, number_of(first, "cpu_count"))
        return build_finding(
            self.meta,
            fact_key=fact_key,
            assets=(AssetRef("host", asset),),
            because=because,
            first_seen=instant(first["time"]),
            last_seen=instant(last["time"]) + timedelta(seconds=number_of(last, "period_s")),
            llr=llr,
            confidence=Confidence.HIGH if llr >= 4 else Confidence.MEDIUM,
            evidence=evidence_of(gap.rows, ("period_s", "cpu_count", "spent_cpus", "visible_cpus", "started_count")),
            evidence_count=len(gap.rows),
            compute=[
                ComputeUsage(
                    model="stolen",
                    asset=asset,
                    started_at=instant(first["time"]),
                    vcpu=cpu_count,
                    share_ratio=round(min(1.0, gap.cpus / cpu_count), 4),
                    basis=f"{gap.cpus:.2f} of {cpu_count:g} CPUs were spent and belong to no process that shows",
                )
            ],
        )
