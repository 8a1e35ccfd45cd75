"""sshd's lines out of logs that rotate, are cut, flood, or fill the disk: forwarded once, bounded, counted."""

from __future__ import annotations

import os
from pathlib import Path

from davylamp.agent.log_tail import LinesFolder, LogTails

LINE = "Nov 27 02:00:{:02d} web1 sshd[{}]: Failed password for root from 192.0.2.7 port 4000 ssh2\n"


def tails(root: Path) -> LogTails:
    (root / "var/log").mkdir(parents=True, exist_ok=True)
    return LogTails.of_host(str(root / "logs"), str(root))


def forwarded(root: Path) -> list[str]:
    return [line for path in sorted((root / "logs").iterdir()) for line in path.read_text().splitlines(keepends=True)]


def log(root: Path, name: str = "auth.log") -> Path:
    return root / "var/log" / name


def test_lines_of_sshd_are_forwarded_and_others_are_not(tmp_path: Path) -> None:
    followed = tails(tmp_path)
    log(tmp_path).write_text(LINE.format(1, 7) + "Nov 27 02:00:01 web1 CRON[1]: session opened\n")
    followed.poll()
    with log(tmp_path).open("a") as out:
        out.write(LINE.format(2, 8))
    followed.poll()
    followed.close()
    assert forwarded(tmp_path) == [LINE.format(1, 7), LINE.format(2, 8)]


def test_a_line_that_is_not_whole_yet_waits(tmp_path: Path) -> None:
    followed = tails(tmp_path)
    line = LINE.format(1, 7)
    for part in (line[:20], line[20:50], line[50:]):
        with log(tmp_path).open("a") as out:
            out.write(part)
        followed.poll()
    followed.close()
    assert forwarded(tmp_path) == [line]


def test_rotation_and_cutting_lose_nothing(tmp_path: Path) -> None:
    followed = tails(tmp_path)
    log(tmp_path).write_text(LINE.format(1, 1))
    followed.poll()
    with log(tmp_path).open("a") as out:
        out.write(LINE.format(2, 2))
    log(tmp_path).rename(log(tmp_path, "auth.log.1"))
    followed.poll()
    log(tmp_path).write_text(LINE.format(3, 3))
    followed.poll()
    os.truncate(log(tmp_path), 0)
    followed.poll()
    with log(tmp_path).open("a") as out:
        out.write(LINE.format(4, 4))
    followed.poll()
    followed.close()
    assert forwarded(tmp_path) == [LINE.format(number, number) for number in (1, 2, 3, 4)]


def test_a_new_start_forwards_no_line_twice(tmp_path: Path) -> None:
    log_lines = [LINE.format(number, number) for number in range(4)]
    for line in log_lines:
        followed = tails(tmp_path)
        with log(tmp_path).open("a") as out:
            out.write(line)
        followed.poll()
        followed.close()
    assert forwarded(tmp_path) == log_lines


def test_a_long_log_is_begun_near_its_end_at_a_whole_line(tmp_path: Path) -> None:
    line = LINE.format(1, 1)
    followed = tails(tmp_path)
    log(tmp_path).write_text(line * 40_000)
    followed.poll()
    followed.close()
    lines = forwarded(tmp_path)
    assert set(lines) == {line}
    assert 1 << 19 < sum(map(len, lines)) <= 1 << 20


def test_a_flood_is_passed_over_and_counted(tmp_path: Path) -> None:
    followed = tails(tmp_path)
    log(tmp_path).write_text(LINE.format(1, 1))
    followed.poll()
    with log(tmp_path).open("a") as out:
        out.write(LINE.format(2, 2) * 80_000)
    followed.poll()
    _, passed_bytes = followed.take_lost()
    followed.close()
    assert passed_bytes > 1 << 20
    assert set(forwarded(tmp_path)) == {LINE.format(1, 1), LINE.format(2, 2)}


def test_what_is_kept_is_bounded(tmp_path: Path) -> None:
    folder = LinesFolder(str(tmp_path / "kept"), "auth-", ".log", file_bytes=1000, total_bytes=5000)
    for number in range(2000):
        folder.write([f"{number}\n".encode()])
    sizes = [path.stat().st_size for path in (tmp_path / "kept").iterdir()]
    assert sum(sizes) <= 5000
    assert (sorted((tmp_path / "kept").iterdir())[-1]).read_text().endswith("1999\n")


def test_a_log_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    followed = tails(tmp_path)
    followed.poll()
    followed.close()
    assert followed.take_lost() == (0, 0)
