"""The shortcut for plain records: from a block of fields to rows, as `normalise.sql` would make them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from davylamp.catalog.sources.aws_vpc_flow.fields import NUMBER_FIELDS, TEXT_FIELDS
from davylamp.catalog.sources.aws_vpc_flow.fields_sql import NUMBER_TYPES, column_of
from davylamp.kit.addresses import are_addresses
from davylamp.kit.source import AtOnce

if TYPE_CHECKING:
    import pyarrow as pa

# Texts that a file repeats on nearly every line: an account, a few interfaces, an action.
_REPEATED = frozenset(TEXT_FIELDS)
_PROTOCOLS = {"6": "tcp", "17": "udp", "1": "icmp"}
# Event column -> field, where the value is taken over as it stands.
_TAKEN = {
    "bytes_out": "bytes_count",
    "packets_out": "packets_count",
    "state": "tcp_flags",
    "instance_uid": "instance_id",
    "interface_uid": "interface_id",
    "vpc_uid": "vpc_id",
    "region": "region",
}
_PORTS = {"src_port": "srcport", "dst_port": "dstport"}
_INTERFACE_FIELDS = {"flow_direction", "srcaddr", "dstaddr"}
_FEW = frozenset(
    ("protocol", "action", "direction", "state", "instance_uid", "interface_uid", "account_uid", "vpc_uid", "region")
)
_LOWERED = {"action": "action", "direction": "flow_direction"}


def at_once(names: Sequence[str], header: str, *, stamped: bool) -> AtOnce:
    """The shortcut for records with these canonical fields; `stamped` says that a time stamp stands before each."""
    lead = ("stamp",) if stamped else ()
    return AtOnce(
        delimiter=" ",
        names=(*lead, *(column_of(name) for name in names)),
        types=_types(names),
        rows=event_rows,
        columns=(*_given(names), "byte_offset"),
        repeated=(_FEW | {"src_ip", "dst_ip"}) & frozenset(_given(names)),
        null_text="-",
        header=header,
    )


def parquet_at_once(names: Sequence[str]) -> AtOnce:
    """The shortcut for a Parquet file whose columns have these canonical names."""
    given = _given(names)
    return AtOnce(
        delimiter="",
        names=tuple(column_of(name) for name in names),
        types=_types(names),
        rows=event_rows,
        columns=given,
        # Writers of Parquet give addresses as dictionaries, and what arrives so is soonest written so.
        repeated=(_FEW | {"src_ip", "dst_ip"}) & frozenset(given),
        null_text="-",
    )


def _types(names: Sequence[str]) -> dict[str, str]:
    return {
        column_of(field): "REPEATED" if field in _REPEATED else NUMBER_TYPES.get(field, "VARCHAR")
        for field in (*TEXT_FIELDS, *NUMBER_FIELDS)
        if field in names
    }


def _given(names: Sequence[str]) -> tuple[str, ...]:
    """The event columns that these fields give."""
    present = {column_of(name) for name in names}
    needs = {**_TAKEN, **_LOWERED, **_PORTS, "protocol": "protocol", "account_uid": "account_id", "end_time": "end_s"}
    given = [
        "time",
        "src_ip",
        "dst_ip",
        "one_way",
        *(name for name, field in needs.items() if field in present),
        "line",
    ]
    return (*given, "interface_ip") if present >= _INTERFACE_FIELDS else tuple(given)


def event_rows(fields: pa.RecordBatch) -> pa.RecordBatch | None:
    """Rows of `network_activity` with `interface_ip`, or None where a record is one that SQL must judge."""
    import pyarrow as pa

    kept = _without_nodata(fields)
    if kept is None:
        return None
    present = set(kept.schema.names)
    source, target = _first(kept, "pkt_srcaddr", "srcaddr"), _first(kept, "pkt_dstaddr", "dstaddr")
    moment = _first(kept, "start_s", "end_s")
    if moment is None or moment.null_count or not (are_addresses(source) and are_addresses(target)):
        return None
    columns = {
        "time": _instants(moment),
        "src_ip": source,
        "dst_ip": target,
        "one_way": pa.repeat(True, kept.num_rows),
        **{name: kept.column(name) for name in ("line", "byte_offset") if name in present},
    }
    columns |= {name: kept.column(field) for name, field in _TAKEN.items() if field in present}
    for name, field in _PORTS.items():
        if field in present:
            columns[name] = kept.column(field).cast(pa.int32())
    if "end_s" in present:
        columns["end_time"] = _instants(kept.column("end_s"))
    if "protocol" in present:
        if not all(_is_protocol(value) for value in kept.column("protocol").dictionary.to_pylist()):
            return None
        columns["protocol"] = _renamed(kept.column("protocol"), _PROTOCOLS)
    if "account_id" in present:
        columns["account_uid"] = _without(kept.column("account_id"), "unknown")
    for name, field in _LOWERED.items():
        if field in present:
            values = kept.column(field).dictionary.to_pylist()
            if not all(value.isascii() for value in values):
                return None
            columns[name] = _renamed(kept.column(field), {value: value.lower() for value in values})
    if present >= _INTERFACE_FIELDS:
        columns["interface_ip"] = _own_address(columns["direction"], kept.column("srcaddr"), kept.column("dstaddr"))
    return pa.RecordBatch.from_pydict(columns)


def _without_nodata(fields: pa.RecordBatch) -> pa.RecordBatch | None:
    """The records but for those that say there was nothing to record; None where some say that records were lost."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if "log_status" not in fields.schema.names:
        return fields
    status = fields.column("log_status")
    values = status.dictionary.to_pylist()
    if "SKIPDATA" in values:
        return None
    if "NODATA" not in values:
        return fields
    nodata = pc.equal(status.indices, pa.scalar(values.index("NODATA"), pa.int32()))
    return fields.filter(pc.invert(pc.fill_null(nodata, False)))


def _first(fields: pa.RecordBatch, *names: str) -> pa.Array | None:
    """The first of two fields that has a value."""
    import pyarrow.compute as pc

    found = [fields.column(name) for name in names if name in fields.schema.names]
    if not found:
        return None
    if len(found) == 1 or not found[0].null_count:
        return found[0]
    return pc.coalesce(*(_plain(column) for column in found))


def _plain(column: pa.Array) -> pa.Array:
    import pyarrow as pa

    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def _is_protocol(text: str) -> bool:
    """Whether a text is a number as it stands in an IP header."""
    return text.isascii() and text.isdecimal() and int(text[:4]) <= 255


def _instants(seconds: pa.Array) -> pa.Array:
    import pyarrow as pa

    return seconds.cast(pa.int64()).cast(pa.timestamp("s")).cast(pa.timestamp("us"))


def _renamed(texts: pa.DictionaryArray, names: dict[str, str]) -> pa.DictionaryArray:
    """The texts with some of their few values replaced."""
    import pyarrow as pa

    values = [names.get(value, value) for value in texts.dictionary.to_pylist()]
    return pa.DictionaryArray.from_arrays(texts.indices, pa.array(values, pa.string()))


def _without(texts: pa.DictionaryArray, value: str) -> pa.DictionaryArray:
    """The texts with null in the place of one value."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = texts.dictionary.to_pylist()
    if value not in values:
        return texts
    is_it = pc.equal(texts.indices, pa.scalar(values.index(value), pa.int32()))
    indices = pc.if_else(is_it, pa.scalar(None, pa.int32()), texts.indices)
    return pa.DictionaryArray.from_arrays(indices, texts.dictionary)


def _own_address(direction: pa.DictionaryArray, source: pa.Array, target: pa.Array) -> pa.Array:
    """The address of the recording interface itself."""
    import pyarrow as pa
    import pyarrow.compute as pc

    way, source, target = _plain(direction), _plain(source), _plain(target)
    received = pc.if_else(pc.equal(way, "ingress"), target, pa.scalar(None, pa.string()))
    return pc.if_else(pc.fill_null(pc.equal(way, "egress"), False), source, received)
