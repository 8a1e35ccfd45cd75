"""The one runner of every unit's cases: real evidence through the real scan."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from davylamp.app.events import _columns, _plain
from davylamp.app.saved_case import opened_events
from davylamp.app.scan import ScanRequest, ScanResult, scan
from davylamp.kit import registry
from davylamp.kit.cases import Case, cases_of
from davylamp.kit.sample import SAMPLE_BYTES, Sample
from davylamp.model.events import EVENT_CLASSES


def _cases(kind: str) -> list[Any]:
    units = registry.detections() if kind == "detections" else registry.sources()
    return [
        pytest.param(case, id=f"{case.unit}-{case.name}")
        for unit in units
        for case in cases_of(unit.meta.uid, registry.folder_of(unit))
    ]


def _scan(case: Case, folder: Path, units: frozenset[str] | None) -> ScanResult:
    paths: tuple[str, ...] = (str(case.path),)
    if case.path.is_dir():
        paths = tuple(
            str(path) for path in sorted(case.path.iterdir()) if path.name not in ("expect.toml", "davylamp.toml")
        )
    assets = case.path / "davylamp.toml"
    return scan(
        ScanRequest(
            paths=paths,
            case_folder=folder / "case",
            assets_file=assets if case.path.is_dir() and assets.is_file() else None,
            units=units,
        )
    )


@pytest.mark.parametrize("case", _cases("detections"))
def test_detection_case(case: Case, tmp_path: Path) -> None:
    unit = next(each for each in registry.detections(frozenset({case.unit})) if each.meta.uid == case.unit)
    # What rests on other detections' findings is asked together with all of them.
    result = _scan(case, tmp_path, None if unit.meta.follows_findings else frozenset({case.unit}))
    assert result.failures == ()
    found = [each for each in result.document["findings"] if each["unit"] == case.unit]
    if case.verb == "fires_on":
        assert found, f"{case.unit} did not fire; coverage: {result.document['coverage']}"
        readable = [row for row in result.document["coverage"] if row["state"] in ("read", "partial")]
        assert readable
    elif "findings" not in case.expect:
        assert found == [], [finding["because"] for finding in found]
    _check(case.expect, found)


def _check(expect: Mapping[str, object], found: list[dict[str, Any]]) -> None:
    if "findings" in expect:
        assert len(found) == expect["findings"], [finding["because"] for finding in found]
    assets = {asset["name"] for finding in found for asset in finding["assets"]}
    assert set(_listed(expect, "assets")) <= assets
    observables = {f"{item['type']}:{item['value']}" for finding in found for item in finding["observables"]}
    assert set(_listed(expect, "observables")) <= observables
    if "severity" in expect:
        assert expect["severity"] in {finding["severity"] for finding in found}
    if "fact" in expect:
        assert any(finding["fact"] is expect["fact"] for finding in found)


def _listed(expect: Mapping[str, object], key: str) -> list[str]:
    value = expect.get(key, [])
    assert isinstance(value, list)
    return value


@pytest.mark.parametrize("case", _cases("sources"))
def test_source_case(case: Case, tmp_path: Path) -> None:
    result = _scan(case, tmp_path, frozenset())
    coverage = result.document["coverage"]
    # A log that several programs write may be read by more than one source: one row for each.
    row = next((each for each in coverage if each["source"] == case.unit), coverage[0])
    if case.verb == "quiet_on":
        assert row["source"] != case.unit
        return
    if case.verb == "survives":
        assert row["state"] in ("read", "partial", "unreadable", "unrecognized")
        assert "Error" not in row["reason"], row["reason"]
        return
    assert row["source"] == case.unit, row
    assert case.rows is not None, "a source's fires_on case has a .rows.jsonl"
    rows = _stored_rows(result.case_folder, case.rows)
    assert len(rows) == len(case.rows), rows
    for expected, actual in zip(case.rows, rows, strict=True):
        assert {name: actual.get(name) for name in expected} == dict(expected)
    if case.rejected_count is not None:
        assert row["rejected_count"] == case.rejected_count, row["rejects"]


def _stored_rows(case_folder: Path, expected: tuple[Mapping[str, object], ...]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    with opened_events(case_folder) as engine:
        for name in dict.fromkeys(["authentication", *sorted(EVENT_CLASSES)]):
            order = "time, line, frame, byte_offset"
            query = f"SELECT {_columns(name)} FROM {name} ORDER BY {order}"
            for row in engine.rows(query):
                rows.append({"event_class": name, **{key: _plain(value) for key, value in row.items()}})
    wanted = {str(row["event_class"]) for row in expected}
    return sorted((row for row in rows if row["event_class"] in wanted), key=lambda row: str(row["event_class"]))


@pytest.mark.parametrize("source", registry.sources(), ids=lambda source: str(source.meta.uid))
def test_recognition_never_raises_and_ignores_the_name(source: Any) -> None:
    for head in (b"", b"\x00" * 64, b"{", b"[[[[", b"\xff\xfe\x00", b"a,b\n", b'{"Records":', b"#separator \\x09\n"):
        for path in ("x", "auth.log", "a.pcap", "conn.log"):
            sample = Sample(path, head[:SAMPLE_BYTES], whole=True)
            score = source.recognize(sample)
            assert 0.0 <= score < 1.01
            assert source.recognize(Sample("other", head, whole=True)) == score
