"""Drills, in a short form: a miner is caught live on this machine, and nothing of it remains."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bench.score_sheet import Play, played

from davylamp.app.drill import COULD_NOT_PLAY, run_drill
from davylamp.kit import registry
from davylamp.kit.drill import CAUGHT, QUIET, Drill, DrillMeta
from davylamp.kit.emulation.roles import dialogue_of
from davylamp.kit.emulation.stage import Stage

# Looks at this machine as it is: two such tests at once would see each other's miners.
pytestmark = pytest.mark.live

# A pool's jobs and a miner's shares are some seconds apart: half a minute holds enough of them on a busy machine, too.
OBSERVE_S, QUIET_OBSERVE_S = 30.0, 15.0
# The encrypted one needs a minute, which `davylamp drill` gives it; the whole sheet is measured in bench/.
# One that moves bytes, one that talks, and the nearest of all; `bench/score_sheet.py` plays the others too.
LOOK_ALIKES = ("compression", "message_publisher", "executor_with_heartbeat")
SHORT = [drill for drill in registry.drills() if (drill.meta.observe_s or 0) <= 30]


@pytest.mark.slow(about_s=50)
def test_emulated_miners_are_caught_side_by_side_and_leave_nothing() -> None:
    drills = _playable(lambda drill: drill.meta.letter in "bfg")
    before = set(Path("/opt").glob("drill-*"))
    for run in _played(drills, OBSERVE_S):
        assert run["verdict"] == CAUGHT, run
        assert run["units"]
    assert set(Path("/opt").glob("drill-*")) == before
    assert not Path("/sys/fs/cgroup/docker-c0ffee").exists()


def _playable(wanted: Callable[[Drill], bool]) -> list[Drill]:
    """Drills that can be played here; skips where there are none."""
    drills = [
        each
        for each in SHORT
        if wanted(each) and not each.could_play() and (os.geteuid() == 0 or not each.meta.needs_root)
    ]
    if not drills:
        pytest.skip("not looked at: none of these drills can be played here")
    return drills


def _played(drills: list[Drill], observe_s: float) -> list[dict[str, Any]]:
    """All at once: each is judged by its own processes, and sees the others as neighbours."""
    return played([Play(each.meta.uid, 1, observe_s, None) for each in drills], len(drills))


@pytest.mark.slow
def test_guessing_login_miner_and_persistence_are_one_incident() -> None:
    (drill,) = (each for each in registry.drills() if each.meta.letter == "h")
    if reason := drill.could_play():
        pytest.skip(f"not looked at: {reason}")
    accounts = {path: path.read_bytes() for path in map(Path, ("/etc/passwd", "/etc/shadow"))}
    outcome = run_drill(drill, OBSERVE_S, seed=2)
    assert outcome.verdict == CAUGHT, outcome
    # Another miner on this machine, older than the login, would be a beginning without a known way in.
    assert "as root by password after" in outcome.entry_point
    assert any("/etc/cron.d/dbus-helper" in each for each in outcome.follow_on)
    assert {path: path.read_bytes() for path in accounts} == accounts
    assert not Path("/etc/cron.d/dbus-helper").exists()
    assert not _listening(2222)


def _listening(port: int) -> bool:
    """Whether anybody listens on that port of a loopback address."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return any(row[3] == "0A" and row[1].endswith(f"7F:{port:04X}") for row in rows)


@pytest.mark.slow(about_s=35)
def test_look_alikes_are_left_alone() -> None:
    for run in _played(_playable(lambda drill: drill.meta.uid in LOOK_ALIKES), QUIET_OBSERVE_S):
        assert run["verdict"] == QUIET, run


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_takes_a_drill_back_and_ends_the_command(number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "davylamp", "drill", "b", "d", "--observe", "60s"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    made: set[Path] = set()
    for _ in range(100):
        made = _folders_of_children(process.pid)
        if made:
            break
        time.sleep(0.1)
    time.sleep(1.0)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert b"Traceback" not in said
    assert made
    assert not any(place.exists() for place in made)
    assert not _working_in(made)


@pytest.mark.slow
def test_what_a_killed_drill_left_is_removed_by_the_next_one_and_said() -> None:
    process = subprocess.Popen([sys.executable, "-m", "davylamp", "drill", "b", "--observe", "60s"])
    made: set[Path] = set()
    for _ in range(100):
        if made := _folders_of_children(process.pid):
            break
        time.sleep(0.1)
    process.kill()
    process.wait()
    again = [sys.executable, "-m", "davylamp", "drill", "b", "--observe", "1s"]
    subprocess.run(again, capture_output=True, timeout=300, check=False)
    assert made
    assert all(place.exists() for place in made)  # its miner still runs, and ends by itself
    for pid in _working_in(made):
        os.kill(pid, signal.SIGKILL)
    ended = subprocess.run(again, capture_output=True, timeout=300, check=False)
    assert not any(place.exists() for place in made)
    for place in made:
        assert f"removed what a drill that was killed had left: {place}\n".encode() in ended.stderr


def _folders_of_children(pid: int) -> set[Path]:
    """Scratch folders that our own drill's processes work in; somebody else may play drills here as well."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    places = set()
    for child in children:
        with contextlib.suppress(OSError):
            places.add((Path("/proc") / child / "cwd").readlink())
    return {place for place in places if place.name.startswith("drill-")}


def _working_in(folders: set[Path]) -> set[int]:
    found = set()
    for place in Path("/proc").iterdir():
        try:
            if place.name.isdecimal() and (place / "cwd").readlink() in folders:
                found.add(int(place.name))
        except OSError:
            continue
    return found


def test_both_ends_of_a_dialogue_know_the_same_words() -> None:
    settings = {"duration_s": 120.0, "seed": 7}
    assert dialogue_of(settings) == dialogue_of(dict(settings))
    assert dialogue_of(settings) != dialogue_of(settings | {"seed": 8})


def test_a_stage_that_is_closed_twice_is_closed() -> None:
    stage = Stage(duration_s=5.0, seed=1)
    stage.role("pool", host="127.0.0.1", port=19999)
    assert stage.pids()
    stage.close()
    stage.close()
    assert not stage.folder.exists()


def test_a_role_refuses_other_addresses_than_loopback(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "davylamp.kit.emulation.roles"],
        env=os.environ
        | {
            "DAVYLAMP_DRILL": json.dumps(
                {"role": "worker", "host": "192.0.2.1", "port": 1, "seed": 1, "duration_s": 1.0, "threads": 0}
            )
        },
        capture_output=True,
        check=False,
        timeout=30,
        cwd=tmp_path,
    )
    assert done.returncode != 0
    assert b"192.0.2.1 is no loopback address" in done.stderr


def test_a_proxy_waits_for_its_pool() -> None:
    """On a loaded machine a pool that was started first listened last, and its drill was played to nobody."""
    with Stage(20.0, seed=1) as stage:
        stage.role("proxy", host=stage.host, port=18080, to_host=stage.host, to_port=17777)
        client = _connection(stage.host, 18080)
        client.sendall(b"a")
        time.sleep(0.5)
        with socket.create_server((stage.host, 17777)) as server:
            server.settimeout(10.0)
            heard, _ = server.accept()
            with client, heard:
                assert heard.recv(1) == b"a"
                heard.sendall(b"b")
                client.settimeout(10.0)
                assert client.recv(1) == b"b"


def _connection(host: str, port: int) -> socket.socket:
    for _ in range(100):
        try:
            return socket.create_connection((host, port))
        except ConnectionError:
            time.sleep(0.1)
    raise AssertionError("the proxy does not listen")


class WithoutAPool(Drill):
    """A miner that gives up before it is looked at."""

    meta = DrillMeta(uid="without_a_pool", title="Nobody listens", letter="a", expects=CAUGHT)

    def play(self, stage: Stage) -> tuple[int, ...]:
        """Starts it, and waits until it has given up."""
        pid = stage.role("worker", host=stage.host, port=17777)
        time.sleep(12.0)
        return (pid,)


def test_a_drill_that_was_not_played_is_no_miss() -> None:
    outcome = run_drill(WithoutAPool(), 3.0, seed=1)
    assert outcome.verdict == COULD_NOT_PLAY
    assert "ended before the look" in outcome.reason
