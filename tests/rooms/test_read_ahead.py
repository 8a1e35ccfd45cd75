"""A stream read ahead gives the same bytes and the same errors, and is left alone afterwards."""

from __future__ import annotations

import io
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davylamp.ingest.read_ahead import BLOCK_BYTES, BLOCKS_COUNT, ReadAhead


class _FailingAfterOneBlock(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        if self.tell():
            raise OSError(5, "Input/output error")
        return super().read(size)


@given(st.binary(max_size=4096), st.integers(1, 700))
def test_the_same_bytes(data: bytes, size: int) -> None:
    with ReadAhead(io.BytesIO(data)) as stream:
        pieces = []
        while piece := stream.read(size):
            pieces.append(piece)
        assert b"".join(pieces) == data
        assert stream.read(size) == b""


def test_an_error_comes_where_its_bytes_would_have_come() -> None:
    with ReadAhead(_FailingAfterOneBlock(bytes(2 * BLOCK_BYTES))) as stream:
        taken_bytes = 0
        with pytest.raises(OSError, match="Input/output"):
            while block := stream.read(4096):
                taken_bytes += len(block)
        assert taken_bytes == BLOCK_BYTES


def test_left_early_nobody_reads_any_more() -> None:
    source = io.BytesIO(bytes(4 * BLOCKS_COUNT * BLOCK_BYTES))
    before_count = threading.active_count()
    with ReadAhead(source) as stream:
        assert stream.read(10) == bytes(10)
    assert threading.active_count() == before_count
    assert source.tell() < len(source.getvalue())
