"""Header fields gathered at many offsets of one buffer at once."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Int: TypeAlias = npt.NDArray[np.int64]
Unsigned: TypeAlias = npt.NDArray[np.uint64]
Bool: TypeAlias = npt.NDArray[np.bool_]

# Checked offsets may still stand up to a whole header behind the last packet of a buffer.
PADDING = bytes(256)


class Window:
    """A padded buffer seen as overlapping big-endian numbers, one starting at every byte."""

    def __init__(self, data: bytes) -> None:
        size = len(data) - 8
        self.bytes = np.frombuffer(data, np.uint8)
        self._u16 = np.ndarray((size,), ">u2", data, strides=(1,))
        self._u32 = np.ndarray((size,), ">u4", data, strides=(1,))
        self._u64 = np.ndarray((size,), ">u8", data, strides=(1,))

    def u8(self, at: Int) -> Int:
        """One byte at each offset."""
        return self.bytes[at].astype(np.int64)

    def u16(self, at: Int) -> Int:
        """Two bytes at each offset."""
        return self._u16[at].astype(np.int64)

    def u32(self, at: Int) -> Int:
        """Four bytes at each offset."""
        return self._u32[at].astype(np.int64)

    def u64(self, at: Int) -> Unsigned:
        """Eight bytes at each offset."""
        return self._u64[at].astype(np.uint64)


def starts_of_runs(keys: Int) -> Int:
    """Where each run of equal neighbours begins."""
    if not keys.size:
        return np.zeros(0, np.int64)
    return np.concatenate((np.zeros(1, np.int64), np.flatnonzero(keys[1:] != keys[:-1]).astype(np.int64) + 1))
