"""Sources: a source recognises a format by content and turns its records into event rows.

A source's folder holds `unit.py` with one class, its SQL files, and `cases/`.
Most sources are SQL: `plan()` names the relation the records arrive in and the SELECT that makes
event rows of them. Odd formats (packet captures) yield Arrow batches from `read()` instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO, ClassVar, Literal

from davylamp.kit.metadata import SourceMeta
from davylamp.kit.sample import Sample
from davylamp.model.coverage import Reject

if TYPE_CHECKING:
    import pyarrow as pa

Relation = Literal["lines", "fields", "json_records", "parquet"]


@dataclass(frozen=True)
class Fields:
    """How lines of a delimited format are cut into fields, many at a time.

    A block of lines in which every line has these fields, and every number is one, is cut at once. Any
    other block goes through `slow`, which says line by line what is wrong; so `slow` is the definition
    of the format, and what is cut at once must come out the same.

    Args:
        delimiter: one byte.
        names: every field in the file's order.
        types: the fields wanted -> `VARCHAR`, `REPEATED` (text of few distinct values), or `USMALLINT`,
            `UINTEGER`, `BIGINT`; a block with a negative number goes through `slow`.
        slow: SELECT over `records` (as in the relation `lines`) that gives the wanted fields by name, the
            `extras`, `line` and `byte_offset`.
        extras: further columns of `slow` (name -> DuckDB type); null for lines that were cut at once.
        null_text: how the format writes a missing value; empty where `slow` gives it as it stands.
        header: a first line that is no record; empty when there is none.
        note: lines that begin so are no records; empty when there are none.
    """

    delimiter: str
    names: tuple[str, ...]
    types: Mapping[str, str]
    slow: str
    extras: Mapping[str, str] = field(default_factory=dict)
    null_text: str = ""
    header: str = ""
    note: str = ""


@dataclass(frozen=True)
class SqlPlan:
    """How to normalise one file in SQL.

    Args:
        relation: what the SELECTs read.
            `lines`: one row a line: text VARCHAR (without line end; bytes that are not UTF-8 show as
            `\\xNN`), line BIGINT (1-based), byte_offset BIGINT. Blank lines are rows too.
            `fields`: one row a line, cut into fields as `fields` says: those columns, line, byte_offset.
            `json_records`: one row a JSON record, from JSON lines, a top-level array, an array under
            one key of a top-level object (`{"Records": [...]}`), one pretty-printed object, or
            concatenated objects: text VARCHAR, line BIGINT, byte_offset BIGINT. The text may be
            no JSON at all: guard with TRY.
            `parquet`: the file's own columns, through read_parquet.
        selects: event class -> SELECT over `records` (or over `staged`). A SELECT gives columns of
            that class by name, `line` or `byte_offset`, and optionally `reject` VARCHAR: null for a
            good row, the reason for a bad one (other columns are then ignored). Columns it does
            not give are null. `path` is added by the reader.
        staged: a SELECT over `records`, run once and kept for `selects` to read as `staged`; use
            it when one file feeds more than one event class. Its own `reject` column, when it has
            one, is the reject box, and the `selects` should leave such rows out.
        notes: sentences for the coverage row (for instance how a missing year was inferred).
        notes_select: a SELECT of one VARCHAR column over `staged`, for sentences that only the whole
            file can tell (for instance that a series is of another metric and was left out).
    """

    relation: Relation
    selects: Mapping[str, str]
    staged: str | None = None
    notes: tuple[str, ...] = ()
    fields: Fields | None = None
    notes_select: str | None = None


@dataclass(frozen=True)
class Batch:
    """Arrow rows of one event class (columns of the class by name, missing ones are null)."""

    event_class: str
    rows: pa.RecordBatch


@dataclass
class EvidenceFile:
    """A file handed to `RowSource.read()`.

    Args:
        path: as the user named it.
        stream: decompressed bytes, sequential.
        partial_reason: set by the source when it had to stop early.
        notes: sentences a source adds for the coverage row, where what it left out is no failure.
    """

    path: str
    stream: BinaryIO
    memory_bytes: int
    partial_reason: str = ""
    notes: list[str] = field(default_factory=list)


class Source:
    """Base of every source."""

    meta: ClassVar[SourceMeta]

    def recognize(self, sample: Sample) -> float:
        """Confidence 0..1 that this is the source's format; cheap, never raises."""
        raise NotImplementedError


class SqlSource(Source):
    """A source whose normaliser is SQL."""

    def plan(self, sample: Sample, modified_at: datetime) -> SqlPlan:
        """The plan for the file this sample heads.

        Args:
            modified_at: the file's modification time (or now, for a stream), for formats that write no year.
        """
        raise NotImplementedError


class RowSource(Source):
    """A source that yields rows itself, in Arrow batches, in bounded memory."""

    def read(self, file: EvidenceFile) -> Iterator[Batch | Reject]:
        """Batches and rejects in file order; sets `file.partial_reason` when it had to stop early."""
        raise NotImplementedError
