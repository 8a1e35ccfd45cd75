"""What a killed drill left is removed by the next one; nothing else ever is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from davylamp.kit.emulation.leftovers import MARKER, mark, remove_leftovers

ENDED = json.dumps({"pid": 1, "started": "of another boot", "groups": []})

WAITS = "print(flush=True); input()"


def left(parent: Path, name: str = "drill-abc", marker: str | None = ENDED) -> Path:
    folder = parent / name
    folder.mkdir()
    (folder / "program").write_text("copied")
    if marker is not None:
        (folder / MARKER).write_text(marker)
    return folder


def test_a_folder_of_a_drill_that_has_ended_is_removed_and_named(tmp_path: Path) -> None:
    folders = left(tmp_path), left(tmp_path, "davylamp-drill-xyz")
    assert remove_leftovers([tmp_path, tmp_path / "absent"]) == folders
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "marker",
    [
        None,
        "",
        "{}",
        "[]",
        "\0",
        '{"pid": "1", "started": "", "groups": []}',
        '{"pid": 1, "started": "", "groups": [1]}',
    ],
)
def test_without_a_mark_of_ours_a_folder_stays(tmp_path: Path, marker: str | None) -> None:
    folder = left(tmp_path, marker=marker)
    assert remove_leftovers([tmp_path]) == ()
    assert (folder / "program").exists()


def test_other_names_and_links_stay(tmp_path: Path) -> None:
    kept = left(tmp_path, "drills")
    (tmp_path / "drill-link").symlink_to(kept)
    assert remove_leftovers([tmp_path]) == ()
    assert kept.exists()


def test_as_long_as_the_drill_lives_its_folder_stays(tmp_path: Path) -> None:
    folder = left(tmp_path, marker=None)
    mark(folder)
    assert remove_leftovers([tmp_path]) == ()
    told = json.loads((folder / MARKER).read_text())
    assert told["pid"] == os.getpid()
    # The same number, given to another process since.
    (folder / MARKER).write_text(json.dumps(told | {"started": told["started"] + "0"}))
    assert remove_leftovers([tmp_path]) == (folder,)


@pytest.mark.parametrize(
    "command",
    [
        lambda folder: ([sys.executable, "-c", "print(flush=True); input()"], folder),
        lambda folder: (
            [sys.executable, "-c", f"f = open({str(folder / 'program')!r}); print(flush=True); input()"],
            "/",
        ),
    ],
    ids=["works in it", "holds a file of it"],
)
def test_as_long_as_a_process_uses_it_a_folder_stays(
    tmp_path: Path, command: Callable[[Path], tuple[list[str], Path | str]]
) -> None:
    folder = left(tmp_path)
    words, place = command(folder)
    with subprocess.Popen(words, cwd=place, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as user:
        assert user.stdout is not None
        user.stdout.readline()
        assert remove_leftovers([tmp_path]) == ()
        user.communicate(b"\n")
    assert remove_leftovers([tmp_path]) == (folder,)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder to another user")
def test_what_belongs_to_another_user_stays(tmp_path: Path) -> None:
    folder = left(tmp_path)
    os.chown(folder / MARKER, 65534, 65534)
    assert remove_leftovers([tmp_path]) == ()
    os.chown(folder / MARKER, 0, 0)
    os.chown(folder, 65534, 65534)
    assert remove_leftovers([tmp_path]) == ()


def test_groups_elsewhere_are_not_touched(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    left(
        tmp_path, marker=json.dumps({"pid": 1, "started": "of another boot", "groups": [str(empty), "/sys/fs/cgroup"]})
    )
    assert len(remove_leftovers([tmp_path])) == 1
    assert empty.exists()
