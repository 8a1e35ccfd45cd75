"""The scan document: built from model values, it keeps the contract that its schema states.

The example is written to `tests/data/scan_example.json`, which the other renderers' tests read;
`DAVYLAMP_WRITE_SNAPSHOTS=1` writes it anew after a change that was meant.
"""

from __future__ import annotations

import json
import math
import os
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from davylamp.model.finding import Evidence
from davylamp.model.severity import Severity
from davylamp.report.document import Run, document, dump_document
from davylamp.report.json_safe import safe_value
from davylamp.report.visible import visible
from tests.rooms.example_scan import NIGHT, WEB1, example_document, finding

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "tests/data/scan_example.json"
SCHEMA = ROOT / "docs/reference/scan-1.schema.json"


def _strict(schema: Any) -> Any:
    """The published schema, closed: our own documents may hold no key that it does not state."""
    if isinstance(schema, dict):
        closed = {key: _strict(value) for key, value in schema.items()}
        if "properties" in closed and "additionalProperties" not in closed:
            closed["additionalProperties"] = False
        return closed
    return [_strict(item) for item in schema] if isinstance(schema, list) else schema


def _schema() -> Any:
    return json.loads(SCHEMA.read_text(encoding="utf-8"))


def test_the_example_is_the_one_the_renderers_are_tested_with() -> None:
    text = "".join(dump_document(example_document()))
    if os.environ.get("DAVYLAMP_WRITE_SNAPSHOTS"):
        EXAMPLE.write_text(text, encoding="utf-8")
    assert EXAMPLE.read_text(encoding="utf-8") == text


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(_schema())


@pytest.mark.parametrize("close", [False, True])
def test_documents_keep_the_schema(close: bool) -> None:
    schema = _strict(_schema()) if close else _schema()
    validator = jsonschema.Draft202012Validator(schema)
    empty = document(Run("0", NIGHT, 0.0, 0, 0, 0), (), (), (), (), ())
    for made in (example_document(), empty):
        assert [error.message for error in validator.iter_errors(json.loads("".join(dump_document(made))))] == []


def test_the_schema_refuses_what_breaks_the_contract() -> None:
    validator = jsonschema.Draft202012Validator(_schema())
    good = json.loads("".join(dump_document(example_document())))
    broken = [deepcopy(good) for _ in range(5)]
    broken[0]["schema"] = "davylamp.scan/2"
    broken[1]["findings"][0]["severity"] = "bad"
    broken[2]["findings"][0]["evidence"][0].update(frame=1)
    broken[3]["incidents"][0]["cost"].pop("basis")
    broken[4]["coverage"][0]["state"] = "clean"
    assert [validator.is_valid(made) for made in broken] == [False] * 5
    good["later_key"] = 1
    assert validator.is_valid(good), "a reader of version 1 must pass over keys it does not know"


def test_keys_stand_in_the_order_of_the_contract() -> None:
    made = example_document()
    assert list(made)[:5] == ["schema", "run", "coverage", "findings", "incidents"]
    assert list(made["run"]) == [
        "version", "started_at", "elapsed_s", "rows_count", "bytes_count", "peak_memory_bytes",
    ]  # fmt: skip
    assert list(made["findings"][0])[:13] == [
        "uid", "unit", "title", "group", "severity", "confidence", "llr", "techniques", "assets", "observables",
        "first_seen", "last_seen", "because",
    ]  # fmt: skip
    assert list(made["incidents"][0]) == [
        "uid", "title", "probability", "severity", "assets", "findings", "first_seen", "last_seen", "story",
        "entry_point", "follow_on", "cost", "next_steps",
    ]  # fmt: skip


def test_order_depends_on_the_input_only() -> None:
    made = example_document()
    assert [row["path"] for row in made["coverage"]] == sorted(row["path"] for row in made["coverage"])
    assert [item["first_seen"] for item in made["findings"]] == sorted(item["first_seen"] for item in made["findings"])
    assert [item["uid"] for item in made["incidents"]] == ["a19f3c60d7b2e584", "f3870b2c45d1ea96"]
    assert "".join(dump_document(made)) == "".join(dump_document(example_document()))


def test_evidence_cites_exactly_one_place() -> None:
    for item in example_document()["findings"]:
        for cited in item["evidence"]:
            assert len({"line", "frame", "offset"} & set(cited)) == 1


def test_any_column_value_becomes_json() -> None:
    columns = {
        "payload": b"\x00\xfflogin",
        "name": "lone \ud800 surrogate",
        "share": math.nan,
        "at": datetime(2026, 1, 1, 12, 0, tzinfo=UTC).replace(tzinfo=None),
        "day": datetime(2026, 1, 1, tzinfo=UTC).date(),
        "window": timedelta(minutes=2),
        "nested": {"list": [1, (2.5, b"\x1b[31m")], 3: None},
    }
    odd = finding("u", "unit", "t", "wire", "mining", Severity.LOW, math.inf, WEB1, 0, 1, "b",
                    [Evidence("p", columns=columns)])  # fmt: skip
    made: Any = document(Run("0", NIGHT, 0.0, 0, 0, 0), (), (), (odd,), (), ())
    shown = json.loads("".join(dump_document(made)))["findings"][0]
    assert shown["llr"] is None
    assert shown["evidence"][0]["columns"] == {
        "payload": "\x00\\xfflogin",
        "name": "lone \\ud800 surrogate",
        "share": None,
        "at": "2026-01-01T12:00:00Z",
        "day": "2026-01-01",
        "window": 120.0,
        "nested": {"list": [1, [2.5, "\x1b[31m"]], "3": None},
    }
    assert "".join(dump_document(made)).isascii()
    assert "\x1b" not in "".join(dump_document(made))


ANY_TEXT = st.text(st.characters(exclude_categories=[]))
ANY_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT | st.binary() | st.datetimes(),
    lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner),
    max_leaves=8,
)


@given(ANY_VALUE)
def test_every_value_has_a_json_form(value: object) -> None:
    text = json.dumps(safe_value(value), allow_nan=False, ensure_ascii=False)
    assert json.loads(text.encode("utf-8")) == safe_value(value)


@given(ANY_TEXT)
def test_visible_text_is_printable_and_stays_so(text: str) -> None:
    assert visible(text).isprintable()
    assert visible(visible(text)) == visible(text)
