"""Sources: a source recognises a format by content and turns its records into event rows.

A source's folder holds `unit.py` with one class, its SQL files, and `cases/`.
Most sources are SQL: `plan()` names the relation the records arrive in and the SELECT that makes
event rows of them. Odd formats (packet captures) yield Arrow batches from `read()` instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO, ClassVar, Literal

from davylamp.kit.metadata import SourceMeta
from davylamp.kit.sample import Sample
from davylamp.model.coverage import Reject

if TYPE_CHECKING:
    import pyarrow as pa

Relation = Literal["lines", "json_records", "parquet"]


@dataclass(frozen=True)
class AtOnce:
    """A shortcut for delimited lines and for Parquet: a block of plain records becomes event rows in Arrow.

    A block in which every line has these fields, and every number is one, is cut at once and handed to
    `rows`. Any other block, and one that `rows` will not judge, goes through the plan's `staged`, which says
    record by record what is wrong; so that SELECT is the definition of the format, and what is made at once must
    come out the same.

    Args:
        delimiter: one byte; empty for Parquet, where a column of text or of whole numbers is plain.
        names: every field (of Parquet, every column) in the file's order.
        types: the fields wanted -> `VARCHAR`, `REPEATED` (text of few distinct values), or `USMALLINT`,
            `UINTEGER`, `BIGINT`, `DOUBLE`; a block with a negative number goes through `staged`.
        rows: from the fields wanted, `line` and (but for Parquet) `byte_offset` to the `columns`, or None where only
            SQL can say. Texts of Parquet may come as dictionaries, whatever their type here.
            Rows may be left out. A row of an instant that no evidence can have is the reader's to find.
        columns: the columns of `staged` that `rows` gives; all others but `reject` hold nothing in this file.
        repeated: those of them that hold text of few distinct values.
        null_text: how the format writes a missing value; empty where a field is given as it stands.
        header: a first line that is no record; empty when there is none.
        note: lines that begin so are no records; empty when there are none.
    """

    delimiter: str
    names: tuple[str, ...]
    types: Mapping[str, str]
    rows: Callable[[pa.RecordBatch], pa.RecordBatch | None]
    columns: tuple[str, ...]
    repeated: frozenset[str] = frozenset()
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
        staged_class: the event class whose rows the staged ones are, so that they are written only once; it
            is not in `selects`. Columns that the class does not have are kept for the `selects` alone.
        at_once: a shortcut past `staged` for plain records; needs `staged_class`.
        notes: sentences for the coverage row (for instance how a missing year was inferred).
        notes_select: a SELECT of one VARCHAR column over `staged`, for sentences that only the whole
            file can tell (for instance that a series is of another metric and was left out).
        class_column: the column of `staged` that names each row's event class, where it has one; `selects` of
            classes that no row names are not asked.
    """

    relation: Relation
    selects: Mapping[str, str]
    staged: str | None = None
    notes: tuple[str, ...] = ()
    staged_class: str | None = None
    at_once: AtOnce | None = None
    notes_select: str | None = None
    class_column: str | None = None


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
