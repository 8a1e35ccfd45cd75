"""Changes of watched files: what changed, who did it, and folders that come later."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from davylamp.agent import file_changes, procfs
from davylamp.agent.details import Reader, users_of
from davylamp.agent.file_changes import FileChanges
from davylamp.agent.notices import Inotify
from davylamp.agent.processes import Table
from davylamp.agent.record import Look, Recorder
from davylamp.agent.watched_files import watched_folders

Watch = Callable[[], tuple[FileChanges, list[str]]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("etc/cron.d", "etc/systemd/system", "root"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n")
    return tmp_path


@pytest.fixture(params=["fanotify", "inotify"])
def watching(root: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileChanges]:
    if request.param == "inotify":
        monkeypatch.setattr(file_changes, "Fanotify", _refused)
    elif os.geteuid() != 0:
        pytest.skip("fanotify needs CAP_SYS_ADMIN")
    lines: list[str] = []
    made = FileChanges(Recorder(lines.append), Table(Reader(users_of(), procfs.boot_at())), str(root))
    assert made.open(Look(made.recorder, time.time(), str(root)))
    assert isinstance(made._source, Inotify) == (request.param == "inotify")
    yield made
    made.close()


def _refused() -> None:
    raise PermissionError(1, "Operation not permitted")


def rows(watching: FileChanges) -> list[dict[str, Any]]:
    watching.read()
    lines: list[str] = watching.recorder.write.__self__  # type: ignore[attr-defined]
    found = [json.loads(line) for line in lines]
    lines.clear()
    return [row for row in found if row["record"] == "file_activity"]


def run(script: str, root: Path) -> None:
    subprocess.run(["sh", "-c", script], cwd=root, check=True)


def test_entries_of_whole_folders_and_named_files_are_told(watching: FileChanges, root: Path) -> None:
    run("echo '* * * * * root true' > etc/cron.d/job; echo 10.0.0.1 x >> etc/hosts; echo x > etc/other", root)
    told = [(row["file_path"], row["activity"]) for row in rows(watching)]
    assert ("/etc/cron.d/job", "create") in told
    assert any(path == "/etc/hosts" for path, _ in told)
    assert not any(path == "/etc/other" for path, _ in told)
    run("mv etc/cron.d/job etc/cron.d/job2", root)
    assert {("/etc/cron.d/job", "rename"), ("/etc/cron.d/job2", "rename")} == {
        (row["file_path"], row["activity"]) for row in rows(watching)
    }
    run("chmod 600 etc/cron.d/job2", root)
    assert [row["activity"] for row in rows(watching)] == ["set_attributes"]
    run("rm etc/cron.d/job2", root)
    assert [row["activity"] for row in rows(watching)] == ["delete"]


def test_a_folder_that_comes_later_is_watched_and_what_lies_in_it_is_told(watching: FileChanges, root: Path) -> None:
    run("mkdir -p root/.ssh; echo key > root/.ssh/authorized_keys; echo > root/.ssh/known_hosts", root)
    assert [row["file_path"] for row in rows(watching)] == ["/root/.ssh"]
    watching.tick()
    assert [row["file_path"] for row in rows(watching)] == ["/root/.ssh/authorized_keys"]
    run("echo key2 >> root/.ssh/authorized_keys", root)
    assert [(row["file_path"], row["activity"]) for row in rows(watching)] == [("/root/.ssh/authorized_keys", "update")]


def test_who_did_it_is_named_where_the_kernel_says_so(watching: FileChanges, root: Path) -> None:
    child = subprocess.Popen(["sh", "-c", "echo x >> etc/ld.so.preload; read wait"], cwd=root, stdin=subprocess.PIPE)
    deadline = time.monotonic() + 5
    found: list[dict[str, Any]] = []
    while not found and time.monotonic() < deadline:
        time.sleep(0.02)
        found = rows(watching)
    child.communicate(b"\n")
    assert found[0]["file_path"] == "/etc/ld.so.preload"
    if watching._source.says_who:
        assert found[0]["process_pid"] == child.pid
        assert found[0]["process_name"] == "sh"
    else:
        assert "process_pid" not in found[0]


def test_without_fanotify_coverage_says_that_nobody_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_changes, "Fanotify", _refused)
    lines: list[str] = []
    made = FileChanges(Recorder(lines.append), None, str(root))
    made.open(Look(made.recorder, 1.0, str(root)))
    made.close()
    (said,) = [json.loads(line) for line in lines]
    assert said["kind"] == "could_not_look"
    assert "CAP_SYS_ADMIN" in said["reason"]


OVERLAID = """
set -e
mount -t tmpfs tmpfs "$1"
mkdir -p "$1/upper" "$1/work" "$1/root" "$1/lower/etc/cron.d" "$1/lower/root"
mount -t overlay overlay -o "lowerdir=$1/lower,upperdir=$1/upper,workdir=$1/work" "$1/root"
exec "$2" -c '
import os, sys, time
from davylamp.agent.file_changes import FileChanges
from davylamp.agent.record import Look, Recorder
root = sys.argv[1]
made = FileChanges(Recorder(sys.stdout.write), None, root)
made.open(Look(made.recorder, time.time(), root))
os.system(f"echo x > {root}/etc/cron.d/job")
made.read()
made.close()
' "$1/root"
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts an overlay")
def test_a_file_system_without_handles_is_watched_all_the_same(tmp_path: Path) -> None:
    command = ["unshare", "--mount", "sh", "-c", OVERLAID, "overlaid", str(tmp_path), sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    (said,) = [row for row in told if row["record"] == "sensor_state"]
    assert said["name"].startswith("who changes files in")
    assert "fanotify no handles" in said["reason"]
    assert ("/etc/cron.d/job", "create") in [
        (row["file_path"], row["activity"]) for row in told if row["record"] == "file_activity"
    ]


def test_a_storm_of_changes_is_bounded_and_counted(watching: FileChanges, root: Path) -> None:
    run("i=0; while [ $i -lt 500 ]; do echo x > etc/cron.d/job$i; i=$((i+1)); done", root)
    written_count = len(rows(watching))
    assert 0 < written_count <= 64
    assert watching.take_skipped_count() >= 500 - written_count
    assert watching.take_skipped_count() == 0


def test_hostile_file_names_are_text(watching: FileChanges, root: Path) -> None:
    for name in (b"a\nb", b"\x1b[2J", b"\xff\xfe", b"x" * 255):
        subprocess.run([b"touch", b"etc/cron.d/" + name], cwd=root, check=True)
    told = {row["file_path"] for row in rows(watching)}
    assert "/etc/cron.d/a\nb" in told
    assert any("\\xff" in path or "\\udcff" in path for path in told)


def test_the_list_holds_every_users_keys_and_unit_folders(root: Path) -> None:
    folders = watched_folders(str(root))
    assert "authorized_keys" in folders[f"{root}/home/ann/.ssh"]
    assert folders[f"{root}/home/ann/.config/systemd/user"] == frozenset()
    assert "ld.so.preload" in folders[f"{root}/etc"]
