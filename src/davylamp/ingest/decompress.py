"""Decompressed bytes of an evidence file: recognised by magic, bounded, salvaging what is whole."""

from __future__ import annotations

import bz2
import hashlib
import io
import lzma
import zlib
from typing import Any, BinaryIO

READ_BYTES = 1 << 20
OUTPUT_BYTES = 8 << 20
# zstandard has no output limit; a run-length block of 4 bytes gives 128 KiB, so this much input
# gives 64 MiB at the worst.
ZSTD_INPUT_BYTES = 2048
# Deflate cannot expand more than 1,032 times and real logs stay below 100; a file that expands
# more than this, past this size, is a decompression bomb.
BOMB_RATIO = 500
BOMB_FLOOR_BYTES = 256 << 20

_MAGICS: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)


def compression_of(head: bytes) -> str:
    """Name of the compression the first bytes announce, or an empty string."""
    return next((name for magic, name in _MAGICS if head.startswith(magic)), "")


def _decoder(name: str) -> Any:
    if name == "gzip":
        return zlib.decompressobj(31)
    if name == "bzip2":
        return bz2.BZ2Decompressor()
    if name == "xz":
        return lzma.LZMADecompressor(lzma.FORMAT_XZ)
    import zstandard

    return zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()


class Decompressed(io.RawIOBase):
    """A sequential stream of decompressed bytes.

    `partial_reason` is set when the compressed data ends early, is damaged, or is a bomb; what was
    whole until then has been delivered. `digest` hashes the raw bytes read so far.
    """

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self.digest = hashlib.sha256()
        self.partial_reason = ""
        self.raw_bytes = 0
        self.out_bytes = 0
        self._pending = memoryview(b"")
        self._ended = False
        head = self._read_raw()
        self.compression = compression_of(head)
        self._decode: Any = _decoder(self.compression) if self.compression else None
        self._input = head

    def readable(self) -> bool:
        """Always readable."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills the buffer with the next decompressed bytes; 0 at the end."""
        while not self._pending and not self._ended:
            # A view, so that a long stretch handed out in pieces is not copied once for every piece.
            self._pending = memoryview(self._next())
        size = min(len(buffer), len(self._pending))
        buffer[:size] = self._pending[:size]
        self._pending = self._pending[size:]
        self.out_bytes += size
        return size

    def finish_digest(self) -> str:
        """Hex SHA-256 of the whole raw file, reading the rest of it where reading stopped early."""
        while self._read_raw():
            pass
        return self.digest.hexdigest()

    def _read_raw(self) -> bytes:
        data = self._raw.read(READ_BYTES)
        self.digest.update(data)
        self.raw_bytes += len(data)
        return data

    def _next(self) -> bytes:
        if self._decode is None:
            data = self._take_input() or self._read_raw()
            self._ended = not data
            return data
        if self._holds_output():
            return self._decoded(b"")
        data = self._take_input() or self._read_raw()
        if not data:
            self._ended = True
            self.partial_reason = f"the {self.compression} data ends early"
            return b""
        return self._decoded(data)

    def _take_input(self) -> bytes:
        data, self._input = self._input, b""
        return data

    def _holds_output(self) -> bool:
        """Whether the decoder stopped at the output limit and can go on without more input."""
        return self.compression in ("bzip2", "xz") and not self._decode.needs_input and not self._decode.eof

    def _decoded(self, data: bytes) -> bytes:
        try:
            out = self._decode_bounded(data)
        except (zlib.error, OSError, EOFError, lzma.LZMAError, ValueError, MemoryError) as error:
            return self._stop(f"the {self.compression} data is damaged: {error}")
        except Exception as error:  # zstandard raises its own ZstdError, known only once imported
            if type(error).__name__ != "ZstdError":
                raise
            return self._stop(f"the {self.compression} data is damaged: {error}")
        total = self.out_bytes + len(out)
        if total > BOMB_FLOOR_BYTES and total > BOMB_RATIO * self.raw_bytes:
            return self._stop(f"expands more than {BOMB_RATIO} times: a decompression bomb")
        return out

    def _decode_bounded(self, data: bytes) -> bytes:
        """At most `OUTPUT_BYTES` of output, whatever the input claims."""
        decode = self._decode
        if self.compression == "zstd":
            out: bytes = decode.decompress(data[:ZSTD_INPUT_BYTES])
            self._input = data[ZSTD_INPUT_BYTES:]
        else:
            out = decode.decompress(data, OUTPUT_BYTES)
            self._input = decode.unconsumed_tail if self.compression == "gzip" else b""
        if decode.eof:
            self._start_next_member(decode.unused_data + (self._input if self.compression == "zstd" else b""))
        return out

    def _start_next_member(self, rest: bytes) -> None:
        self._input = b""
        rest = rest or self._read_raw()
        rest = rest.lstrip(b"\x00") if self.compression == "gzip" else rest
        if rest and compression_of(rest) == self.compression:
            self._decode = _decoder(self.compression)
            self._input = rest
            return
        self._ended = True
        if rest:
            self.partial_reason = f"bytes after the end of the {self.compression} data were not read"

    def _stop(self, reason: str) -> bytes:
        self.partial_reason = reason
        self._ended = True
        return b""
