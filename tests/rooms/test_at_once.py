"""Rows made at once come out as the source's own SQL makes them line by line."""

from __future__ import annotations

import io
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davylamp.catalog.sources.aws_vpc_flow.fields import DEFAULT_FORMAT
from davylamp.catalog.sources.aws_vpc_flow.unit import AwsVpcFlow
from davylamp.catalog.sources.zeek.unit import Zeek
from davylamp.ingest import at_once, fields, lines, parquet_fields
from davylamp.ingest.at_once import row_batches
from davylamp.ingest.lines import RejectBox
from davylamp.ingest.normalize import normalize_sql
from davylamp.ingest.part_writer import PartWriter, part_schema
from davylamp.kit.sample import Sample
from davylamp.kit.source import SqlPlan
from davylamp.model.events import EVENT_CLASSES
from davylamp.store.engine import DuckEngine

GOOD = "2 1 eni-1 10.0.0.5 198.51.100.9 40122 3333 6 20 4249 1740830400 1740830460 ACCEPT OK"
NODATA = "2 1 eni-1 - - - - - - - 1740830400 1740830460 - NODATA"
CUSTOM_FORMAT = (
    "pkt-srcaddr srcaddr dstaddr pkt-dstaddr srcport dstport protocol bytes start end flow-direction instance-id"
    " interface-id account-id tcp-flags action log-status"
)
CUSTOM = "10.0.0.5 10.0.0.9 198.51.100.9 - 40122 3333 17 42 1740830400 1740830460 egress i-1 eni-1 unknown 18 REJECT OK"
ZEEK_DNS_HEADER = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tdns\n#fields\tts\tuid"
    "\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tquery\tqtype_name\trcode_name\tanswers"
)
ZEEK_DNS = "1740830400.000310\tC1\t10.0.0.5\t40122\t10.0.0.2\t53\tudp\tPool.Example.\tA\tNOERROR\ta.example,192.0.2.1"
ZEEK_CONN_HEADER = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n#fields\tts\tid.orig_h"
    "\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\tconn_state\tlocal_orig"
    "\tlocal_resp\torig_pkts\tresp_pkts"
)
ZEEK_CONN = "1740830400.5\t10.0.0.5\t40122\t192.0.2.1\t443\ttcp\tssl\t62.25\t1200\t3400\tSF\tT\tF\t12\t20"
_wholes = ("0", "007", "65535", "65536", "-", "-1", "", "+5", "0x1F", "1_0", "9" * 20, "x", "4102444800")
_fractions = ("1.0", "1e3", "1e9", "1740830400.0000005", "1740830400.0000015", "0.49999999999999994", "inf", "nan")
_numbers = st.sampled_from([*_wholes, *_fractions, "2025-03-01T12:00:00Z"])
_texts = st.sampled_from(
    ["-", "", "eni-1", "10.0.0.5", "::1", '"', 'a"b', "é", "É", "\x00", "srcaddr", "a\tb", "unknown", "1", "ingress"]
)
_words = st.sampled_from(
    ["NODATA", "SKIPDATA", "Reject", "1" * 46, "(empty)", ".", "..", "a..", "Ä.", "a,,b", ",", "T", "F", "true", "#"]
)
_odd = st.one_of(
    st.sampled_from(["", " ", "\r", "a\rb", GOOD + "\r", GOOD + " x", DEFAULT_FORMAT, "#", NODATA]),
    st.text(max_size=20),
)

_FORMATS = [(DEFAULT_FORMAT, GOOD), (CUSTOM_FORMAT, CUSTOM), (ZEEK_DNS_HEADER, ZEEK_DNS), (ZEEK_CONN_HEADER, ZEEK_CONN)]


@st.composite
def _record(draw: st.DrawFn, good: str) -> str:
    delimiter = "\t" if "\t" in good else " "
    parts = good.split(delimiter)
    place = draw(st.integers(0, len(parts) - 1))
    parts[place] = draw(_numbers if parts[place][:1].isdigit() else st.one_of(_texts, _words))
    return delimiter.join(parts)


def _bodies(good: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.one_of(st.just(good), st.just(good), _record(good), _record(good), _odd), max_size=12)


def _plan(header: str, good: str) -> SqlPlan:
    head = (header + "\n" + good + "\n").encode()
    source = Zeek() if header.startswith("#") else AwsVpcFlow()
    plan = source.plan(Sample("evidence", head, whole=True), datetime(2026, 3, 1, tzinfo=UTC))
    assert plan.at_once is not None
    return plan


def _rows(plan: SqlPlan, data: bytes, block_bytes: int, *, shortcut: bool) -> tuple[list[dict[str, object]], int]:
    assert plan.at_once is not None and plan.staged_class is not None
    event_class = EVENT_CLASSES[plan.staged_class]
    schema = part_schema(event_class, plan.at_once.columns, plan.at_once.repeated)
    box, found = RejectBox(), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK_BYTES", block_bytes)
        if not shortcut:
            patch.setattr(fields.FieldCutter, "batch", lambda *_: None)
        for batch in row_batches(plan, event_class, schema, io.BytesIO(data), box):
            found += [{"reject": None} | row for row in pa.Table.from_batches([batch]).to_pylist()]
    return found, box.count


@pytest.mark.parametrize(("header", "good"), _FORMATS)
@given(st.data(), st.booleans(), st.sampled_from(["\n", "\r\n"]), st.sampled_from([150, 4096]))
@settings(max_examples=40, deadline=None)
def test_rows_made_at_once_and_line_by_line_agree(
    header: str, good: str, data: st.DataObject, headed: bool, end: str, block_bytes: int
) -> None:
    body = data.draw(_bodies(good))
    text = end.join([*([header.replace("\n", end)] if headed else []), *body]).encode()
    plan = _plan(header, good)
    assert _rows(plan, text, block_bytes, shortcut=True) == _rows(plan, text, block_bytes, shortcut=False)


@pytest.mark.parametrize(("header", "good"), _FORMATS)
def test_plain_records_are_made_at_once(monkeypatch: pytest.MonkeyPatch, header: str, good: str) -> None:
    monkeypatch.setattr(at_once._LineByLine, "rows", lambda *_: pytest.fail("a plain block went line by line"))
    data = "\n".join([header, *[good] * 3, ""]).encode()
    rows, _ = _rows(_plan(header, good), data, 4096, shortcut=True)
    before = header.count("\n") + 2
    assert [row["line"] for row in rows] == [before, before + 1, before + 2]
    assert rows[0]["byte_offset"] == len(header) + 1


def test_records_that_say_there_was_nothing_are_left_out_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_once._LineByLine, "rows", lambda *_: pytest.fail("a plain block went line by line"))
    rows, rejected_count = _rows(
        _plan(DEFAULT_FORMAT, GOOD), f"{NODATA}\n{GOOD}\n{NODATA}\n".encode(), 4096, shortcut=True
    )
    assert ([row["line"] for row in rows], rejected_count) == ([2], 0)


def test_rejects_come_in_the_order_of_the_file() -> None:
    """Blocks are cut ahead of the rows before them; a line that is too long is found by the cutting."""
    plan = _plan(DEFAULT_FORMAT, GOOD)
    assert plan.at_once is not None and plan.staged_class is not None
    bad, long = GOOD.replace("40122", "many"), "x" * (lines.MAX_LINE_BYTES + 9)
    body = [*[GOOD] * 50_000, bad, *[GOOD] * 50_000, long, *[GOOD] * 50_000, bad, bad]
    event_class = EVENT_CLASSES[plan.staged_class]
    schema = part_schema(event_class, plan.at_once.columns, plan.at_once.repeated)
    box, rows_count = RejectBox(), 0
    with tempfile.TemporaryDirectory() as folder:
        writer = PartWriter(Path(folder) / "rows.parquet", event_class, schema, "evidence")
        with writer:
            for rows in row_batches(plan, event_class, schema, io.BytesIO("\n".join(body).encode()), box):
                writer.write(rows, box)
                rows_count += rows.num_rows
    at = [body.index(bad) + 1, body.index(long) + 1, len(body) - 1, len(body)]
    assert ([reject.line for reject in box.kept], box.count) == (at, 4)
    assert rows_count == 150_000 + 3


_ADDRESSES = st.sampled_from(["10.0.0.5", "198.51.100.9", "::1", "-", "no address", "", None])
_RECORD = st.fixed_dictionaries(
    {
        "srcaddr": _ADDRESSES,
        "dstaddr": _ADDRESSES,
        "srcport": st.sampled_from([0, 443, 65535, 65536, -1, None]),
        "bytes": st.sampled_from([0, 42, -1, 2**62, None]),
        "start": st.sampled_from([1740830400, 4102444800, 2**40, -1, None]),
        "end": st.sampled_from([1740830460, 4102444799, 2**33, None]),
        "protocol": st.sampled_from([6, 17, 1, 47, None]),
        "action": st.sampled_from(["ACCEPT", "Reject", "\u00c9", "-", None]),
        "flow_direction": st.sampled_from(["ingress", "Egress", "-", None]),
        "account_id": st.sampled_from(["1", "unknown", None]),
        "log_status": st.sampled_from(["OK", "OK", "OK", "NODATA", "SKIPDATA", None]),
    }
)
_PLAIN_RECORD = {
    "srcaddr": "10.0.0.5",
    "dstaddr": "198.51.100.9",
    "srcport": 40122,
    "bytes": 42,
    "start": 1740830400,
    "end": 1740830460,
    "protocol": 6,
    "action": "ACCEPT",
    "flow_direction": "egress",
    "account_id": "1",
    "log_status": "OK",
}


def _parquet_rows(file: Path, *, shortcut: bool) -> tuple[list[dict[str, object]], list[tuple[int | None, str]]]:
    plan = AwsVpcFlow().plan(Sample(str(file), file.read_bytes()[:64], whole=True), datetime(2026, 3, 1, tzinfo=UTC))
    assert plan.at_once is not None
    used = plan if shortcut else replace(plan, at_once=None)
    engine = DuckEngine(256 << 20, file.parent)
    try:
        made = normalize_sql(engine, used, str(file), b"PAR1", io.BytesIO(), file.parent)
        names = ", ".join(f'"{name}"' for name in (*plan.at_once.columns, "path"))
        rows = [
            row
            for part in made.parts
            for row in engine.rows(f"SELECT {names} FROM '{part.written}' WHERE reject IS NULL ORDER BY line")
        ]
    finally:
        engine.close()
    return rows, [(reject.line, reject.reason) for reject in made.rejects.kept]


@given(
    st.lists(st.one_of(st.just(_PLAIN_RECORD), _RECORD), min_size=1, max_size=8),
    st.booleans(),
    st.sampled_from([2, 100]),
)
@settings(max_examples=60, deadline=None)
def test_parquet_at_once_and_by_sql_agree(
    records: list[dict[str, object]], dictionaries: bool, batch_rows: int
) -> None:
    texts = {name for name, value in _PLAIN_RECORD.items() if isinstance(value, str)}
    schema = pa.schema([(name, pa.string() if name in texts else pa.int64()) for name in _PLAIN_RECORD])
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet_fields, "_BATCH_ROWS", batch_rows)
        file = Path(folder) / "flows.parquet"
        pq.write_table(pa.Table.from_pylist(records, schema), file, use_dictionary=dictionaries)
        assert _parquet_rows(file, shortcut=True) == _parquet_rows(file, shortcut=False)


def test_plain_parquet_is_read_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(at_once._LineByLine, "rows", lambda *_: pytest.fail("plain rows went through SQL"))
    file = tmp_path / "flows.parquet"
    pq.write_table(pa.Table.from_pylist([_PLAIN_RECORD] * 3), file)
    rows, rejects = _parquet_rows(file, shortcut=True)
    assert ([row["line"] for row in rows], rejects) == ([1, 2, 3], [])
    assert rows[0]["interface_ip"] == "10.0.0.5"
