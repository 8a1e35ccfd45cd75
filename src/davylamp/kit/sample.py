"""The first bytes of an evidence file: all that recognition may look at."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

SAMPLE_BYTES = 65536
# CloudWatch Logs exports to S3 one event a line, its instant before it; where the event is JSON, the line is not.
EXPORTED_JSON = re.compile(rb"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?=\{)", re.MULTILINE)


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
        """The head as text; bytes that are not UTF-8 show as `\\xNN`.

        Without a byte order mark, and without the stamps that CloudWatch Logs puts before exported JSON.
        """
        head = EXPORTED_JSON.sub(b"", self.head) if EXPORTED_JSON.match(self.head) else self.head
        return head.decode("utf-8", "backslashreplace").removeprefix("\ufeff")

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
        return EXPORTED_JSON.match(self.head) is not None or self.head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (
            b"{",
            b"[",
        )
