"""The shape of what a process computed and said, from its windows and its connections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from davylamp.kit.detection import Row
from davylamp.kit.findings import instant

# Readings come a second apart; a connection whose last one is this close to the end was open to the end.
SLACK = timedelta(seconds=3)
# An interpreter reads a megabyte before it computes; on a machine that many want it took four seconds.
STARTING = timedelta(seconds=5)
# A login and its answer: the shortest known are 81 and 39 bytes (knowledge base, detection methods 2.3).
LEAST_SAID_BYTES = 30
# Workers named beside the process that talks for them; a server has a hundred CPUs, a sentence has not.
WORKERS_NAMED_COUNT = 16
OPEN_STATES = ("established", "syn_sent", "close_wait")


@dataclass(frozen=True, slots=True)
class Shape:
    """Figures of one process.

    Args:
        cpu_ratio: CPUs used on average.
        connections_count: outgoing connections open at the end.
        bytes_seen: whether bytes of files and pipes could be read; else only the connections' bytes count.
        thin: the quietest connection that was open all the time, None where there is none.
        moved: whether that connection carried anything in the window.
        talked: whether it carried payload both ways in the window.
        answered: whether that connection has carried payload both ways in its life.
        tie: the loosest tie of who burns to who talks, as `query.sql` numbers them; 0 and 1 are one program.
        workers: those that burn and do not talk themselves, the busiest first.
    """

    first_at: datetime
    length_s: float
    cpu_ratio: float
    user_ratio: float
    bytes_per_cpu_s: float
    bytes_seen: bool
    members_count: int
    connections_count: int
    thin: Row | None
    thin_bytes_per_s: float
    moved: bool
    talked: bool
    answered: bool
    tie: int
    workers: tuple[Row, ...]


def shape_of(rows: Sequence[Row]) -> Shape | None:
    """The shape, or None where no CPU was used."""
    windows = [row for row in rows if row["kind"] == "window"]
    sockets = [row for row in rows if row["kind"] == "socket"]
    if not windows:
        return None
    first_at, last_at = instant(windows[0]["time"]), max(instant(row["end_time"]) for row in windows)
    user_s, system_s = _sum(windows, "cpu_user_s"), _sum(windows, "cpu_system_s")
    length_s = (last_at - first_at).total_seconds()
    cpu_s = user_s + system_s
    if length_s <= 0 or cpu_s <= 0:
        return None
    in_window = [row for row in sockets if instant(row["end_time"]) >= first_at]
    bytes_seen = any(row.get("transferred_bytes") is not None for row in windows)
    settled = _settled(windows)
    moved = _sum(settled, "transferred_bytes") + _sum(settled, "storage_bytes")
    settled_cpu_s = _sum(settled, "cpu_user_s") + _sum(settled, "cpu_system_s")
    thin, thin_bytes_per_s = _thin(in_window, first_at, last_at)
    return Shape(
        first_at=first_at,
        length_s=length_s,
        cpu_ratio=cpu_s / length_s,
        user_ratio=user_s / cpu_s,
        bytes_per_cpu_s=max(moved / settled_cpu_s, sum(_carried(row) for row in in_window) / cpu_s),
        bytes_seen=bytes_seen,
        members_count=max(_whole(row, "members_count") for row in windows),
        connections_count=sum(instant(row["end_time"]) >= last_at - SLACK for row in in_window),
        thin=thin,
        thin_bytes_per_s=thin_bytes_per_s,
        moved=thin is not None and _carried(thin) > 0,
        talked=thin is not None and min(_gained(thin, "out"), _gained(thin, "in")) > 0,
        answered=thin is not None
        and _whole(thin, "last_bytes_in") >= LEAST_SAID_BYTES
        and _whole(thin, "last_bytes_out") >= LEAST_SAID_BYTES,
        tie=max(_whole(row, "tie") for row in windows),
        workers=_workers(rows),
    )


def _workers(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Rows that name them as a process."""
    named = sorted(
        (row for row in rows if row["kind"] == "member" and _whole(row, "tie") > 0),
        key=lambda row: (-_number(row, "cpu_user_s"), _whole(row, "member_pid")),
    )
    return tuple(
        {"process_pid": row["member_pid"], "process_started_at": row["member_started_at"]}
        for row in named[:WORKERS_NAMED_COUNT]
    )


def _settled(windows: Sequence[Row]) -> Sequence[Row]:
    """The windows after the start, in which a program reads its libraries and its settings; all where that is all."""
    started_at = windows[0].get("process_started_at")
    if not isinstance(started_at, datetime):
        return windows
    settled = [row for row in windows if instant(row["time"]) >= instant(started_at) + STARTING]
    computed = any(_number(row, "cpu_user_s") + _number(row, "cpu_system_s") > 0 for row in settled)
    return settled if computed else windows


def _thin(sockets: Sequence[Row], first_at: datetime, last_at: datetime) -> tuple[Row | None, float]:
    """The quietest connection that spans the window, with its payload bytes a second both ways together."""
    spanning = [
        row
        for row in sockets
        if row["state"] in OPEN_STATES
        and instant(row["time"]) <= first_at + (last_at - first_at) / 2
        and instant(row["end_time"]) >= last_at - SLACK
    ]
    rated = [
        (_carried(row) / max(1.0, (instant(row["end_time"]) - instant(row["time"])).total_seconds()), index)
        for index, row in enumerate(spanning)
        if row["state"] != "syn_sent"
    ]
    if not rated:
        return None, 0.0
    # One that has carried something is the pool's; another that never spoke is not told instead of it.
    spoke = [each for each in rated if _whole(spanning[each[1]], "last_bytes_out") >= LEAST_SAID_BYTES]
    rate, index = min(spoke or rated)
    return spanning[index], rate


def _carried(row: Row) -> int:
    """Payload bytes between the first and the last reading."""
    return _gained(row, "out") + _gained(row, "in")


def _gained(row: Row, way: str) -> int:
    return max(0, _whole(row, f"last_bytes_{way}") - _whole(row, f"first_bytes_{way}"))


def _sum(rows: Sequence[Row], column: str) -> float:
    return sum(_number(row, column) for row in rows)


def _number(row: Row, column: str) -> float:
    value = row.get(column)
    return float(value) if isinstance(value, int | float) else 0.0


def _whole(row: Row, column: str) -> int:
    return int(_number(row, column))
