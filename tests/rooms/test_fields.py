"""Fields cut many at a time come out as the source's own SQL says of each line."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davylamp.catalog.sources.aws_vpc_flow.fields import DEFAULT_FORMAT
from davylamp.catalog.sources.aws_vpc_flow.unit import AwsVpcFlow
from davylamp.ingest import fields, lines
from davylamp.ingest.fields import field_batches
from davylamp.ingest.lines import RejectBox
from davylamp.kit.sample import Sample
from davylamp.kit.source import Fields

GOOD = "2 1 eni-1 10.0.0.5 198.51.100.9 40122 3333 6 20 4249 1740830400 1740830460 ACCEPT OK"
_numbers = st.sampled_from(
    ["0", "007", "65535", "65536", "-", "-1", "", "1.0", "1e3", "+5", "0x1F", "1_0", "9" * 20, "x"]
)
_texts = st.sampled_from(["-", "", "eni-1", "10.0.0.5", "::1", '"', 'a"b', "é", "\x00", "srcaddr", "a\tb"])
_odd = st.one_of(
    st.sampled_from(["", " ", "\r", "a\rb", GOOD + "\r", GOOD + " x", DEFAULT_FORMAT, "#"]), st.text(max_size=20)
)


@st.composite
def _record(draw: st.DrawFn) -> str:
    parts = GOOD.split(" ")
    place = draw(st.integers(0, len(parts) - 1))
    parts[place] = draw(_numbers if 5 <= place <= 11 and place != 7 else _texts)
    return " ".join(parts)


_bodies = st.lists(st.one_of(st.just(GOOD), st.just(GOOD), _record(), _odd), max_size=12)


def _layout() -> Fields:
    head = (DEFAULT_FORMAT + "\n" + GOOD + "\n").encode()
    layout = AwsVpcFlow().plan(Sample("evidence", head, whole=True), datetime(2026, 3, 1, tzinfo=UTC)).fields
    assert layout is not None
    return layout


def _rows(data: bytes, block_bytes: int, *, at_once: bool) -> tuple[list[dict[str, object]], int]:
    box, found = RejectBox(), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK_BYTES", block_bytes)
        if not at_once:
            patch.setattr(fields._AtOnce, "batch", lambda *_: None)
        for batch in field_batches(io.BytesIO(data), _layout(), box):
            found += pa.Table.from_batches([batch]).to_pylist()
    return found, box.count


@given(_bodies, st.booleans(), st.sampled_from(["\n", "\r\n"]), st.sampled_from([150, 4096]))
@settings(max_examples=40, deadline=None)
def test_cut_at_once_and_line_by_line_agree(body: list[str], headed: bool, end: str, block_bytes: int) -> None:
    data = end.join([*([DEFAULT_FORMAT] if headed else []), *body]).encode()
    assert _rows(data, block_bytes, at_once=True) == _rows(data, block_bytes, at_once=False)


def test_plain_records_are_cut_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fields._LineByLine, "batch", lambda *_: pytest.fail("a plain block went line by line"))
    data = "\n".join([DEFAULT_FORMAT, *[GOOD] * 3, ""]).encode()
    [batch] = field_batches(io.BytesIO(data), _layout(), RejectBox())
    assert batch.column("line").to_pylist() == [2, 3, 4]
    assert batch.column("byte_offset").to_pylist()[0] == len(DEFAULT_FORMAT) + 1
