"""Connections of a capture take their process, and their direction, from what the host's sensor saw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from davylamp.model.events import EVENT_CLASSES
from davylamp.store.case import StoredPart
from davylamp.store.engine import DuckEngine
from davylamp.store.stored_views import create_stored_views
from davylamp.store.views import create_views

SENSOR = {
    "time": "TIMESTAMP '2026-11-27 10:00:00'", "src_ip": "'10.0.0.5'", "src_port": "40000", "dst_ip": "'10.0.0.9'",
    "dst_port": "41000", "process_pid": "77", "process_name": "'worker'", "device_name": "'web1'",
}  # fmt: skip
FLOW = {
    "time": "TIMESTAMP '2026-11-27 10:00:05'", "end_time": "TIMESTAMP '2026-11-27 10:01:00'",
    "src_ip": "'10.0.0.5'", "src_port": "40000", "dst_ip": "'10.0.0.9'", "dst_port": "41000", "bytes_out": "100",
    "bytes_in": "900", "packets_out": "1", "packets_in": "9", "payload_out": "'share'::BLOB",
    "payload_in": "'job'::BLOB", "message_sizes_bytes": "[10, -90]",
}  # fmt: skip
GUESSED = FLOW | {
    "src_ip": "'10.0.0.9'", "src_port": "41000", "dst_ip": "'10.0.0.5'", "dst_port": "40000", "bytes_out": "900",
    "bytes_in": "100", "packets_out": "9", "packets_in": "1", "payload_out": "'job'::BLOB",
    "payload_in": "'share'::BLOB", "message_sizes_bytes": "[-10, 90]",
}  # fmt: skip


def connections(
    tmp_path: Path, flow: dict[str, str], direction: str = "'outgoing'", both_ends: bool = False
) -> list[dict[str, Any]]:
    engine = DuckEngine(1 << 28, tmp_path)
    try:
        create_stored_views(engine, {})
        sensor = [
            SENSOR | {"direction": direction},
            SENSOR | {"direction": direction, "time": "TIMESTAMP '2026-11-27 10:05:00'"},
        ]
        if both_ends:
            ends = {name: SENSOR[other] for name, other in (("src_ip", "dst_ip"), ("src_port", "dst_port"))}
            others = {name: SENSOR[other] for name, other in (("dst_ip", "src_ip"), ("dst_port", "src_port"))}
            sensor += [row | ends | others | {"process_pid": "88"} for row in sensor]
        _fill(engine, "socket_usage", sensor)
        _fill(engine, "network_activity", [flow])
        parts = {name: (StoredPart("x", ("time",)),) for name in ("network_activity", "socket_usage")}
        create_views(engine, parts, {})
        return engine.rows("SELECT * FROM network_activity")
    finally:
        engine.close()


def _fill(engine: DuckEngine, name: str, rows: list[dict[str, str]]) -> None:
    selects = [
        ", ".join(f'CAST({row.get(column.name, "NULL")} AS {column.type}) AS "{column.name}"' for column in stored)
        for row in rows
        for stored in (EVENT_CLASSES[name].stored,)
    ]
    engine.execute(f"CREATE TABLE {name}_rows AS {' UNION ALL '.join(f'SELECT {each}' for each in selects)}")
    engine.execute(f"CREATE OR REPLACE VIEW {name}_stored AS SELECT * FROM {name}_rows")


@pytest.mark.parametrize("flow", [FLOW, GUESSED], ids=["as_opened", "guessed_wrong_in_the_middle"])
def test_a_connection_has_its_process_and_the_end_that_opened_it_is_its_source(
    tmp_path: Path, flow: dict[str, str]
) -> None:
    (row,) = connections(tmp_path, flow)
    assert (row["src_ip"], row["src_port"], row["dst_ip"], row["dst_port"]) == ("10.0.0.5", 40000, "10.0.0.9", 41000)
    assert (row["bytes_out"], row["bytes_in"], row["packets_out"], row["packets_in"]) == (100, 900, 1, 9)
    assert (row["payload_out"], row["payload_in"]) == (b"share", b"job")
    assert row["message_sizes_bytes"] == [10, -90]
    assert (row["process_pid"], row["process_name"], row["asset"]) == (77, "worker", "web1")


def test_what_the_sensor_saw_come_in_turns_nothing(tmp_path: Path) -> None:
    (row,) = connections(tmp_path, GUESSED, "'incoming'")
    assert (row["src_ip"], row["bytes_out"], row["process_pid"]) == ("10.0.0.9", 900, None)


def test_where_both_ends_are_here_and_neither_is_known_to_have_opened_it_nothing_is_turned(tmp_path: Path) -> None:
    (row,) = connections(tmp_path, FLOW, both_ends=True)
    assert (row["src_ip"], row["process_pid"]) == ("10.0.0.5", 77)
