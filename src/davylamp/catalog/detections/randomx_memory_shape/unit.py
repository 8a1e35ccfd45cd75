"""The detection `randomx_memory_shape`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import candidates, instant, number_of, whole_of
from davylamp.kit.metadata import DetectionMeta
from davylamp.kit.processes import process_finding, process_named
from davylamp.model.finding import Finding, Technique
from davylamp.model.severity import Severity
from davylamp.units import format_bytes

MIB = 1 << 20
# RandomX README and doc/specs.md: dataset 2 GiB + 33,554,368 bytes (2,080 MiB), cache 256 MiB, scratchpad 2 MiB.
DATASET_BYTES, CACHE_BYTES, SCRATCHPAD_BYTES = 2080 * MIB, 256 * MIB, 2 * MIB
PAGE_OF_1_GIB = 1024 * MIB
LLR_DATASET, LLR_CACHE = 2.0, 0.5
LLR_HUGE, LLR_THREADS, LLR_MSR_HELD, LLR_MSR_LOADED, LLR_RESERVED = 1.0, 0.5, 1.5, 0.5, 0.5


@dataclass(frozen=True, slots=True)
class MemoryShape:
    """What of RandomX's sizes is there.

    Args:
        mode: `fast` (the dataset) or `light` (the cache alone).
        held_bytes: the memory that has that size.
        in_huge_pages: whether it lies in huge pages.
    """

    mode: str
    held_bytes: int
    in_huge_pages: bool


class RandomxMemoryShape(Detection):
    """A process that only computes holds memory of the sizes that RandomX prescribes.

    What it sees.
    A process's largest mapping of plain memory, its huge pages and its resident memory; its busy threads, its CPU time
    in user mode and the bytes it moved; whether it holds `/dev/cpu/N/msr` open, whether the `msr` module is loaded and
    how many huge pages the machine keeps.

    Why it matters.
    RandomX, which nearly all CPU miners work, needs 2,080 MiB of dataset (256 MiB in light mode) and 2 MiB a thread, in
    memory that all threads share. A miner can change its name, its pool and its level; of this size it cannot take
    anything away.

    How it decides.
    Fast mode: a mapping, or huge pages, of 2,080 MiB up to what may lie in one piece with it (256 MiB of cache and,
    for each CPU, 2 MiB of scratchpad and a page to round it up; or 3 GiB where pages of 1 GiB are used), and as
    much memory really in use. Light mode: 256 MiB and the scratchpads. A size is a size: the
    process must also compute (a tenth of a CPU at the least, `busy_least_ratio`, over 5 windows), 90 % of it in
    user mode (`user_least_ratio`) and move at most 20 kB for a second of CPU (`bytes_per_cpu_s_most`, as in
    `steady_compute_thin_socket`); heaps of that size that serve somebody move more.
    The ratio (natural log) is 2 for the dataset and 0.5 for the cache alone: few programs hold 2,080 to 2,400 MiB
    and only compute, many hold some 256 MiB. Added are 1 where it lies in huge pages, 0.5 where the busy threads
    are as many as the CPUs it may use or half of them, 1.5 where it holds a device of model-specific registers,
    else 0.5 where that module is loaded (miners switch the prefetcher off: `wrmsr` is on by default), and 0.5 where
    the machine keeps just as many huge pages (1,040 to 1,400 of 2 MiB). Below 2 in sum nothing is told. The sizes
    are published, the ratios are estimates; no labelled set of processes' memory exists.

    What it misses.
    Other algorithms (kHeavyHash, Ethash on a GPU, variants of RandomX with smaller datasets); a miner that adds
    padding to its memory; one in light mode without huge pages; one throttled below a tenth of a CPU; a process
    that hides.

    What looks like it and is not.
    JVM heaps, Redis and databases with huge pages (they move bytes, and their sizes are round: 2 or 4 GiB), virtual
    machines and DPDK (round sizes as well, below or above the band), training and matrix products of just that size:
    those are why the finding is weak alone.

    What to do.
    Ask what the process is for. If nobody knows, keep its image (`/proc/PID/exe`) and look at its connections.

    References.
    Knowledge base, detection methods 4.2 and threats C3; https://github.com/tevador/RandomX/blob/master/README.md
    https://attack.mitre.org/techniques/T1496/001/
    """

    meta: ClassVar[DetectionMeta] = DetectionMeta(
        uid="randomx_memory_shape",
        title="Computes on memory of RandomX's size",
        group="host_cpu",
        stage="mining",
        severity=Severity.MEDIUM,
        techniques=(Technique("T1496.001", "Resource Hijacking: Compute Hijacking"),),
        reads=("process_usage", "process_activity", "host_setting"),
        references=("https://github.com/tevador/RandomX", "https://attack.mitre.org/techniques/T1496/001/"),
    )
    params: ClassVar[Mapping[str, object]] = {"light_bytes": CACHE_BYTES, "windows_count": 5}
    busy_least_ratio = 0.1
    user_least_ratio = 0.9
    bytes_per_cpu_s_most = 20_000.0
    # Resident memory is counted late and in part (batches of 64 pages a CPU): a hundredth may lack.
    resident_ratio = 0.99
    reserved_most_count = 1400
    told_least_llr = 2.0

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding a process."""
        for first, rows in candidates(candidates_rows, "asset", "process_pid", "process_started_at"):
            shape = self._shape(first)
            if shape is None or not self._only_computes(first):
                continue
            llr, told = self._weighed(first, shape)
            if llr < self.told_least_llr:
                continue
            yield process_finding(
                self.meta,
                rows,
                because=f"{process_named(first)} on {first['asset']} computes and {'; '.join(told)}",
                llr=llr,
                columns=("memory_bytes", "huge_pages_bytes", "largest_mapping_bytes", "busy_thread_count"),
                first_seen=instant(first["first_at"]),
            )

    def _shape(self, row: Row) -> MemoryShape | None:
        huge, mapped = whole_of(row, "huge_pages_bytes"), whole_of(row, "largest_mapping_bytes")
        in_use = huge + max(whole_of(row, "memory_bytes"), whole_of(row, "used_memory_bytes"))
        pads = 2 * SCRATCHPAD_BYTES * max(1, whole_of(row, "cpu_allowed_count"))
        for mode, least, beside in (("fast", DATASET_BYTES, CACHE_BYTES + pads), ("light", CACHE_BYTES, pads)):
            held = next((size for size in (huge, mapped) if _fits(size, least, beside)), None)
            if held is not None and in_use >= self.resident_ratio * least:
                return MemoryShape(mode, held, huge >= self.resident_ratio * least)
        return None

    def _only_computes(self, row: Row) -> bool:
        user_s, system_s = number_of(row, "cpu_user_s"), number_of(row, "cpu_system_s")
        length_s = (instant(row["last_at"]) - instant(row["first_at"])).total_seconds()
        cpu_s = user_s + system_s
        return (
            length_s > 0
            and cpu_s >= self.busy_least_ratio * length_s
            and user_s >= self.user_least_ratio * cpu_s
            and whole_of(row, "bytes_seen_count") > 0
            and number_of(row, "moved_bytes") <= self.bytes_per_cpu_s_most * cpu_s
        )

    def _weighed(self, row: Row, shape: MemoryShape) -> tuple[float, list[str]]:
        fast = shape.mode == "fast"
        llr = LLR_DATASET if fast else LLR_CACHE
        size = "dataset of 2,080 MiB" if fast else "cache of 256 MiB"
        told = [f"holds {format_bytes(shape.held_bytes)} in one piece, as RandomX's {size} needs"]
        if shape.in_huge_pages:
            llr, told = llr + LLR_HUGE, [*told, "it lies in huge pages"]
        busy, allowed = whole_of(row, "busy_thread_count"), whole_of(row, "cpu_allowed_count")
        if busy > 0 and busy in {allowed, allowed // 2}:
            llr, told = llr + LLR_THREADS, [*told, f"{busy} busy threads for {allowed} CPUs"]
        if row.get("holds_msr") == 1:
            llr, told = llr + LLR_MSR_HELD, [*told, "it holds the CPUs' model-specific registers open"]
        elif row.get("msr_loaded") == 1:
            llr, told = llr + LLR_MSR_LOADED, [*told, "the module for model-specific registers is loaded"]
        reserved = whole_of(row, "reserved_count")
        if fast and DATASET_BYTES // (2 * MIB) <= reserved <= self.reserved_most_count:
            llr, told = llr + LLR_RESERVED, [*told, f"the machine keeps {reserved:,} huge pages"]
        return llr, told


def _fits(size: int, least: int, beside: int) -> bool:
    """Whether memory of this size may be that and what lies in one piece with it."""
    if least <= size <= least + beside:
        return True
    return least == DATASET_BYTES and size == 3 * PAGE_OF_1_GIB
