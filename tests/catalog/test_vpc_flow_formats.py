"""A custom format is any choice of fields in any order: each is read, as text and as Parquet alike."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from davylamp.ingest.read_file import read_file
from davylamp.ingest.walk import Found
from davylamp.kit import registry
from davylamp.kit.engine import literal
from davylamp.store.engine import DuckEngine

_MEMORY_BYTES = 256 << 20
_NUMBERS = "version srcport dstport protocol packets bytes start end tcp-flags"
_FIELDS = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action"
    " log-status vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr region az-id flow-direction"
    " traffic-path reject-reason tgw-id"
)
_RECORD = (
    "5 123456789012 eni-1 10.0.0.5 198.51.100.4 1000 3333 6 5 500 1738558860 1738558915 ACCEPT"
    " OK vpc-1 subnet-1 i-0abc12345 2 IPv4 10.0.0.5 198.51.100.4 us-east-1 use1-az1 egress"
    " 8 - tgw-1"
)
_SENT = dict(zip(_FIELDS.split(), _RECORD.split(), strict=True))
_ANSWERED = _SENT | {
    "srcaddr": _SENT["dstaddr"],
    "dstaddr": _SENT["srcaddr"],
    "pkt-srcaddr": _SENT["pkt-dstaddr"],
    "pkt-dstaddr": _SENT["pkt-srcaddr"],
    "flow-direction": "ingress",
}
_RECORDS = (_SENT, _ANSWERED, _SENT | {"srcport": "-", "dstport": "-", "instance-id": "-"})
_FORMATS = st.tuples(
    st.sampled_from((("srcaddr", "dstaddr"), ("pkt-srcaddr", "pkt-dstaddr"))),
    st.sampled_from((("start",), ("end",), ("start", "end"))),
    st.sets(st.sampled_from(sorted(_SENT))),
).flatmap(lambda parts: st.permutations(sorted({*parts[0], *parts[1], *parts[2]})))


def _typed(name: str, text: str) -> str | int | None:
    if text == "-":
        return None
    return int(text) if name in _NUMBERS.split() else text


def _rows(path: Path, folder: Path, engine: DuckEngine) -> dict[str, list[dict[str, object]]]:
    result = read_file(Found(str(path)), registry.sources(), engine, folder, _MEMORY_BYTES)
    assert result.coverage.state == "read", result.coverage
    assert result.normalized is not None
    found = {}
    for part in result.normalized.parts:
        rows = engine.rows(f"SELECT * EXCLUDE (path) FROM read_parquet({literal(str(part.written))}) ORDER BY line")
        found[part.event_class] = [
            {name: value for name, value in row.items() if value is not None and name not in ("line", "byte_offset")}
            for row in rows
        ]
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_FORMATS)
def test_every_choice_of_fields_is_read_alike_from_text_and_parquet(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        engine = DuckEngine(_MEMORY_BYTES, folder)
        text, table = folder / "text", folder / "table"
        lines = [names, *([record[name] for name in names] for record in _RECORDS)]
        text.write_text("".join(" ".join(line) + "\n" for line in lines), encoding="utf-8")
        columns = {name: pa.array([_typed(name, record[name]) for record in _RECORDS]) for name in names}
        pq.write_table(pa.table({name.replace("-", "_"): column for name, column in columns.items()}), table)
        from_text, from_table = _rows(text, folder, engine), _rows(table, folder, engine)
    assert len(from_text["network_activity"]) == len(_RECORDS)
    assert from_text == from_table
    states = {"instance-id", "flow-direction", "srcaddr", "dstaddr"} <= set(names)
    assert ("device_inventory" in from_text) == states
