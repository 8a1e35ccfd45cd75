"""Writes the evidence that is measured: seeded, scalable, into a folder outside the repository."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import duckdb

from bench import evidence_sql as sql
from bench.packets import write_pcap

SEED = 20_260_301
# What the README's table is measured with, at `--scale 1`.
FLOW_ROWS_COUNT, DNS_ROWS_COUNT, TRAIL_EVENTS_COUNT, SSHD_LINES_COUNT = 20_000_000, 5_000_000, 2_000_000, 5_000_000
CAPTURE_BYTES = 1_000_000_000
EVENTS_PER_FILE_COUNT = 5_000
# A delimiter and no quoting: each row is one column of ready text.
_TEXT = "FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01'"


def _scaled(count: int, scale: float) -> int:
    return max(1_000, int(count * scale))


def _copy(select: str, target: Path, options: str) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET memory_limit = '4GB'")
        connection.execute(f"COPY ({select}) TO '{target}' ({options})")


def flow_text(folder: Path, scale: float) -> int:
    """VPC flow records as gzip text in the default format, with its header."""
    rows_count = _scaled(FLOW_ROWS_COUNT, scale)
    _copy(
        sql.flow_rows(rows_count, SEED), folder / "flow.log.gz", "FORMAT csv, DELIMITER ' ', HEADER, COMPRESSION gzip"
    )
    return rows_count


def flow_parquet(folder: Path, scale: float) -> int:
    """The same records as Parquet."""
    rows_count = _scaled(FLOW_ROWS_COUNT, scale)
    _copy(sql.flow_rows(rows_count, SEED), folder / "flow.parquet", "FORMAT parquet")
    return rows_count


def resolver_json(folder: Path, scale: float) -> int:
    """Route 53 Resolver records as gzip JSON lines."""
    rows_count = _scaled(DNS_ROWS_COUNT, scale)
    _copy(sql.resolver_rows(rows_count, SEED), folder / "resolver.json.gz", "FORMAT json, COMPRESSION gzip")
    return rows_count


def zeek_dns(folder: Path, scale: float) -> int:
    """Zeek's dns.log as plain text."""
    rows_count = _scaled(DNS_ROWS_COUNT, scale)
    body = folder / "dns.body"
    _copy(sql.zeek_lines(rows_count, SEED), body, _TEXT)
    with (folder / "dns.log").open("wb") as target, body.open("rb") as lines:
        target.write(sql.ZEEK_HEADER.encode())
        while block := lines.read(1 << 22):
            target.write(block)
    body.unlink()
    return rows_count


def trail_files(folder: Path, scale: float) -> int:
    """CloudTrail as it is delivered: many gzip files, each a `Records` array."""
    events_count = _scaled(TRAIL_EVENTS_COUNT // 2, scale)
    files = folder / "trail"
    files.mkdir()
    for number, first in enumerate(range(0, events_count, EVENTS_PER_FILE_COUNT)):
        count = min(EVENTS_PER_FILE_COUNT, events_count - first)
        events = sql.trail_events(first, count, events_count, SEED)
        whole = f'SELECT list(event) AS "Records" FROM ({events}) AS event'
        _copy(whole, files / f"{number:05}.json.gz", "FORMAT json, COMPRESSION gzip")
    return events_count


def trail_lines(folder: Path, scale: float) -> int:
    """CloudTrail as one file of JSON lines."""
    events_count = _scaled(TRAIL_EVENTS_COUNT // 2, scale)
    _copy(sql.trail_events(0, events_count, events_count, SEED + 1), folder / "trail.json", "FORMAT json")
    return events_count


def dns_log(folder: Path, scale: float) -> int:
    """dnsmasq's log, plain text: a question and its answer in turn."""
    questions_count = _scaled(DNS_ROWS_COUNT, scale) // 2
    _copy(sql.dnsmasq_lines(questions_count, SEED), folder / "dnsmasq.log", _TEXT)
    return 2 * questions_count


def sshd(folder: Path, scale: float) -> int:
    """auth.log, plain text."""
    lines_count = _scaled(SSHD_LINES_COUNT, scale)
    _copy(sql.sshd_lines(lines_count, SEED), folder / "auth.log", _TEXT)
    return lines_count


def capture(folder: Path, scale: float) -> int:
    """A pcap of many interleaved connections; its rows are packets."""
    return write_pcap(folder / "capture.pcap", max(1_000_000, int(CAPTURE_BYTES * scale)), SEED)


GENERATORS: dict[str, Callable[[Path, float], int]] = {
    "flow_text": flow_text,
    "flow_parquet": flow_parquet,
    "resolver_json": resolver_json,
    "zeek_dns": zeek_dns,
    "trail_files": trail_files,
    "trail_lines": trail_lines,
    "dns_log": dns_log,
    "sshd": sshd,
    "capture": capture,
}


def main() -> None:
    """Writes one kind of evidence and prints how many rows it has (run as a process of its own)."""
    parser = argparse.ArgumentParser(prog="python -m bench.evidence")
    parser.add_argument("name", choices=sorted(GENERATORS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("scale", type=float)
    chosen = parser.parse_args()
    print(GENERATORS[chosen.name](chosen.folder, chosen.scale))


if __name__ == "__main__":
    main()
