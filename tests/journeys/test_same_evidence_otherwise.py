"""What does not change the evidence does not change the verdict: cut, packed, doubled, shuffled, damaged beside."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from davylamp.app.scan import ScanRequest, scan
from tests.journeys.story import write_story

Change = Callable[[Path], None]
FUTURE_S = 3787142400
FORGED = "{}-01-01T00:00:00+00:00 web1 sshd[9]: Failed password for root from 192.0.2.77 port 40000 ssh2\n"


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def packed(folder: Path) -> None:
    for path in [*folder.glob("*.log"), *folder.glob("*.pcap")]:
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()


def other_line_ends(folder: Path) -> None:
    for path in [*folder.glob("*.log"), *folder.glob("*.csv")]:
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def byte_order_marks(folder: Path) -> None:
    for path in [*folder.glob("*.log"), *folder.glob("*.csv")]:
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())


def rotated(folder: Path) -> None:
    for path in list(folder.glob("*.log")):
        lines = _lines(path)
        path.with_suffix(".log.1").write_bytes(b"".join(lines[: len(lines) // 2]))
        path.write_bytes(b"".join(lines[len(lines) // 2 :]))


def exports_that_overlap(folder: Path) -> None:
    lines = _lines(folder / "auth.log")
    (folder / "auth.log.1").write_bytes(b"".join(lines[: len(lines) * 7 // 10]))
    (folder / "auth.log").write_bytes(b"".join(lines[len(lines) * 3 // 10 :]))


def out_of_order(folder: Path) -> None:
    for path in folder.glob("*.log"):
        lines = _lines(path)
        random.Random(1).shuffle(lines)
        path.write_bytes(b"".join(lines))


def all_in_one_file(folder: Path) -> None:
    logs = sorted(folder.glob("*.log"))
    (folder / "messages").write_bytes(b"".join(path.read_bytes() for path in logs))
    for path in logs:
        path.unlink()


def odd_folders(folder: Path) -> None:
    inner = folder / "a b" / "c\nd" / "é"
    inner.mkdir(parents=True)
    for path in [*folder.glob("*.log"), *folder.glob("*.pcap")]:
        path.rename(inner / path.name)


def lines_of_others_between(folder: Path) -> None:
    for path in folder.glob("*.log"):
        other = b"Mar  4 02:00:00 web1 kernel: [123.4] eth0: link up\n"
        path.write_bytes(b"".join(line + other for line in _lines(path)))


def damage_at_both_ends(folder: Path) -> None:
    for path in folder.glob("*.log"):
        path.write_bytes(b"\x00\xff\xfe cut\n" * 5 + path.read_bytes() + b"\x1b[31m cut\n")


def records_of_other_centuries(folder: Path) -> None:
    (folder / "forged.log").write_text(FORGED.format("1971") + FORGED.format("2090"), encoding="ascii")
    record = f"2 123456789012 eni-1 10.0.0.5 192.0.2.80 50000 443 6 10 900 {FUTURE_S} {FUTURE_S + 60} ACCEPT OK\n"
    (folder / "flow.log").write_text(record, encoding="ascii")


CHANGES: tuple[Change, ...] = (
    packed,
    other_line_ends,
    byte_order_marks,
    rotated,
    exports_that_overlap,
    out_of_order,
    all_in_one_file,
    odd_folders,
    lines_of_others_between,
    damage_at_both_ends,
    records_of_other_centuries,
)


def _verdict(folder: Path, case: Path) -> dict[str, Any]:
    result = scan(ScanRequest(paths=(str(folder),), case_folder=case))
    assert result.failures == ()
    [incident] = result.document["incidents"]
    return {
        "incident": {name: incident[name] for name in ("severity", "probability", "assets", "first_seen", "last_seen")},
        "entry": incident["entry_point"]["text"],
        "cost": incident["cost"],
        "findings": sorted(
            (finding["unit"], finding["because"].partition(" (")[0]) for finding in result.document["findings"]
        ),
    }


@pytest.fixture(scope="module")
def verdict(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("plain")
    return _verdict(write_story(folder / "evidence"), folder / "case")


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_the_verdict_stays(tmp_path: Path, verdict: dict[str, Any], change: Change) -> None:
    folder = write_story(tmp_path / "evidence")
    change(folder)
    assert _verdict(folder, tmp_path / "case") == verdict
