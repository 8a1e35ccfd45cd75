"""The bundled sample evidence: one incident, the right way in, the right machine, the right money."""

from __future__ import annotations

import csv
import json
import statistics
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
STORY = ROOT / "examples" / "story"
C5_2XLARGE_USD_PER_HOUR = 0.34
MINED_FROM = datetime.fromisoformat("2026-03-04T02:15:00+00:00")
MOST_BYTES = 1_500_000


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def scanned(folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "davylamp", "scan", str(folder), "--format", "json"],
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def stolen_share_and_hours(series: Path) -> tuple[float, float]:
    """What the CSV alone says: use above the old floor, the highest of three days' two-hour lowest tenths."""
    rows = list(csv.DictReader(series.read_text(encoding="ascii").splitlines()))
    samples = [(datetime.fromisoformat(row["timestamp"]), float(row["CPUUtilization"]) / 100) for row in rows]
    before = [
        used for at, used in samples if MINED_FROM - timedelta(days=3, hours=4) <= at < MINED_FROM - timedelta(hours=2)
    ]
    floors = [
        statistics.quantiles(before[end - 24 : end], n=10, method="inclusive")[0] for end in range(24, len(before))
    ]
    old_floor = statistics.quantiles(floors, n=100, method="inclusive")[98]
    mined = [used for at, used in samples if at >= MINED_FROM]
    return statistics.mean(mined) - old_floor, len(mined) * 5 / 60


def holds_the_story(folder: Path) -> None:
    document = scanned(folder)
    assert len(document["incidents"]) == 1
    incident = document["incidents"][0]
    units = {finding["uid"]: finding["unit"] for finding in document["findings"]}

    assert incident["assets"] == [{"kind": "host", "name": "web1"}]
    assert {units[uid] for uid in incident["findings"]} >= {
        "ssh_guessing_burst",
        "ssh_login_after_guessing",
        "pool_domain_lookup",
        "mining_dialogue",
        "mining_message_rhythm",
        "cpu_floor_raised",
    }
    assert units[incident["entry_point"]["finding"]] == "ssh_login_after_guessing"
    for word in ("203.0.113.7", "web1", "deploy"):
        assert word in incident["entry_point"]["text"]
    moments = [line["at"] for line in incident["story"]]
    assert moments == sorted(moments)
    assert moments[0].startswith("2026-03-03T23:0")

    outside = [finding for finding in document["findings"] if finding["uid"] not in incident["findings"]]
    assert {finding["unit"] for finding in outside} <= {"ssh_guessing_burst"}
    assert all(row["state"] == "read" and row["rejected_count"] == 0 for row in document["coverage"])
    remotes = {value["value"] for finding in document["findings"] for value in finding["observables"]}
    assert {"198.51.100.23", "198.51.100.61", "pool.supportxmr.com"} <= remotes

    share, hours = stolen_share_and_hours(folder / "cpu-web1.csv")
    cost = incident["cost"]
    assert hours == pytest.approx(26, abs=0.2)
    assert cost["billed_extra_usd"] == 0
    assert cost["run_rate_usd_per_hour"] == pytest.approx(C5_2XLARGE_USD_PER_HOUR * share, rel=0.02)
    assert cost["capacity_lost_usd"] == pytest.approx(C5_2XLARGE_USD_PER_HOUR * share * hours, rel=0.02)
    assert cost["exposure_24h_usd"] == pytest.approx(24 * cost["run_rate_usd_per_hour"])


def test_the_sample_evidence_is_one_incident() -> None:
    holds_the_story(STORY)


def test_the_sample_evidence_is_small() -> None:
    assert sum(path.stat().st_size for path in STORY.iterdir()) < MOST_BYTES


@pytest.mark.live
@pytest.mark.slow
def test_the_maker_makes_the_same_story(tmp_path: Path) -> None:
    made = tmp_path / "story"
    done = subprocess.run(
        [sys.executable, "-m", "examples.make", str(made)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=180,
    )
    assert done.returncode == 0, f"the maker needs root and openssh-server: {done.stderr}"
    holds_the_story(made)
    for name in ("davylamp.toml", "cpu-web1.csv", "cpu-web2.csv", "cpu-db1.csv"):
        assert (made / name).read_bytes() == (STORY / name).read_bytes(), f"{name}: make example, and commit"
