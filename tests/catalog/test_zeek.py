"""Text and JSON of one Zeek log say the same, whatever its header's separators are."""

from __future__ import annotations

import json

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davylamp.catalog.sources.zeek.unit import Zeek
from davylamp.kit.sample import Sample
from tests.catalog.source_rows import MODIFIED_AT

FIELDS = ("ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "query", "qtype_name", "answers")
WORDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789.", min_size=2, max_size=20).filter(lambda text: text != "..")
RECORDS = st.fixed_dictionaries(
    {
        "ts": st.integers(0, 4_000_000_000).map(lambda second: f"{second}.250000"),
        "uid": st.just("C1"),
        "id.orig_h": st.just("10.0.0.5"),
        "id.orig_p": st.integers(0, 65535).map(str),
        "id.resp_h": st.just("10.0.0.2"),
        "id.resp_p": st.just("53"),
        "proto": st.just("udp"),
        "query": WORDS,
        "qtype_name": st.sampled_from(("A", "AAAA")),
        "answers": st.lists(WORDS, min_size=1, max_size=3),
    }
)


def rows_of(text: str) -> list[tuple[object, ...]]:
    sample = Sample("log", text.encode(), whole=True)
    unit = Zeek()
    assert unit.recognize(sample) > 0.5
    plan = unit.plan(sample, MODIFIED_AT)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("CREATE TABLE records (text VARCHAR, line BIGINT, byte_offset BIGINT)")
    for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        connection.execute("INSERT INTO records VALUES (?, ?, 0)", [line, number])
    names = "epoch_us(time), query_name, query_type, answers, src_ip, src_port, resolver_ip, reject"
    query = f"SELECT {names} FROM ({plan.staged}) ORDER BY line"
    return [tuple(row) for row in connection.execute(query).fetchall()]


def as_text(records: list[dict[str, object]], separator: str, listed: str, unset: str) -> str:
    head = {"set_separator": listed, "empty_field": "(empty)", "unset_field": unset, "path": "dns"}
    lines = [f"#separator \\x{ord(separator):02x}"]
    lines += [f"#{name}{separator}{value}" for name, value in head.items()]
    lines.append(separator.join(("#fields", *FIELDS)))
    for record in records:
        cells = (record[name] for name in FIELDS)
        lines.append(separator.join(listed.join(cell) if isinstance(cell, list) else str(cell) for cell in cells))
    return "\n".join([*lines, f"#close{separator}2026-03-01-00-00-00"]) + "\n"


@settings(max_examples=20, deadline=None)
@given(st.lists(RECORDS, min_size=1, max_size=4), st.sampled_from("\t|;\x01"), st.sampled_from(("-", "NIL")))
def test_text_and_json_agree(records: list[dict[str, object]], separator: str, unset: str) -> None:
    text = rows_of(as_text(records, separator, ",", unset))
    numbers = [{**record, "ts": float(str(record["ts"]))} for record in records]
    assert text == rows_of("".join(json.dumps(record) + "\n" for record in numbers))
    assert all(row[-1] is None for row in text)


@pytest.mark.parametrize(
    ("ts", "epoch_us"),
    [
        ("1772323200.5", 1772323200500000),
        ('"2026-03-01T02:00:00.5+0200"', 1772323200500000),
        ('"2026-03-01T00:00:00.5Z"', 1772323200500000),
        ('"tomorrow"', None),
        ('"infinity"', None),
    ],
)
def test_times(ts: str, epoch_us: int | None) -> None:
    [row] = rows_of(f'{{"ts":{ts},"uid":"C1","id.orig_h":"10.0.0.5","qtype_name":"A","query":"a.example"}}\n')
    assert (row[0], row[-1] is None) == (epoch_us, epoch_us is not None)
