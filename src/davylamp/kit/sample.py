"""The first bytes of an evidence file: all that recognition may look at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

SAMPLE_BYTES = 65536


@dataclass(frozen=True)
class Sample:
    """Decompressed head of a file, at most `SAMPLE_BYTES` long.

    Recognition looks at content only. `path` and `size_bytes` are for a source that needs the
    whole file at hand (Parquet footers), never for guessing a format by its name.
    """

    path: str
    head: bytes
    whole: bool
    size_bytes: int | None = None

    @cached_property
    def text(self) -> str:
        """The head as text, without a byte order mark; bytes that are not UTF-8 show as `\\xNN`."""
        return self.head.decode("utf-8", "backslashreplace").removeprefix("\ufeff")

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The head's complete lines, without line ends; a cut last line is left out."""
        parts = self.text.split("\n")
        if not self.whole:
            parts = parts[:-1] if len(parts) > 1 else parts
        elif parts and parts[-1] == "":
            parts = parts[:-1]
        return tuple(part.removesuffix("\r") for part in parts)

    @cached_property
    def starts_json(self) -> bool:
        """Whether the first character that is not white space opens a JSON object or array."""
        return self.head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
