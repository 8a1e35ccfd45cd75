"""Event classes: each is a table whose schema is declared as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an event table.

    Args:
        name: lower-case name; ends in its unit where it is a number.
        type: DuckDB type name.
        unit: unit or vocabulary of the value; empty for opaque text.
        meaning: one sentence.
    """

    name: str
    type: str
    unit: str
    meaning: str


ORIGIN: tuple[Column, ...] = (
    Column("path", "VARCHAR", "path", "File the row was read from, as the user named it."),
    Column("line", "BIGINT", "1-based", "Line of the file, for text evidence."),
    Column("frame", "BIGINT", "1-based", "Packet of the capture, for packet evidence."),
    Column("byte_offset", "BIGINT", "bytes", "Start of the record in the decompressed file."),
)


@dataclass(frozen=True, slots=True)
class EventClass:
    """A table of events of one kind.

    Args:
        name: the OCSF class name, or our own where `ocsf_uid` is None.
        ocsf_uid: OCSF `class_uid`; None marks an extension of ours.
        meaning: one sentence.
        columns: the columns besides origin (`path`, `line`, `frame`, `byte_offset`) and `asset`.
    """

    name: str
    ocsf_uid: int | None
    meaning: str
    columns: tuple[Column, ...]

    @property
    def stored(self) -> tuple[Column, ...]:
        """All columns kept on disk, in order."""
        return self.columns + ORIGIN
