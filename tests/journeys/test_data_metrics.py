"""Server metrics of the Numenta benchmark: quiet as they are, and with an injected miner an episode of its time."""

from __future__ import annotations

import csv
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from davylamp.app.scan import ScanRequest, scan
from tests.journeys.conftest import Scans

pytestmark = pytest.mark.slow
SHARES = (1.0, 0.5, 0.25, 0.1)
LASTS = timedelta(days=1)


def cpu_series(data: Path) -> list[Path]:
    found = sorted((data / "nab" / "realAWSCloudwatch").glob("*_cpu_*.csv"))
    assert len(found) == 6
    return found


def mined_from(path: Path, share: float) -> datetime:
    """A start between the sixth and the last day but one, another for each share and each series."""
    with path.open(encoding="utf-8", newline="") as stream:
        first = datetime.fromisoformat(next(csv.DictReader(stream))["timestamp"])
    return first + timedelta(days=6, hours=sum(path.stem.encode()) % 7 * 20 + SHARES.index(share) * 6)


def write_mined(path: Path, share: float, to: Path) -> None:
    """The series with a miner that takes this share of the headroom for a day."""
    start = mined_from(path, share)
    with path.open(encoding="utf-8", newline="") as stream, to.open("w", encoding="utf-8") as out:
        out.write("timestamp,value\n")
        for row in csv.DictReader(stream):
            at, value = datetime.fromisoformat(row["timestamp"]), float(row["value"])
            mining = start <= at < start + LASTS
            out.write(f"{row['timestamp']},{value + share * max(0.0, 100 - value) if mining else value}\n")


@pytest.fixture(scope="module")
def mined(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("mined")
    (folder / "evidence").mkdir()
    for path in cpu_series(data):
        for share in SHARES:
            write_mined(path, share, folder / "evidence" / f"{path.stem}-{share:.0%}.csv")
    return scan(ScanRequest(paths=(str(folder / "evidence"),), case_folder=folder / "case")).document


def test_untouched_series_are_quiet_in_and_out_of_the_labelled_windows(scans: Scans, data: Path) -> None:
    windows = json.loads((data / "nab" / "windows.json").read_text(encoding="utf-8"))
    assert sum(len(each) for name, each in windows.items() if "_cpu_" in name) >= 8
    assert scans.document("nab")["findings"] == []
    assert scans.document("nab")["incidents"] == []


def test_what_is_no_cpu_percentage_is_left_out_and_said(scans: Scans) -> None:
    left_out = {
        Path(row["path"]).name: row["reason"]
        for row in scans.document("nab")["coverage"]
        if row["source"] == "metric_series" and not row["event_classes"]
    }
    assert set(left_out) == {"ec2_disk_write_bytes_1ef3de.csv", "ec2_network_in_5abac7.csv"}
    assert all("no CPU percentage" in reason for reason in left_out.values())


@pytest.mark.parametrize("share", SHARES)
def test_miners_are_found_at_each_share_of_the_headroom(share: float, mined: dict[str, Any], data: Path) -> None:
    """All but the machine at 92 %, whose headroom is 8 points: there only one that takes nearly all of it."""
    found = set()
    for each in mined["findings"]:
        name, _, of = each["assets"][0]["name"].rpartition("-")
        path = next(path for path in cpu_series(data) if path.stem == name)
        seen = datetime.fromisoformat(each["first_seen"].removesuffix("Z").removesuffix("+00:00"))
        assert abs(seen - mined_from(path, int(of.rstrip("%")) / 100)) <= timedelta(hours=2), each["because"]
        if int(of.rstrip("%")) / 100 == share:
            found.add(name)
    expected = {path.stem for path in cpu_series(data)}
    assert found == (expected if share == 1.0 else expected - {"ec2_cpu_utilization_825cc2"})


def test_one_series_alone_is_a_finding_and_no_incident(mined: dict[str, Any]) -> None:
    names = [each["assets"][0]["name"] for each in mined["findings"]]
    assert len(names) == len(set(names))
    assert mined["incidents"] == []
