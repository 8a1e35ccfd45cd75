"""The source for Amazon VPC flow logs."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from davylamp.catalog.sources.aws_vpc_flow.at_once import at_once, parquet_at_once
from davylamp.catalog.sources.aws_vpc_flow.fields import (
    DEFAULT_FORMAT,
    canonical,
    has_address_pair,
    header_fields,
    is_default_record,
    is_stamped,
)
from davylamp.catalog.sources.aws_vpc_flow.fields_sql import column_fields, line_fields
from davylamp.errors import SourceError
from davylamp.kit.addresses import with_address
from davylamp.kit.metadata import SourceMeta
from davylamp.kit.sample import Sample
from davylamp.kit.source import AtOnce, Relation, SqlPlan, SqlSource

if TYPE_CHECKING:
    import pyarrow as pa

_LINES = "SELECT text, line, byte_offset FROM records"
# What `aws logs filter-log-events` and subscription filters write: the record is a member of an event.
_MESSAGES = """
SELECT unnest(coalesce(
    nullif(list_concat(json_extract_string(text, '$.events[*].message'),
      json_extract_string(text, '$.logEvents[*].message')), []),
    [json_extract_string(text, '$.message')])) AS text, line, byte_offset
FROM (SELECT CASE WHEN json_valid(text) THEN text ELSE '{}' END AS text, line, byte_offset FROM records) AS valid
"""
# Only with these four does a record say which of its addresses is the recording instance's.
_STATES_INTERFACES = {"instance-id", "flow-direction", "srcaddr", "dstaddr"}
_SURE, _LIKELY = 0.95, 0.9
_LOOKED_AT_COUNT = 20


class AwsVpcFlow(SqlSource):
    """Reads Amazon VPC flow logs, in text and in Parquet.

    What it reads.
    The default format (version 2), with or without its header line; every custom format that starts with its
    header, whatever its fields and their order (versions 2 to 8, transit gateway records too); exports of
    CloudWatch Logs, where a time stamp stands before each record; and Parquet files, under the documentation's
    column names (with `_` or `-`) and under those of older Athena and EMR tables (`sourceaddress`, `numbytes`).

    What it gives.
    `network_activity`: one row a record. A flow log counts one direction, so `one_way` is true, `bytes_in` is null
    and `src` is who sent. Where the format has `pkt-srcaddr` and `pkt-dstaddr` they are the addresses given:
    the documentation calls them the original ones, and `srcaddr` and `dstaddr` then name only the interface in
    between (a NAT gateway, a transit gateway, the node of a pod). `state` is the number in `tcp-flags`: 18 (SYN and
    ACK) says that `src` answered, so it is the server. `device_inventory`, where the format has `instance-id` and
    `flow-direction`: for each interface of an instance the addresses it used, from its first record on.

    What it leaves out.
    NODATA records, which say that there was nothing to record. SKIPDATA records are rejects, because they say that
    traffic was lost. A custom format without its header cannot be read, for nothing tells one number from another.
    Fields without a column (subnet, zone, sublocation, ECS names, reject reason) are left in the file.

    References.
    https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
    https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html
    """

    meta: ClassVar[SourceMeta] = SourceMeta(
        uid="aws_vpc_flow",
        title="Amazon VPC flow logs",
        formats=("text, default or custom format", "CloudWatch Logs export", "Parquet"),
        event_classes=("network_activity", "device_inventory"),
        references=("https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html",),
    )

    def recognize(self, sample: Sample) -> float:
        """Sure of a header with both addresses, or of Parquet with such columns; likely for bare records."""
        if sample.head.startswith(b"PAR1"):
            schema = _parquet_schema(sample.path)
            return _SURE if schema is not None and has_address_pair([canonical(name) for name in schema.names]) else 0.0
        if sample.starts_json:
            return _LIKELY if _message_of(sample) else 0.0
        lines = _first_lines(sample)
        if lines and header_fields(lines[0]):
            return _SURE
        return _LIKELY if any(is_default_record(line) for line in lines) else 0.0

    def plan(self, sample: Sample, modified_at: datetime) -> SqlPlan:
        """The plan: where each field stands is settled by the header, the rest is one SELECT for all formats."""
        if sample.head.startswith(b"PAR1"):
            schema = _parquet_schema(sample.path)
            if schema is None:
                raise SourceError("the Parquet file's footer cannot be read", where=sample.path)
            columns, titles = _columns(schema), [canonical(name) for name in schema.names]
            return _plan("parquet", column_fields(columns, "file_line"), columns, parquet_at_once(titles))
        if sample.starts_json:
            texts, lines = _MESSAGES, [_message_of(sample)]
        else:
            texts, lines = _LINES, _first_lines(sample)
        names = header_fields(lines[0]) if lines else ()
        header = lines[0] if names else DEFAULT_FORMAT
        stamped = not names and any(is_stamped(line) for line in lines)
        names = names or tuple(DEFAULT_FORMAT.split())
        by_line = line_fields(names, header, stamped=stamped, texts=texts)
        if sample.starts_json:
            return _plan("json_records", by_line, names)
        return _plan("lines", by_line, names, at_once(names, header, stamped=stamped))


def _plan(relation: Relation, fields: str, names: Collection[str], shortcut: AtOnce | None = None) -> SqlPlan:
    states = {"device_inventory": _sql("device_inventory")} if _STATES_INTERFACES.issubset(names) else {}
    rows = fields + with_address(_sql("normalise"))
    return SqlPlan(relation, states, staged=rows, staged_class="network_activity", at_once=shortcut)


def _first_lines(sample: Sample) -> list[str]:
    return [line for line in sample.lines[:_LOOKED_AT_COUNT] if line.strip()]


def _message_of(sample: Sample) -> str:
    """The first record inside a JSON export of CloudWatch Logs; empty when there is none."""
    for part in sample.text.split('"message"')[1:2]:
        record = part.lstrip(" \t\r\n:").removeprefix('"').partition('"')[0]
        if is_default_record(record):
            return record
    return ""


@cache
def _sql(name: str) -> str:
    return (Path(__file__).parent / f"{name}.sql").read_text(encoding="utf-8")


def _parquet_schema(path: str) -> pa.Schema | None:
    """The file's columns; None when it cannot be read as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with Path(path).open("rb") as file:
            return pq.read_schema(file)
    except (OSError, ValueError, pa.ArrowException):  # ValueError: a column's name that is not UTF-8
        return None


def _columns(schema: pa.Schema) -> dict[str, str]:
    """Canonical field -> SQL of its column."""
    import pyarrow as pa

    columns: dict[str, str] = {}
    for column in schema:
        quoted = '"' + column.name.replace('"', '""') + '"'
        is_time = pa.types.is_timestamp(column.type) or pa.types.is_date(column.type)
        columns.setdefault(canonical(column.name), f"TRY(epoch({quoted})::BIGINT)" if is_time else quoted)
    return columns
