"""The candidate query's first looks leave out only what its definition does: every connection of every log, plainly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest

from davylamp.catalog.detections.mining_flow_candidate.unit import MiningFlowCandidate
from davylamp.kit import registry
from davylamp.kit.query import ask
from davylamp.model.events import EVENT_CLASSES
from davylamp.store.engine import DuckEngine
from davylamp.store.stored_views import create_stored_views
from davylamp.store.views import create_views

_START = datetime(2026, 3, 1, tzinfo=UTC).replace(tzinfo=None)
_QUERY = registry.query_of(MiningFlowCandidate())
_PARAMS = dict(MiningFlowCandidate.params)
_TIMES = ("time", "end_time")
_TEXTS = ("src_ip", "dst_ip", "protocol", "action", "path", "asset", "peer_asset")
_NUMBERS = ("src_port", "dst_port", "bytes_out", "bytes_in", "packets_out", "packets_in", "line")
_SCHEMA = pa.schema(
    [(name, pa.timestamp("us")) for name in _TIMES]
    + [(name, pa.string()) for name in _TEXTS]
    + [(name, pa.int64()) for name in _NUMBERS]
)
Row = dict[str, object]
Key = tuple[str, int, str, int]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DuckEngine]:
    opened = DuckEngine(256 << 20, tmp_path)
    create_stored_views(opened, {})
    create_views(opened, {}, {})
    yield opened
    opened.close()


def log(dice: Random) -> list[Row]:
    """Connections of six addresses, two a machine, recorded every five minutes, one-way or two-way."""
    rows: list[Row] = []
    for _ in range(dice.randrange(1, 24)):
        local, remote = f"10.0.0.{dice.randrange(6)}", dice.choice(["20.1.0.1", "30.1.0.1", "52.1.1.2", "192.168.7.7"])
        ends = (local, dice.choice([40_000, 50_001, 1_023]), remote, dice.choice([443, 3333, 60_000]))
        two_way, begin_s, size = dice.random() < 0.4, dice.randrange(900), dice.choice([2_000, 9_000, 200_000])
        ways = [dice.random() < 0.8] if two_way else [True, False][: dice.choice([1, 2, 2, 2])]
        for place in range(dice.choice([4, 14, 20])):
            at = _START + timedelta(seconds=begin_s + 300 * place)
            for out in ways:
                rows.append(
                    _row(ends, out, at, at + timedelta(seconds=dice.choice([100, 299])), size, two_way, len(rows))
                )
    return rows


def _row(ends: Key, out: bool, at: datetime, until: datetime, size: int, two_way: bool, line: int) -> Row:
    source, target = (ends[:2], ends[2:]) if out else (ends[2:], ends[:2])
    return {
        "time": at,
        "end_time": until,
        "src_ip": source[0],
        "src_port": source[1],
        "dst_ip": target[0],
        "dst_port": target[1],
        "protocol": "tcp",
        "action": "accept" if line % 40 else "reject",
        "bytes_out": size,
        "packets_out": size // 500,
        "bytes_in": size if two_way else None,
        "packets_in": size // 500 if two_way else None,
        "path": "flow.log",
        "line": line,
        "asset": _machine(str(source[0])) or source[0],
        "peer_asset": _machine(str(target[0])),
    }


def _machine(address: str) -> str | None:
    """Two addresses a machine, so that addresses are not machines."""
    return f"machine{int(address[-1]) // 2}" if address.startswith("10.0.0.") else None


def by_definition(rows: list[Row]) -> set[Key]:
    """Connections that the unit's page calls candidates."""
    connections: dict[Key, list[tuple[float, float, int, int]]] = defaultdict(list)
    machines: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        one, other = (row["src_ip"], row["src_port"]), (row["dst_ip"], row["dst_port"])
        sent, got = int(str(row["bytes_out"])), int(str(row["bytes_in"] or 0))
        times = [(moment - _START).total_seconds() for moment in (row["time"], row["end_time"])]  # type: ignore[operator]
        for local, remote, counts in ((one, other, (sent, got)), (other, one, (got, sent))):
            pool = remote[1] == 3333
            if row["action"] == "reject" or local[1] < 1024 or not (remote[1] < local[1] or pool):  # type: ignore[operator]
                continue
            if not str(remote[0]).startswith(("10.", "192.168.")):
                key: Key = (*local, *remote)  # type: ignore[assignment]
                connections[key].append((times[0], times[1], *counts))
                machines[str(remote[0])].add(_machine(str(local[0])) or str(local[0]))
    return {key for key, held in connections.items() if len(machines[key[2]]) <= 2 and _thin(held)}


def _thin(held: list[tuple[float, float, int, int]]) -> bool:
    span_s = max(end for _, end, _, _ in held) - min(begin for begin, _, _, _ in held)
    covered_s = sum(end - begin for begin, end, sent, _ in held if sent)
    totals = [sum(record[place] for record in held) for place in (2, 3)]
    return span_s > 3600 and covered_s >= span_s / 2 and all(3 * span_s <= total <= 270 * span_s for total in totals)


def test_the_query_finds_what_the_definition_does(engine: DuckEngine) -> None:
    dice, found_count, shared_count = Random(20260301), 0, 0
    columns = {column.name: column.type for column in EVENT_CLASSES["network_activity"].stored}
    absent = [f'CAST(NULL AS {kind}) AS "{name}"' for name, kind in columns.items() if name not in _SCHEMA.names]
    for _ in range(120):
        rows = log(dice)
        engine.register("records", pa.Table.from_pylist(rows, schema=_SCHEMA))
        engine.execute(f"CREATE OR REPLACE VIEW network_activity AS SELECT *, {', '.join(absent)} FROM records")
        engine.execute("CREATE OR REPLACE VIEW network_activity_bare AS SELECT * FROM network_activity")
        engine.keep(
            "network_peer", "SELECT dst_ip AS ip FROM records UNION SELECT src_ip FROM records WHERE bytes_in > 0"
        )
        # All of an asset's candidates, not the first three: which three is a matter of order.
        answered = ask(engine, _QUERY, {**_PARAMS, "candidates_count_most": 1000})
        found = {
            tuple(row[name] for name in ("local_ip", "local_port", "remote_ip", "remote_port")) for row in answered
        }
        assert found == by_definition(rows)
        found_count += len(found)
        shared_count += len({row["asset"] for row in rows if row["dst_ip"] == "20.1.0.1"}) > 2
        engine.unregister("records")
    assert found_count > 20
    assert shared_count > 20
