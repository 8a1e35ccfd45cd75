"""A host that lies to who looks at it: names, arguments and files of processes, thousands of them, dying meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from davylamp.agent import procfs
from davylamp.agent.connections import Connections
from davylamp.agent.details import Reader, users_of
from davylamp.agent.processes import Table
from davylamp.agent.record import TEXT_BYTES, Look, Recorder
from davylamp.app.scan import ScanRequest, scan
from tests.hostile.verdict import check_scan

COUNT = 20_000
NAMES = (
    b"plain",
    b"a) R 1 (b",
    b"two\nlines",
    b"\x1b]0;title\x07",
    b"\x1b[2J\x1b[31m",
    b"\xff\xfe\x80",
    b"((((()))))",
    "\u202eexe.cod".encode(),
    b" ",
    b"4242 (x) S 1",
)
STATUS = b"Name:\t%s\nUid:\t0\t0\t0\t0\nTgid:\t%d\nCapEff:\t0000000000000000\n"


def stat_line(pid: int, name: bytes, parent_pid: int = 1) -> bytes:
    return (
        b"%d (%s) S %d " % (pid, name, parent_pid)
        + b"1 1 0 -1 4194560 "
        + b"0 " * 4
        + b"5 6 "
        + b"0 " * 4
        + (b"1 0 %d 1000 25 " % (pid * 10) + b"0 " * 28)
    )


@pytest.fixture(scope="module")
def proc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `/proc` shows processes; every fortieth has all its files, and some of those are nonsense."""
    folder = tmp_path_factory.mktemp("proc")
    for pid in range(1, COUNT + 1):
        place = folder / str(pid)
        place.mkdir()
        name = NAMES[pid % len(NAMES)]
        (place / "stat").write_bytes(stat_line(pid, name, pid // 2))
        if pid % 40 == 0:
            status = STATUS % (name.replace(b"\n", b"\\n"), pid) if pid % 400 else b"Uid:\tnobody\nCapEff:\tzz\n"
            (place / "status").write_bytes(status)
            (place / "cmdline").write_bytes(name + b"\0--option=" + b"\xff\x1b[1m" * 8000 + b"\0\0\0")
            (place / "environ").write_bytes(b"\xff=1\0=\0A\nB=2\0NO_VALUE\0" + b"N" * 5000 + b"=3\0")
            (place / "exe").symlink_to(os.fsdecode(b"/tmp/" + name.replace(b"\n", b"\\n") + b" (deleted)"))
    for odd, content in (
        (30_001, b""),
        (30_002, b"1 (x"),
        (30_003, b"x" * 9000),
        (30_004, b"1 (x) S one two" + b" x" * 30),
    ):
        (folder / str(odd)).mkdir()
        (folder / str(odd) / "stat").write_bytes(content)
    (folder / "30005").mkdir()
    (folder / "30006").write_bytes(b"a file")
    return folder


def test_twenty_thousand_processes_with_hostile_names_are_each_named_as_they_are(proc: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    recorder = Recorder(lines.append, device_name="web1")
    recorder.header(1795750000.0)
    table = Table(Reader({0: "root"}, 1795740000.0, proc=str(proc)))
    began = time.process_time()
    table.tell(Look(recorder, 1795750000.0), table.refresh(), "snapshot")
    assert time.process_time() - began < 30
    assert len(table.stats) == COUNT
    assert table.reader.garbled_count == COUNT // 400
    told = {row["process_pid"]: row for row in map(json.loads, lines[1:])}
    assert len(told) == COUNT // 40 - COUNT // 400
    for pid, row in told.items():
        assert row["process_name"] == NAMES[pid % len(NAMES)].decode("utf-8", "backslashreplace")
        assert row["parent_process_pid"] == pid // 2
        assert row["image_state"] == "deleted"
        assert len(row["command_line"]) <= TEXT_BYTES + 3
    path = tmp_path / "host.jsonl"
    path.write_text("".join(lines), encoding="ascii")
    result = scan(ScanRequest((str(path),), case_folder=tmp_path / "case"))
    check_scan(result, [path])
    assert result.document["coverage"][0]["rejected_count"] == 0
    named = {asset["name"].split("@")[0] for found in result.document["findings"] for asset in found["assets"]}
    assert named <= {str(pid) for pid in told} | {"web1"}


@contextlib.contextmanager
def started(*processes: subprocess.Popen[bytes]) -> Iterator[list[subprocess.Popen[bytes]]]:
    try:
        yield list(processes)
    finally:
        for each in processes:
            each.kill()
            each.wait()


def told_of(pids: set[int]) -> dict[int, dict[str, Any]]:
    """What the sensor writes of real processes."""
    lines: list[str] = []
    table = Table(Reader(users_of(), procfs.boot_at()))
    table.refresh()
    table.tell(Look(Recorder(lines.append), time.time()), pids, "snapshot")
    return {row["process_pid"]: row for row in map(json.loads, lines)}


def test_real_processes_with_hostile_arguments_environments_and_folders(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/\x1b[31m\n\xff"
    Path(os.fsdecode(folder)).mkdir()
    command = [b"\x1b[2J\n\xff", b"30"]
    made = [
        subprocess.Popen(
            command,
            executable="/bin/sleep",
            cwd=folder,
            env={b"\xff\n": b"x", b"LD_PRELOAD": b"\x1b\n"},
            stderr=subprocess.DEVNULL,
        )
        for _ in range(40)
    ]
    long = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(30)", "x" * 120_000], env={"BIG": "y" * 120_000}
    )
    threads = "import threading,time\nfor _ in range(500): threading.Thread(target=time.sleep,args=(20,)).start()\n"
    crowd = subprocess.Popen([sys.executable, "-c", threads + "print(1, flush=True)\n"], stdout=subprocess.PIPE)
    with started(*made, long, crowd):
        assert crowd.stdout is not None
        crowd.stdout.readline()
        crowd.stdout.close()
        time.sleep(0.3)
        told = told_of({each.pid for each in (*made, long, crowd)})
        for each in made:
            row = told[each.pid]
            assert row["command_line"] == "\x1b[2J\n\\xff 30"
            assert row["working_folder"].endswith("/\x1b[31m\n\\xff")
            assert row["preload_value"] == "\x1b\n"
            assert "\\xff\n" in row["environment_names"]
            assert row["parent_process_pid"] == os.getpid()
        assert len(told[long.pid]["command_line"]) == TEXT_BYTES + 3
        assert told[crowd.pid]["thread_count"] == 501


def test_processes_that_die_while_they_are_read_are_left_out_and_never_mixed_up() -> None:
    ends = time.monotonic() + 3
    marks: dict[int, str] = {}

    def breed() -> None:
        while time.monotonic() < ends:
            mark = f"mark{len(marks)}"
            born = subprocess.Popen([mark], executable="/bin/true")
            marks[born.pid] = mark
            born.wait()

    lines: list[str] = []
    table = Table(Reader(users_of(), procfs.boot_at()))
    table.refresh()
    breeder = threading.Thread(target=breed)
    breeder.start()
    while time.monotonic() < ends:
        look = Look(Recorder(lines.append), time.time())
        new = table.refresh()
        table.tell(look, new, "launch")
    breeder.join()
    assert len(marks) > 50
    for row in map(json.loads, lines):
        # Between fork and exec it is a copy of us, after its end it has no arguments.
        mark = marks.get(row["process_pid"])
        if mark is not None and str(row["command_line"]).startswith("mark"):
            assert row["command_line"] == mark
            assert row["parent_process_pid"] == os.getpid()


def test_two_thousand_connections_are_each_written_once_and_read_quickly() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4200:
        pytest.skip(f"only {hard} files may be open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4200), hard))
    ends: list[socket.socket] = []
    lines: list[str] = []
    try:
        with socket.create_server(("127.0.0.1", 0), backlog=512) as server:
            port = server.getsockname()[1]
            for _ in range(2000):
                ends += [socket.create_connection(("127.0.0.1", port)), server.accept()[0]]
            table = Table(Reader(users_of(), procfs.boot_at()))
            table.refresh()
            connections = Connections(table)
            look = Look(Recorder(lines.append), time.time())
            if not connections.open(look):
                pytest.skip("the kernel has no socket diagnosis for us")
            began = time.process_time()
            connections.record_listening(look)
            for _ in range(3):
                connections.record_changed(look)
            assert time.process_time() - began < 5
            connections.finish(look)
    finally:
        for each in ends:
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    rows = [row for row in map(json.loads, lines) if row["record"] == "socket_usage"]
    ours = [row for row in rows if port in (row["src_port"], row["dst_port"])]
    assert len(ours) == 4000
    assert sum(row["direction"] == "outgoing" for row in ours) == 2000
    assert {row["process_pid"] for row in ours} == {os.getpid()}


def test_who_begins_to_listen_during_a_look_is_no_client_of_those_who_come() -> None:
    lines: list[str] = []
    table = Table(Reader(users_of(), procfs.boot_at()))
    table.refresh()
    connections = Connections(table)
    look = Look(Recorder(lines.append), time.time())
    if not connections.open(look):
        pytest.skip("the kernel has no socket diagnosis for us")
    connections.record_listening(look)
    lines.clear()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), server.accept()[0]:
            connections.record_changed(look)
    connections.finish(look)
    rows = [row for row in map(json.loads, lines) if row["record"] == "socket_usage"]
    assert {row["direction"] for row in rows if row["src_port"] == port} == {"incoming"}
    assert {row["direction"] for row in rows if row["dst_port"] == port} == {"outgoing"}
