"""Cutting lines and JSON records, decompressing, walking: exact, bounded, honest."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from davylamp.ingest import decompress, json_records, lines
from davylamp.ingest.decompress import Decompressed
from davylamp.ingest.json_records import json_batches
from davylamp.ingest.lines import RejectBox, line_batches
from davylamp.ingest.read_file import FileResult, read_file
from davylamp.ingest.walk import Found, evidence_paths
from davylamp.kit import registry
from davylamp.store.engine import DuckEngine


def cut_lines(
    data: bytes, block_bytes: int = 4 << 20, limit_bytes: int = 1 << 20
) -> tuple[list[dict[str, object]], RejectBox]:
    box, rows = RejectBox(), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK_BYTES", block_bytes)
        for batch in line_batches(io.BytesIO(data), box, max_line_bytes=limit_bytes):
            rows += batch.to_pylist()
    return rows, box


def cut_json(data: bytes, block_bytes: int = 4 << 20) -> tuple[list[dict[str, object]], RejectBox]:
    box, rows = RejectBox(), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_records, "BLOCK_BYTES", block_bytes)
        for batch in json_batches(data[:65536], io.BytesIO(data), box):
            rows += batch.to_pylist()
    return rows, box


@given(st.binary(max_size=400), st.sampled_from([3, 7, 64, 4096]))
@settings(max_examples=150, deadline=None)
def test_every_line_keeps_its_number_offset_and_bytes(data: bytes, block_bytes: int) -> None:
    body = data.removeprefix(b"\xef\xbb\xbf")
    skipped = len(data) - len(body)
    rows, box = cut_lines(data, block_bytes)
    expected = body.split(b"\n")
    expected = expected[:-1] if expected[-1] == b"" else expected
    assert box.count == 0
    assert len(rows) == len(expected)
    offset = skipped
    for number, (row, raw) in enumerate(zip(rows, expected, strict=True), start=1):
        assert (row["line"], row["byte_offset"]) == (number, offset)
        shown = raw.removesuffix(b"\r")
        assert row["text"] == shown.decode("utf-8", "backslashreplace")
        offset += len(raw) + 1


def test_a_lone_carriage_return_forges_no_line() -> None:
    rows, _ = cut_lines(b"user a\rNov 1 00:00:00 h sshd[1]: Accepted password for root\nnext\n")
    assert [row["line"] for row in rows] == [1, 2]


def test_a_line_over_the_limit_is_one_reject_and_the_rest_is_read() -> None:
    rows, box = cut_lines(b"a\n" + b"x" * 5000 + b"\nb\n", block_bytes=64, limit_bytes=1000)
    assert [(row["text"], row["line"]) for row in rows] == [("a", 1), ("b", 3)]
    assert [(reject.line, reject.offset) for reject in box.kept] == [(2, 2)]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.sampled_from(['"', "\\", '\\"', "{[", "]}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
_RECORDS = st.lists(st.dictionaries(st.text(max_size=5), _JSON, min_size=1, max_size=3), min_size=1, max_size=8)


@given(
    _RECORDS,
    st.sampled_from(["records", "events of one page", "array", "lines", "pretty", "pretty array"]),
    st.sampled_from([5, 33, 4096]),
)
@settings(max_examples=150, deadline=None)
def test_every_json_record_comes_out_once_with_its_offset(records: list[object], shape: str, block_bytes: int) -> None:
    text = {
        "records": lambda: json.dumps({"Records": records}),
        "events of one page": lambda: json.dumps({"Events": records, "NextToken": "a}]"}, indent=4),
        "array": lambda: json.dumps(records, ensure_ascii=False),
        "lines": lambda: "\n".join(json.dumps(record) for record in records),
        "pretty": lambda: "\n".join(json.dumps(record, indent=2) for record in records),
        "pretty array": lambda: json.dumps(records, indent=1),
    }[shape]()
    data = text.encode("utf-8", "surrogatepass")
    rows, box = cut_json(data, block_bytes)
    assert [json.loads(str(row["text"])) for row in rows] == records
    assert box.count == 0
    for row in rows:
        assert data[int(str(row["byte_offset"]))] == ord("{")


def test_a_json_document_that_does_not_end_gives_what_was_whole_and_a_reject() -> None:
    data = json.dumps({"Records": [{"a": 1}, {"b": 2}]}).encode()[:-6]
    rows, box = cut_json(data)
    assert [row["text"] for row in rows] == ['{"a": 1}']
    assert box.count == 1


def test_an_answer_that_is_cut_behind_its_list_gives_a_reject() -> None:
    data = json.dumps({"Events": [{"a": 1}], "NextToken": "abc"}).encode()[:-4]
    rows, box = cut_json(data)
    assert [row["text"] for row in rows] == ['{"a": 1}']
    assert box.count == 1


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


def read_all(raw: bytes) -> tuple[bytes, Decompressed]:
    stream = Decompressed(io.BytesIO(raw))
    return io.BufferedReader(stream).read(), stream


@pytest.mark.parametrize("name", sorted(PACKERS))
def test_compressed_bytes_come_out_and_several_members_are_one_stream(name: str) -> None:
    body = os.urandom(1000) + b"line\n" * 100_000
    packed = PACKERS[name](body)
    data, stream = read_all(packed + packed)
    assert data == body + body
    assert stream.partial_reason == ""


@pytest.mark.parametrize("name", sorted(PACKERS))
def test_a_small_file_that_expands_a_lot_is_read_to_its_end(name: str) -> None:
    body = (b"Nov 20 10:00:01 web1 sshd[100]: Failed password for root from 203.0.113.7\n") * 300_000
    data, stream = read_all(PACKERS[name](body))
    assert (len(data), stream.partial_reason) == (len(body), "")


@pytest.mark.parametrize("name", sorted(PACKERS))
def test_a_truncated_file_gives_what_was_whole_and_says_so(name: str) -> None:
    body = os.urandom(3_000_000)
    packed = PACKERS[name](body)
    data, stream = read_all(packed[: len(packed) // 2])
    assert stream.partial_reason
    assert body.startswith(data)
    assert len(data) > 100_000


def test_a_damaged_file_says_so() -> None:
    packed = bytearray(gzip.compress(os.urandom(100_000)))
    packed[50_000] ^= 0xFF
    _, stream = read_all(bytes(packed))
    assert "damaged" in stream.partial_reason


@pytest.mark.parametrize("name", ["gzip", "xz", "zstd", "bzip2"])
def test_a_bomb_is_stopped_in_bounded_memory(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompress, "BOMB_FLOOR_BYTES", 1 << 20)
    bomb = zlib_zeros(64 << 20) if name == "gzip" else PACKERS[name](bytes(64 << 20))
    stream = Decompressed(io.BytesIO(bomb))
    reader = io.BufferedReader(stream)
    total = 0
    while block := reader.read(1 << 20):
        total += len(block)
    assert "bomb" in stream.partial_reason
    assert total < 32 << 20


def zlib_zeros(size_bytes: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(bytes(size_bytes)) + packer.flush()


def test_walking_ends_at_loops_and_names_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("x", encoding="utf-8")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe")
    found = {Path(each.path).name: each.refusal for each in evidence_paths([str(tmp_path)])}
    assert found["a.log"] == ""
    assert "link" in found["loop"]
    assert found["dangling"]
    assert "pipe" in found["pipe"]


def test_a_name_that_matches_nothing_is_a_row_and_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("x", encoding="utf-8")
    named = [str(tmp_path / "a.log"), str(tmp_path / "*.log"), str(tmp_path / "none*"), "\x00"]
    found = list(evidence_paths(named))
    assert [each.refusal == "" for each in found] == [True, False, False]


def _read_one(path: Path, folder: Path) -> FileResult:
    engine = DuckEngine(300_000_000, folder / "scratch")
    (folder / "scratch").mkdir()
    try:
        return read_file(Found(str(path)), registry.sources(), engine, folder / "scratch", 300_000_000)
    finally:
        engine.close()


def test_an_instant_that_no_evidence_can_have_is_a_reject_for_every_source(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    line = "{}-01-01T00:00:00+00:00 web1 sshd[7]: Failed password for root from 203.0.113.7 port 5000 ssh2\n"
    log.write_text(line.format(2026) + line.format(9999) + line.format(1960), encoding="utf-8")
    coverage = _read_one(log, tmp_path).coverage
    assert dict(coverage.event_classes) == {"authentication": 1}
    assert [(each.line, each.reason) for each in coverage.rejects] == [
        (2, "the time lies outside 1970 to 2100"),
        (3, "the time lies outside 1970 to 2100"),
    ]


def test_a_damaged_parquet_file_is_a_row_of_coverage_and_no_defect(tmp_path: Path) -> None:
    [source] = [each for each in registry.sources() if each.meta.uid == "aws_vpc_flow"]
    whole = (registry.folder_of(source) / "cases" / "fires_on_parquet.parquet").read_bytes()
    reasons = []
    for begin in range(4, len(whole) // 2, 97):
        broken = tmp_path / str(begin) / "flows.parquet"
        broken.parent.mkdir()
        broken.write_bytes(whole[:begin] + b"\xff" * 8 + whole[begin + 8 :])
        reasons.append(_read_one(broken, broken.parent).coverage.reason)
    assert any(reason.startswith("the Parquet file is damaged: ") for reason in reasons)
    assert not [reason for reason in reasons if "reader failed" in reason]
