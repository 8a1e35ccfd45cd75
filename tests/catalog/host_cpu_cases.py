"""Cases of the detections that look at memory and at the machine's CPU; written by `tests.catalog.make_host_cases`."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.catalog.make_host_cases import BEGAN_AT, UNITS, HostFile

MIB = 1 << 20
SHAPE, GAP = "randomx_memory_shape", "cpu_accounting_gap"


def _holder(
    name: str,
    mapping: int,
    resident: int,
    cpus: float,
    user_ratio: float = 0.99,
    bytes_per_s: int = 100,
    **columns: Any,
) -> HostFile:
    """A host with one process that holds memory and computes."""
    made = HostFile()
    started = made.process(4242, name, memory_bytes=resident, largest_mapping_bytes=mapping, **columns)
    threads = round(cpus) if cpus < 100 else -1
    made.burns(4242, started, cpus, user_ratio, bytes_per_s, busy_thread_count=threads, memory_bytes=resident)
    return made


def _setting(made: HostFile, kind: str, name: str, value: str) -> None:
    made.recorder.record("host_setting", BEGAN_AT, kind=kind, name=name, value=value)


def memory_shape() -> None:
    """Cases of `randomx_memory_shape`."""
    made = _holder("dbus-worker", 2080 * MIB, 60 * MIB, 3.9, huge_pages_bytes=2344 * MIB)
    _setting(made, "sysctl", "vm.nr_hugepages", "1172")
    _setting(made, "kernel_module", "msr", "taint=none file=none package=none state=unknown listed=yes")
    made.write(SHAPE, "fires_on_dataset_in_huge_pages_and_loaded_module")
    # Plain pages, merged by the kernel with the cache and the scratchpads beside it.
    _holder("php-fpm", 2344 * MIB, 2370 * MIB, 3.9).write(SHAPE, "fires_on_dataset_in_plain_pages")
    registers = ["/dev/cpu/0/msr", "/dev/cpu/1/msr"]
    made = _holder("kdevtmpfsi", 256 * MIB, 280 * MIB, 2.0, huge_pages_bytes=264 * MIB, open_files=registers)
    made.write(SHAPE, "fires_on_cache_of_light_mode_and_registers_held_open")

    made = _holder("java", 2200 * MIB, 2300 * MIB, 3.0, user_ratio=0.95, bytes_per_s=4_000_000)
    made.write(SHAPE, "quiet_on_heap_that_serves")
    made = _holder("java", 2048 * MIB, 2300 * MIB, 3.9)
    made.write(SHAPE, "quiet_on_heap_of_two_gibibytes")
    made = _holder("postgres", 4096 * MIB, 900 * MIB, 1.5, huge_pages_bytes=4200 * MIB, bytes_per_s=40_000_000)
    _setting(made, "sysctl", "vm.nr_hugepages", "2200")
    made.write(SHAPE, "quiet_on_database_in_huge_pages")
    made = _holder("qemu-system-x86", 2048 * MIB, 2200 * MIB, 2.0, user_ratio=0.97)
    made.write(SHAPE, "quiet_on_virtual_machine")
    made = _holder("testpmd", 1024 * MIB, 40 * MIB, 2.0, huge_pages_bytes=2048 * MIB)
    _setting(made, "sysctl", "vm.nr_hugepages", "1024")
    made.write(SHAPE, "quiet_on_packet_poller")
    _holder("redis-server", 2160 * MIB, 2170 * MIB, 0.02).write(SHAPE, "quiet_on_store_of_that_size_that_rests")
    # A Go program reserves far more than it uses.
    _holder("gopls", 2100 * MIB, 300 * MIB, 3.9).write(SHAPE, "quiet_on_reserved_memory")

    _holder("dbus-worker", 2600 * MIB, 2610 * MIB, 3.9).write(SHAPE, "misses_memory_that_was_padded")

    made = _holder("a\nb\x1b[31m\u202e", 2**62, -5, 1e308, huge_pages_bytes="many")
    _setting(made, "sysctl", "vm.nr_hugepages", "9" * 400)
    made.lines.append('{"record":"process_activity","time":1764210001,"process_pid":[1],"open_files":"x"}\n')
    made.write(SHAPE, "survives_absurd_sizes")


def _counted(
    cpus_hidden: Callable[[int], float], length_s: int = 20, period_s: float = 1.0, started_count: int | None = 3
) -> HostFile:
    """A host of four CPUs whose visible processes use about one and a half."""
    made = HostFile(length_s=0)
    draw = random.Random(length_s)
    for window in range(length_s):
        shown = 1.5 + draw.uniform(-0.2, 0.2)
        # Ticks and readings of single processes are not taken at the same instant.
        spent = shown + cpus_hidden(window) + draw.gauss(0.0, 0.03)
        used = {"cpu": spent + 0.05, "cpu_of_processes": spent, "cpu_of_visible_processes": shown}
        for metric, cpus in used.items():
            made.recorder.record(
                "resource_usage",
                BEGAN_AT + window * period_s,
                metric=metric,
                used_ratio=cpus / 4,
                period_s=period_s,
                cpu_count=4,
                started_count=started_count,
            )
    made.length_s = 10
    made.burns(4242, made.process(4242, "nginx"), cpus=1.0, bytes_per_s=900_000)
    return made


def accounting_gap() -> None:
    """Cases of `cpu_accounting_gap`."""
    _counted(lambda _: 2.0).write(GAP, "fires_on_two_hidden_cpus")
    _counted(lambda _: 0.3, length_s=20, period_s=30.0).write(GAP, "fires_on_a_throttled_one_in_windows_of_the_watch")
    # From the 41st window on: what was before does not dilute it.
    made = _counted(lambda window: 1.0 if window >= 40 else 0.0, length_s=60, period_s=30.0)
    made.write(GAP, "fires_on_one_that_came_after_a_while")
    _counted(lambda _: 0.4, started_count=640).write(GAP, "fires_on_children_nobody_counted")
    _provider("fires_on_series_of_the_provider_far_above", 0.8)

    _counted(lambda _: 0.0).write(GAP, "quiet_on_a_busy_host")
    _counted(lambda _: 0.04).write(GAP, "quiet_on_a_twentieth_of_a_core")
    made = _counted(lambda window: 1.5 if window in (6, 13) else 0.0)
    made.write(GAP, "quiet_on_ends_that_nobody_waited_for")
    _counted(lambda _: 2.0, length_s=7).write(GAP, "quiet_on_seven_windows")
    _provider("quiet_on_series_of_the_provider_a_little_above", 0.45)
    made = HostFile()
    made.burns(4242, made.process(4242, "nginx"), cpus=1.0)
    made.write(GAP, "quiet_on_a_container_that_cannot_compare")

    made = _counted(lambda window: 1.0 if window % 10 < 3 else 0.0)
    made.write(GAP, "misses_three_seconds_of_ten_in_a_short_look")

    made = _counted(lambda _: 0.0)
    for second in range(20):
        for metric in ("cpu_of_processes", "cpu_of_visible_processes"):
            made.recorder.record(
                "resource_usage", BEGAN_AT + 100 + second, metric=metric, used_ratio="NaN", period_s=-1, cpu_count=1e308
            )
    made.lines.append('{"record":"resource_usage","time":1764210001,"metric":{"a":1},"used_ratio":[]}\n')
    made.write(GAP, "survives_absurd_figures")


def _provider(name: str, provider_ratio: float) -> None:
    """A folder: what the host counts (0.38 of it in use), and its provider's series of five-minute samples."""
    folder = UNITS / GAP / "cases" / name
    folder.mkdir(parents=True, exist_ok=True)
    made = _counted(lambda _: 0.0, length_s=40, period_s=30.0)
    (folder / "look.jsonl").write_text("".join(made.lines), encoding="ascii")
    samples = [f"{BEGAN_AT + minutes * 60:.0f},web1,{provider_ratio * 100:.1f}" for minutes in (0, 5, 10, 15)]
    (folder / "provider.csv").write_text("\n".join(["timestamp,host,cpu_percent", *samples, ""]), encoding="ascii")


def hidden() -> None:
    """Cases of `hidden_process` that its own files lack."""
    made = _covered_miner()
    made.write("hidden_process", "fires_on_folder_that_something_lies_over")


def _covered_miner() -> HostFile:
    made = _counted(lambda _: 2.0)
    made.process(4343, "dbus-worker", seen_by=["list", "sweep"], hidden_from=["details"])
    return made


def covered_miner_lines() -> str:
    """A host on which a process is covered and two CPUs are in nobody's count."""
    return "".join(_covered_miner().lines)
