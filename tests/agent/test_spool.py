"""The spool holds what it was given, in order, within its bound; what it could not hold is counted."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from davylamp.agent.record import Recorder
from davylamp.agent.spool import Spool, SpoolInUseError, segments

WRITER = """
import sys, davylamp.agent.spool as spool
kept = spool.Spool(sys.argv[1], total_bytes=1 << 30)
for number in range(10**9):
    kept.recorder.record("resource_usage", number, metric="cpu", series="x" * (number % 700))
    if number % 7 == 0:
        kept.flush()
    if number == 50:
        print("ready", flush=True)
"""


def lines_of(folder: Path) -> list[list[str]]:
    """Lines of every segment, in order; an unfinished last line is kept without its line end."""
    return [(folder / name).read_text(encoding="ascii").splitlines(keepends=True) for name in segments(str(folder))]


def records_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for lines in lines_of(folder) for line in lines[1:]]


def test_segments_begin_with_a_header_and_their_sequence_only_grows(tmp_path: Path) -> None:
    for start in range(3):
        spool = Spool(str(tmp_path / "spool"))
        spool.recorder.record("resource_usage", start, metric="cpu")
        spool.close()
    headers = [json.loads(lines[0]) for lines in lines_of(tmp_path / "spool")]
    assert [header["sequence"] for header in headers] == [1, 2, 3]
    assert {header["schema"] for header in headers} == {"davylamp.host/1"}
    assert [record["time"] for record in records_of(tmp_path / "spool")] == [0, 1, 2]
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700


def test_two_sensors_do_not_write_to_one_spool(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    with pytest.raises(SpoolInUseError):
        Spool(str(tmp_path))
    spool.close()
    Spool(str(tmp_path)).close()


def test_the_oldest_segments_make_room_and_are_counted(tmp_path: Path) -> None:
    bound = 1 << 18
    spool = Spool(str(tmp_path), total_bytes=bound)
    written_count = 5000
    for number in range(written_count):
        spool.recorder.record("resource_usage", number, metric="cpu", series="x" * 100)
        spool.flush()
        assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= bound
    spool.close()
    records = records_of(tmp_path)
    kept = [record["time"] for record in records if record["record"] == "resource_usage"]
    assert kept == list(range(written_count - len(kept), written_count))
    assert len(kept) > 1000
    # Statements of loss are records too, and go with their segments: the newest ones are there still.
    assert spool.lost_count >= written_count - len(kept)
    stated = [record for record in records if record["record"] == "sensor_state"]
    assert {record["name"] for record in stated} == {"spool"}
    assert all(record["kind"] == "lost" and record["lost_count"] > 0 for record in stated)


def test_every_loss_is_stated_once(tmp_path: Path) -> None:
    stated_count = 0
    seen: list[str] = []
    spool = Spool(str(tmp_path), total_bytes=1 << 17)
    write = os.write

    def watching(descriptor: int, data: bytes) -> int:
        seen.extend(data.decode().splitlines())
        return write(descriptor, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("davylamp.agent.spool.os.write", watching)
        for number in range(3000):
            spool.recorder.record("resource_usage", number, metric="cpu", series="x" * 100)
            spool.flush()
        spool.flush()
        spool.close()
    stated_count = sum(json.loads(line).get("lost_count", 0) for line in seen)
    assert stated_count == spool.lost_count > 0
    assert len([line for line in seen if '"header"' not in line]) == stated_count + len(records_of(tmp_path))


def test_killed_a_hundred_times_it_leaves_readable_segments(tmp_path: Path) -> None:
    chance = random.Random(4)
    folder = tmp_path / "spool"
    folder.mkdir()
    for _ in range(100):
        # Killed between two bytes as chance has it: by the kernel's timer, not at a place we chose.
        child = subprocess.Popen(
            [sys.executable, "-S", "-c", WRITER, str(folder)], stdout=subprocess.PIPE, env=_environment()
        )
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        time.sleep(chance.uniform(0, 0.004))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        *whole, newest = lines_of(folder)
        _holds_every_line(newest)
        for path in folder.glob("host-*"):
            path.unlink()  # only disk space: the next start begins its own segment anyway
        assert not whole


def _holds_every_line(lines: list[str]) -> None:
    header, *records = lines
    assert json.loads(header)["record"] == "header"
    torn = int(not records[-1].endswith("\n"))
    numbers = [json.loads(line)["time"] for line in (records[:-1] if torn else records)]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= 50


def test_a_segment_cut_at_any_byte_leaves_all_lines_before(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    for number in range(3):
        spool.recorder.record("resource_usage", number, metric="cpu")
    spool.close()
    path = tmp_path / segments(str(tmp_path))[0]
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place])
        again = Spool(str(tmp_path))
        again.recorder.record("resource_usage", 9, metric="cpu")
        again.close()
        *_, newest = lines_of(tmp_path)
        assert json.loads(newest[1])["time"] == 9
        assert path.read_bytes() == whole[:place]
        (tmp_path / segments(str(tmp_path))[-1]).unlink()


def test_a_full_disk_is_survived_and_counted(tmp_path: Path) -> None:
    tried_count = 400
    with _file_size_limit(20_000):
        clock = [0.0]
        spool = Spool(str(tmp_path), 1 << 20, wall=lambda: clock[0], steady=lambda: clock[0])
        for number in range(tried_count):
            spool.recorder.record("resource_usage", number, metric="cpu", series="x" * 60)
            spool.flush()
        assert spool.lost_count > 0
        lost_count = spool.lost_count
    clock[0] = 60.0
    spool.recorder.record("resource_usage", tried_count, metric="cpu")
    spool.close()
    assert all(line.endswith("\n") for lines in lines_of(tmp_path) for line in lines)
    records = records_of(tmp_path)
    stated = [record for record in records if record["record"] == "sensor_state"]
    assert sum(record["lost_count"] for record in stated) == lost_count
    assert "file too large" in stated[0]["reason"]
    kept = [record["time"] for record in records if record["record"] == "resource_usage"]
    assert kept == sorted(kept)
    assert len(kept) == tried_count + 1 - lost_count


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_file_system_is_survived_and_counted(tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(place)], check=False).returncode:
        pytest.skip("this machine does not let us mount a tmpfs")
    try:
        (place / "other").write_bytes(b"x" * 60_000)
        clock = [0.0]
        spool = Spool(str(place / "spool"), 1 << 20, wall=lambda: clock[0], steady=lambda: clock[0])
        for number in range(2000):
            clock[0] += 0.1
            spool.recorder.record("resource_usage", number, metric="cpu", series="x" * 60)
            spool.flush()
        (place / "other").unlink()
        clock[0] += 60
        spool.recorder.record("resource_usage", 2000, metric="cpu")
        spool.close()
        records = records_of(place / "spool")
        assert records[-1]["time"] == 2000
        assert spool.lost_count > 0
        assert any(record["record"] == "sensor_state" and "no space" in record["reason"] for record in records)
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_clock_set_back_neither_reorders_nor_loses(tmp_path: Path) -> None:
    wall, steady = [1000.0], [0.0]
    spool = Spool(str(tmp_path), wall=lambda: wall[0], steady=lambda: steady[0])
    for number in range(10):
        steady[0] += 1
        wall[0] += 1
        if number == 5:
            wall[0] -= 500
        spool.recorder.record("resource_usage", wall[0], metric="cpu", series=str(number))
        spool.flush()
    spool.close()
    headers = [json.loads(lines[0]) for lines in lines_of(tmp_path)]
    assert [header["sequence"] for header in headers] == [1, 2]
    records = records_of(tmp_path)
    assert [record["series"] for record in records if "series" in record] == [str(number) for number in range(10)]
    back = [record for record in records if record.get("kind") == "clock_set_back"]
    assert len(back) == 1
    assert "500.0 s" in back[0]["reason"]


def test_hostile_names_are_one_line_of_ascii(tmp_path: Path) -> None:
    names = ["a\nb", "\x1b[2J", "\u2028", "\udcff\udcfe", "x" * 100_000, '"}\n{"record":"header"}', "\x00", "日本"]
    spool = Spool(str(tmp_path))
    for name in names:
        spool.recorder.record("process_activity", 1, process_name=name, open_files=[name] * 200)
    spool.close()
    records = records_of(tmp_path)
    assert len(records) == len(names)
    assert records[0]["process_name"] == names[0]
    assert all(len(record["process_name"]) < 10_000 and len(record["open_files"]) <= 64 for record in records)
    for path in tmp_path.glob("host-*"):
        assert all(32 <= byte < 127 or byte == 10 for byte in path.read_bytes())


def test_a_recorder_writes_straight_to_a_spool(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    Recorder(spool.write, "another").record("resource_usage", 7, metric="cpu")
    spool.close()
    assert [record["time"] for record in records_of(tmp_path)] == [7]


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2] / "src")}


class _file_size_limit:  # noqa: N801 - reads as a statement
    """A write beyond this size fails, as on a full disk."""

    def __init__(self, size_bytes: int) -> None:
        self._size_bytes = size_bytes

    def __enter__(self) -> None:
        self._old = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._size_bytes, self._old[1]))

    def __exit__(self, *_: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._old)
