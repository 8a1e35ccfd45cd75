"""Processes over whose folder somebody has laid another, and CPU that belongs to nobody who shows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from davylamp.agent import procfs
from davylamp.agent.hidden_processes import covered_pids, hidden_pids
from davylamp.agent.machine_cpu import visible_ticks, why_incomparable
from davylamp.agent.own_procfs import own_procfs
from davylamp.agent.procfs import Stat
from davylamp.app.scan import ScanRequest, scan
from tests.catalog.host_cpu_cases import covered_miner_lines

# Looks at this machine as it is: two such tests at once would see each other's miners.
pytestmark = pytest.mark.live

BURN = "import time\nends = time.monotonic() + {0}\nwhile time.monotonic() < ends: pass\n"
# What one look in a mount namespace of its own says; nothing else on the machine sees the mount.
LOOK = """
import json, sys
from pathlib import Path
from davylamp.app.scan import ScanRequest
from davylamp.app.scan_host import scan_host
print(json.dumps(scan_host(ScanRequest(paths=(), case_folder=Path(sys.argv[1])), 20.0).document))
"""


def stat(pid: int, ticks: int, reaped_ticks: int = 0, start_ticks: int = 1) -> Stat:
    return Stat(pid, "x", "S", 1, 0, 0, ticks, 0, reaped_ticks, 1, start_ticks, 1)


def shown(*stats: Stat) -> dict[int, Stat]:
    return {each.pid: each for each in stats}


def test_cpu_of_children_is_counted_once_whether_they_live_or_have_ended() -> None:
    before = shown(stat(1, 100, 50), stat(2, 500))
    assert visible_ticks(before, shown(stat(1, 110, 50), stat(2, 530))) == 40
    # The second ended after 30 more ticks, and its parent took all 530.
    assert visible_ticks(before, shown(stat(1, 110, 580))) == 40
    # A third began and ended in between.
    assert visible_ticks(before, shown(stat(1, 110, 57), stat(2, 500))) == 17


def test_an_end_that_nobody_waited_for_takes_nothing_from_the_others() -> None:
    before = shown(stat(1, 100), stat(2, 90_000), stat(3, 10))
    assert visible_ticks(before, shown(stat(1, 110), stat(3, 35))) == 35


def test_a_pid_that_is_used_again_is_another_process() -> None:
    assert visible_ticks(shown(stat(2, 900)), shown(stat(2, 7, start_ticks=2))) == 7


def test_this_machine_spends_what_its_processes_use() -> None:
    before, began = _stats(), procfs.machine_time()
    for _ in range(3):
        subprocess.run([sys.executable, "-c", BURN.format(0.3)], check=True)
    after, ended = _stats(), procfs.machine_time()
    used_s = visible_ticks(before, after) / procfs.TICKS_PER_S
    assert used_s >= 0.8
    if not why_incomparable():
        spent_s = ended.processes_s - began.processes_s
        assert spent_s - used_s < 0.3 + 0.1 * spent_s
    assert ended.started_count >= began.started_count + 3


def _stats() -> dict[int, Stat]:
    found = (procfs.stat_of(pid) for pid in procfs.listed_pids())
    return {each.pid: each for each in found if each is not None}


def test_nobody_is_hidden_here() -> None:
    assert covered_pids() == set()
    if os.geteuid() == 0:
        assert hidden_pids() == set()


@pytest.fixture
def burner() -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-c", BURN.format(90)])
    yield process.pid
    process.kill()
    process.wait()


def _covered(pid: int, by: str, program: str, *arguments: str) -> Any:
    """What a program says in a mount namespace where something lies over a process's folder."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("not looked at: a mount namespace needs root and unshare")
    script = 'mount --bind "$0" "$1" && shift && exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, by, f"/proc/{pid}",
         sys.executable, "-c", program, *arguments],
        capture_output=True,
        check=False,
        timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


COVERED = """
import json
from davylamp.agent.hidden_processes import covered_pids, hidden_pids
print(json.dumps([sorted(hidden_pids()), sorted(covered_pids())]))
"""


def test_an_empty_folder_over_a_process_is_seen(burner: int, tmp_path: Path) -> None:
    assert _covered(burner, str(tmp_path), COVERED) == [[], [burner]]


def test_another_process_over_a_process_is_seen(burner: int) -> None:
    assert _covered(burner, f"/proc/{os.getpid()}", COVERED) == [[], [burner]]


CLOSED = """
import json, os
from davylamp.agent.hidden_processes import covered_pids

print(json.dumps([sum(name.isdecimal() for name in os.listdir("/proc")), sorted(covered_pids())]))
"""


def test_what_we_may_not_read_is_not_covered() -> None:
    """With hidepid=1 other users' folders are listed and closed."""
    if os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("setpriv") is None:
        pytest.skip("not looked at: a mount namespace needs root, unshare and setpriv")
    script = 'mount -t proc -o hidepid=1 proc /proc && exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", sys.executable, "-c", CLOSED],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        check=False,
        timeout=60,
    )
    if b"Permission denied" in done.stderr:
        pytest.skip("not looked at: another user may not run this interpreter")
    assert done.returncode == 0, done.stderr
    listed_count, covered = json.loads(done.stdout)
    assert listed_count > 1
    assert covered == []


def test_our_own_view_shows_what_was_covered() -> None:
    try:
        with own_procfs() as proc:
            known = procfs.stat_of(os.getpid(), proc)
            assert known is not None
            assert known.start_ticks == (procfs.stat_of(os.getpid()) or known).start_ticks
            place = Path(proc)
    except OSError as error:
        pytest.skip(f"not looked at: {error}")
    assert not (place / "1").exists()


@pytest.mark.slow
def test_a_process_under_a_bind_mount_is_named_and_its_cpu_is_missed(burner: int, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    time.sleep(1.0)
    document = _covered(burner, str(empty), LOOK, str(tmp_path / "case"))
    findings = {each["unit"]: each for each in document["findings"]}
    hidden = findings["hidden_process"]
    rows = [json.loads(line) for line in next((tmp_path / "case" / "host").glob("*.jsonl")).read_text().splitlines()]
    windows = [row for row in rows if row["record"] == "process_usage" and row["process_pid"] == burner]
    assert len(windows) >= 8
    assert sum(row["cpu_user_s"] for row in windows) >= 1.0
    assert sum("busy_thread_count" in row for row in windows) >= 5
    assert {"type": "process.pid", "value": str(burner)} in hidden["observables"]
    assert any(asset["name"].startswith(f"{burner}@") for asset in hidden["assets"])
    assert str(Path(sys.executable).resolve()) in hidden["because"]
    # How telling it is depends on how many processes others start on this machine meanwhile.
    assert findings["cpu_accounting_gap"]["llr"] >= 2.0


def test_a_covered_process_and_cpu_that_nobody_used_are_one_incident(tmp_path: Path) -> None:
    evidence = tmp_path / "look.jsonl"
    evidence.write_text(covered_miner_lines(), encoding="ascii")
    document = scan(ScanRequest(paths=(str(evidence),), case_folder=tmp_path / "case")).document
    (incident,) = document["incidents"]
    named = {each["unit"] for each in document["findings"] if each["uid"] in incident["findings"]}
    assert named == {"hidden_process", "cpu_accounting_gap"}
    assert {"process", "host"} == {asset["kind"] for asset in incident["assets"]}
