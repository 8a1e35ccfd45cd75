"""The SQL that finds each field of a record: in a line's parts, or in a Parquet file's columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from davylamp.catalog.sources.aws_vpc_flow.fields import NUMBER_FIELDS, TEXT_FIELDS
from davylamp.kit.engine import literal

# The narrow types are the range checks: ports end at 65535, and UINTEGER seconds end in the year 2106.
NUMBER_TYPES = {
    "srcport": "USMALLINT",
    "dstport": "USMALLINT",
    "start": "UINTEGER",
    "end": "UINTEGER",
    "packets": "BIGINT",
    "bytes": "BIGINT",
}
# `start`, `end` and `bytes` are words of SQL; the unit in the name tells what they hold.
_NAMES = {"start": "start_s", "end": "end_s", "packets": "packets_count", "bytes": "bytes_count"}


def column_of(field: str) -> str:
    """Name of a field in SQL."""
    return _NAMES.get(field, field.replace("-", "_"))


def _raw(field: str) -> str:
    return f"{column_of(field)}_raw"


def _typed(present: Sequence[str]) -> str:
    """Each field read once as text or number: text arrives as `<name>_raw`, and so do numbers."""
    texts = [
        f"nullif({_raw(field)}, '-') AS {column_of(field)}"
        if field in present
        else f"NULL::VARCHAR AS {column_of(field)}"
        for field in TEXT_FIELDS
    ]
    numbers = [
        f"TRY_CAST({_raw(field)} AS {NUMBER_TYPES[field]}) AS {column_of(field)}"
        if field in present
        else f"NULL::{NUMBER_TYPES[field]} AS {column_of(field)}"
        for field in NUMBER_FIELDS
    ]
    return ",\n    ".join([*texts, *numbers])


def _fault(present: Sequence[str]) -> str:
    faults = [
        f"WHEN {column_of(field)} IS NULL AND {_raw(field)}::VARCHAR <> '-' THEN {literal(field)}"
        for field in NUMBER_FIELDS
        if field in present
    ]
    negative = [
        f"WHEN {column_of(field)} < 0 THEN {literal(field)}" for field in ("packets", "bytes") if field in present
    ]
    return f"CASE {' '.join([*faults, *negative])} END" if faults else "NULL::VARCHAR"


def line_fields(names: Sequence[str], header: str, *, stamped: bool, texts: str) -> str:
    """CTEs up to `fields` for records that are lines of text.

    Args:
        names: canonical fields in the file's order.
        header: the header line as the file writes it; its repetitions are no records.
        stamped: whether a time stamp stands before each record.
        texts: a SELECT of text, line, byte_offset.
    """
    skipped = 1 if stamped else 0
    count = len(names) + skipped
    places = {name: index for index, name in reversed(list(enumerate(names, 1 + skipped)))}
    present = [field for field in (*TEXT_FIELDS, *NUMBER_FIELDS) if field in places]
    raw = ", ".join(f"parts[{places[field]}] AS {_raw(field)}" for field in present)
    return f"""WITH texts AS ({texts}),
cut AS (
  SELECT string_split(text, ' ') AS parts, text, line, byte_offset
  FROM texts
  WHERE text <> {literal(header)} AND text <> ''
),
split AS (
  -- Tabs, runs of blanks and blanks at an end occur in records that people have handled.
  SELECT CASE WHEN len(parts) = {count} THEN parts ELSE regexp_extract_all(text, '[^ \\t\\r]+') END AS parts,
    line, byte_offset
  FROM cut
),
-- Each step reads every value once: the engine would extract and cast anew for every mention.
picked AS (
  SELECT {raw},
    CASE
      WHEN len(parts) = {count} THEN NULL
      WHEN list_contains(parts, 'srcaddr') THEN 'another header: this file holds records of a second format'
      ELSE 'expected {count} fields, found ' || len(parts)
    END AS shape_fault,
    line, byte_offset
  FROM split
  WHERE len(parts) = {count} OR len(parts) > 0 AND array_to_string(parts, ' ') <> {literal(" ".join(header.split()))}
),
typed AS (
  SELECT {_typed(present)},
    {", ".join(_raw(field) for field in NUMBER_FIELDS if field in places) or "NULL AS nothing"},
    shape_fault, line, byte_offset
  FROM picked
),
fields AS (SELECT *, {_fault(present)} AS number_fault FROM typed)
"""


def column_fields(columns: Mapping[str, str], row_number: str) -> str:
    """CTEs up to `fields` for a Parquet file.

    Args:
        columns: canonical field -> the SQL that reads its column.
        row_number: the SQL that gives a row's 1-based number in the file.
    """
    present = [field for field in (*TEXT_FIELDS, *NUMBER_FIELDS) if field in columns]
    # Protocol and flags are numbers in most files, and columns of bytes pass for text.
    raw = ", ".join(
        f"CAST({columns[field]} AS VARCHAR) AS {_raw(field)}"
        if field in TEXT_FIELDS
        else f"{columns[field]} AS {_raw(field)}"
        for field in present
    )
    return f"""WITH picked AS (
  SELECT {raw}, {row_number} AS line FROM records
),
typed AS (
  SELECT {_typed(present)},
    {", ".join(_raw(field) for field in NUMBER_FIELDS if field in columns) or "NULL AS nothing"},
    line
  FROM picked
),
fields AS (
  SELECT *, {_fault(present)} AS number_fault, NULL::VARCHAR AS shape_fault, NULL::BIGINT AS byte_offset
  FROM typed
)
"""
