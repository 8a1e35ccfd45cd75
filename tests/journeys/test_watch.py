"""`davylamp watch` as a user runs it: lines that conform, a spool that stays whole, an emulated miner that is found."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from davylamp.agent.spool import segments

# Looks at this machine as it is: two such tests at once would see each other's miners.
pytestmark = pytest.mark.live

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs/reference/scan-1.schema.json").read_text(encoding="utf-8"))
ENVIRONMENT = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="sees other processes' starts and packets as root only")


@contextmanager
def watching(case: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "davylamp", "watch", "--case", str(case), "--format", "jsonl", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT) as child:
        try:
            yield child
        finally:
            if child.poll() is None:
                child.kill()


def lines(output: bytes) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in output.splitlines()]
    for line in found:
        assert line["schema"] == "davylamp.watch/1"
        assert line["at"].endswith("Z")
        assert line["kind"] in ("incident", "sensor", "cost")
        assert line["kind"] in line
    return found


def until_it_has_begun(child: subprocess.Popen[bytes]) -> bytes:
    assert child.stdout is not None
    return child.stdout.readline()


def is_whole(case: Path) -> list[dict[str, Any]]:
    """Every line of the spool reads; gives the records of the sensor about itself."""
    folder = case / "watch/spool"
    names = segments(str(folder))
    assert names
    records = [json.loads(line) for name in names for line in (folder / name).read_text("ascii").splitlines()]
    assert records[0]["record"] == "header"
    return [record for record in records if record["record"] == "sensor_state"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_calmly_with_the_spool_whole(tmp_path: Path, number: signal.Signals) -> None:
    with watching(tmp_path / "case") as child:
        first = until_it_has_begun(child)
        time.sleep(1.0)
        child.send_signal(number)
        out, errors = child.communicate(timeout=30)
    assert child.returncode == 0, errors
    assert errors == b""
    said = lines(first + out)
    assert next(line["sensor"]["kind"] for line in said if line["kind"] == "sensor") == "started"
    states = is_whole(tmp_path / "case")
    assert [states[0]["kind"], states[-1]["kind"]] == ["started", "stopped"]


def test_it_is_judged_before_the_asked_time_is_over(tmp_path: Path) -> None:
    with watching(tmp_path / "case", "--for", "3s") as child:
        out, errors = child.communicate(timeout=90)
    assert child.returncode == 0, errors
    lines(out)
    is_whole(tmp_path / "case")
    document = json.loads((tmp_path / "case/scan.json").read_text(encoding="utf-8"))
    assert any(row["source"] == "host_live" and row["state"] == "read" for row in document["coverage"])


def test_two_watches_do_not_share_a_case_and_a_killed_one_leaves_it_usable(tmp_path: Path) -> None:
    with watching(tmp_path / "case") as first:
        until_it_has_begun(first)
        with watching(tmp_path / "case") as second:
            _, errors = second.communicate(timeout=30)
        assert second.returncode == 2
        assert b"another watch uses this case" in errors
        first.kill()
        first.communicate()
    with watching(tmp_path / "case", "--for", "1s") as third:
        _, errors = third.communicate(timeout=90)
    assert third.returncode == 0, errors


def test_bad_options_are_told_with_what_to_do(tmp_path: Path) -> None:
    for options, said in (
        (["--cpu-cap", "none"], "no CPU cap"),
        (["--for", "soon"], "not a duration"),
        (["--alert", "somebody"], "no target of alerts"),
        (["--dry-run"], "belongs to install"),
    ):
        with watching(tmp_path / "case", *options) as child:
            out, errors = child.communicate(timeout=30)
        assert child.returncode == 2
        assert said in errors.decode()
        assert b"now: " in errors
        assert out == b""
    (tmp_path / "full").mkdir()
    (tmp_path / "full/something").write_text("x")
    with watching(tmp_path / "full") as child:
        _, errors = child.communicate(timeout=30)
    assert child.returncode == 2
    assert b"cannot become a case" in errors


@needs_root
@pytest.mark.slow
@pytest.mark.parametrize("load_ratio", [1.0, 0.3])
def test_an_emulated_miner_is_an_incident_with_its_process_and_its_money(tmp_path: Path, load_ratio: float) -> None:
    alerts = tmp_path / "alerts.jsonl"
    with watching(tmp_path / "case", "--for", "100s", "--alert", f"file:{alerts}") as watch:
        said = until_it_has_begun(watch)
        time.sleep(5)
        with emulated_miner(load_ratio) as pid:
            said += until_told(watch, pid)
            until_alerted(watch, alerts)
            watch.send_signal(signal.SIGTERM)
            out, errors = watch.communicate(timeout=100)
    assert watch.returncode == 0, errors
    incidents = [line for line in lines(said + out) if line["kind"] == "incident"]
    named = [line for line in incidents if any(_is_process(asset, pid) for asset in line["incident"]["assets"])]
    assert named, incidents
    conforms(named[-1])
    assert named[-1]["incident"]["cost"]["run_rate_usd_per_hour"] > 0
    told = [json.loads(line)["incident"]["uid"] for line in alerts.read_text().splitlines()]
    assert told == [line["incident"]["uid"] for line in incidents]


def until_told(watch: subprocess.Popen[bytes], pid: int) -> bytes:
    """Lines up to the process's incident; all lines where the watch ends before."""
    assert watch.stdout is not None
    heard = b""
    while line := watch.stdout.readline():
        heard += line
        if any(_is_process(asset, pid) for asset in json.loads(line).get("incident", {}).get("assets", ())):
            break
    return heard


def until_alerted(watch: subprocess.Popen[bytes], alerts: Path) -> None:
    """An alert is sent after its line is said; a watch that ends by itself has sent all it will."""
    while watch.poll() is None and not (alerts.is_file() and alerts.read_bytes().endswith(b"\n")):
        time.sleep(0.2)


def conforms(line: dict[str, Any]) -> None:
    """An incident's line holds its findings, in the shape of the scan document."""
    for kind, entries in (("incident", [line["incident"]]), ("finding", line["findings"])):
        for entry in entries:
            jsonschema.validate(entry, SCHEMA["$defs"][kind] | {"$defs": SCHEMA["$defs"]})
    assert {finding["uid"] for finding in line["findings"]} == set(line["incident"]["findings"])


@pytest.mark.slow
def test_what_a_stop_kept_from_being_told_is_told_by_the_next_judging(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "davylamp.app.judge_spool", "--case", str(tmp_path / "case"), "--format", "jsonl"]
    subprocess.run([*command, "--prepare"], env=ENVIRONMENT, check=True, timeout=120)
    logs = tmp_path / "case/watch/logs"
    logs.mkdir(parents=True)
    (logs / "auth.log").write_text("".join(guessed_login()), encoding="ascii")
    reading, writing = os.pipe()
    os.close(reading)  # as when the sensor was killed
    subprocess.run(command, stdout=writing, stderr=subprocess.DEVNULL, env=ENVIRONMENT, check=False, timeout=120)
    os.close(writing)
    for expected in (["opened"], []):
        done = subprocess.run(command, capture_output=True, env=ENVIRONMENT, check=True, timeout=120)
        told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]
        guessed = [line for line in told if line["incident"]["entry_point"]]
        assert [line["change"] for line in guessed] == expected


def guessed_login() -> Iterator[str]:
    """Failures of one address until it is let in, just now."""
    now = datetime.now(UTC)
    for number in range(120):
        at = now - timedelta(seconds=130 - number)
        yield (
            f"{at.isoformat(timespec='seconds')} web1 sshd[{100 + number}]: "
            f"Failed password for root from 203.0.113.7 port {40000 + number} ssh2\n"
        )
    yield (
        f"{now.isoformat(timespec='seconds')} web1 sshd[900]: "
        "Accepted password for root from 203.0.113.7 port 42000 ssh2\n"
    )


def _is_process(asset: dict[str, str], pid: int) -> bool:
    return asset["kind"] == "process" and asset["name"].startswith(f"{pid}@")


@contextmanager
def emulated_miner(load_ratio: float) -> Iterator[int]:
    """A miner and the pool it talks to, on loopback; gives the miner's pid."""
    with emulated("pool", "95") as pool:
        assert pool.stdout is not None
        port = pool.stdout.readline().decode().strip()
        with emulated("miner", port, "90", str(load_ratio)) as miner:
            yield miner.pid


@contextmanager
def emulated(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    command: Sequence[str] = [sys.executable, "-m", "tests.agent.emulated_miner", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=ENVIRONMENT) as child:
        try:
            yield child
        finally:
            child.kill()


def test_a_judging_whose_sensor_was_killed_ends_quietly(tmp_path: Path) -> None:
    """Its lines go nowhere; a traceback on the terminal is all that a user saw of it."""
    command = [sys.executable, "-m", "davylamp.app.judge_spool", "--case", str(tmp_path / "case")]
    subprocess.run([*command, "--prepare"], env=ENVIRONMENT, check=True, timeout=120)
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        ended = subprocess.run(command, env=ENVIRONMENT, stdout=write_end, stderr=subprocess.PIPE, timeout=120)
    finally:
        os.close(write_end)
    assert b"Traceback" not in ended.stderr
    assert ended.returncode == 0
