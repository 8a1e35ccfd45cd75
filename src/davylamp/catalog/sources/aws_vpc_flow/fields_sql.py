"""The SQL that finds each field of a record: in a line's parts, or in a Parquet file's columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from davylamp.catalog.sources.aws_vpc_flow.fields import NUMBER_FIELDS, TEXT_FIELDS

# The narrow types are the range checks: ports end at 65535, and UINTEGER seconds end in the year 2106.
_TYPES = {
    "srcport": "USMALLINT",
    "dstport": "USMALLINT",
    "start": "UINTEGER",
    "end": "UINTEGER",
    "packets": "BIGINT",
    "bytes": "BIGINT",
}
# `start`, `end` and `bytes` are words of SQL; the unit in the name tells what they hold.
_NAMES = {"start": "start_s", "end": "end_s", "packets": "packets_count", "bytes": "bytes_count"}


def _column(field: str) -> str:
    return _NAMES.get(field, field.replace("-", "_"))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _number(expression: str, field: str) -> str:
    cast = f"TRY_CAST({expression} AS {_TYPES[field]})"
    return f"CASE WHEN {cast} >= 0 THEN {cast} END"


def _select_list(places: Mapping[str, str], is_absent: Callable[[str], str]) -> list[str]:
    texts = [
        f"nullif({places[field]}, '-') AS {_column(field)}" if field in places else f"NULL::VARCHAR AS {_column(field)}"
        for field in TEXT_FIELDS
    ]
    numbers = [
        f"{_number(places[field], field)} AS {_column(field)}"
        if field in places
        else f"NULL::{_TYPES[field]} AS {_column(field)}"
        for field in NUMBER_FIELDS
    ]
    faults = [
        f"WHEN NOT ({is_absent(places[field])}) AND {_number(places[field], field)} IS NULL THEN {_quoted(field)}"
        for field in NUMBER_FIELDS
        if field in places
    ]
    fault = f"CASE {' '.join(faults)} END" if faults else "NULL::VARCHAR"
    return [*texts, *numbers, f"{fault} AS number_fault"]


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
    places = {name: f"parts[{index}]" for index, name in reversed(list(enumerate(names, 1 + skipped)))}
    columns = ",\n    ".join(_select_list(places, lambda place: f"{place} = '-'"))
    return f"""WITH texts AS ({texts}),
cut AS (
  SELECT string_split(text, ' ') AS parts, text, line, byte_offset
  FROM texts
  WHERE text <> {_quoted(header)} AND text <> ''
),
split AS (
  -- Tabs, runs of blanks and blanks at an end occur in records that people have handled.
  SELECT CASE WHEN len(parts) = {count} THEN parts ELSE regexp_extract_all(text, '[^ \\t\\r]+') END AS parts,
    line, byte_offset
  FROM cut
),
fields AS (
  SELECT
    {columns},
    CASE
      WHEN len(parts) = {count} THEN NULL
      WHEN list_contains(parts, 'srcaddr') THEN 'another header: this file holds records of a second format'
      ELSE 'expected {count} fields, found ' || len(parts)
    END AS shape_fault,
    line, byte_offset
  FROM split
  WHERE len(parts) > 0 AND array_to_string(parts, ' ') <> {_quoted(" ".join(header.split()))}
)
"""


def column_fields(columns: Mapping[str, str], row_number: str) -> str:
    """CTEs up to `fields` for a Parquet file.

    Args:
        columns: canonical field -> the SQL that reads its column.
        row_number: the SQL that gives a row's 1-based number in the file.
    """
    chosen = ",\n    ".join(_select_list(columns, lambda place: f"{place} IS NULL"))
    return f"""WITH fields AS (
  SELECT
    {chosen},
    NULL::VARCHAR AS shape_fault, {row_number} AS line, NULL::BIGINT AS byte_offset
  FROM records
)
"""
