"""The shortcut for plain records of dns and conn logs: from a block of fields to rows, as the SQL would make them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from davylamp.catalog.sources.zeek.layout import TextLayout
from davylamp.kit.addresses import are_addresses
from davylamp.kit.source import AtOnce

if TYPE_CHECKING:
    import pyarrow as pa

# Field -> type it is cut as. A resolver's few clients come again and again; the ends of connections do not.
_DNS = {
    "ts": "DOUBLE",
    "id.orig_h": "REPEATED",
    "id.orig_p": "USMALLINT",
    "id.resp_h": "REPEATED",
    "id.resp_p": "USMALLINT",
    "proto": "REPEATED",
    "query": "VARCHAR",
    "qtype_name": "REPEATED",
    "rcode_name": "REPEATED",
    "answers": "VARCHAR",
}
_CONN = {
    "ts": "DOUBLE",
    "id.orig_h": "VARCHAR",
    "id.orig_p": "USMALLINT",
    "id.resp_h": "VARCHAR",
    "id.resp_p": "USMALLINT",
    "proto": "REPEATED",
    "service": "REPEATED",
    "duration": "DOUBLE",
    "orig_bytes": "BIGINT",
    "resp_bytes": "BIGINT",
    "conn_state": "REPEATED",
    "local_orig": "REPEATED",
    "local_resp": "REPEATED",
    "orig_pkts": "BIGINT",
    "resp_pkts": "BIGINT",
}
_TAKEN = {
    "dns": {"id.orig_h": "src_ip", "id.resp_h": "resolver_ip", "qtype_name": "query_type", "rcode_name": "rcode"},
    "conn": {
        "id.orig_h": "src_ip",
        "id.resp_h": "dst_ip",
        "orig_bytes": "bytes_out",
        "resp_bytes": "bytes_in",
        "orig_pkts": "packets_out",
        "resp_pkts": "packets_in",
        "conn_state": "state",
    },
}
_PORTS = {
    "dns": {"id.orig_p": "src_port", "id.resp_p": "resolver_port"},
    "conn": {"id.orig_p": "src_port", "id.resp_p": "dst_port"},
}
_ADDRESSES = ("id.orig_h", "id.resp_h")
_LOWERED = {"proto": "protocol", "service": "application"}
_REPEATED = {
    "dns": frozenset({"src_ip", "resolver_ip", "query_type", "rcode", "protocol"}),
    "conn": frozenset({"protocol", "application", "state", "direction"}),
}
# Later years are damage, and so are spans of more than thirty years; SQL says which.
_LATEST_S, _LONGEST_S = 4_102_444_800.0, 1e9


def at_once(layout: TextLayout) -> AtOnce | None:
    """The shortcut for a log of this layout; None where it has none."""
    cut = {"dns": _DNS, "conn": _CONN}.get(layout.log)
    separator = layout.separator
    # Notes in the middle of a log begin with `#`: where a time must stand they cannot pass for a record.
    plain = len(separator) == 1 and separator.isascii() and separator not in '\r\n"#' and layout.fields[:1] == ("ts",)
    if cut is None or not plain or not layout.unset or not set(_ADDRESSES) <= set(layout.fields):
        return None
    types = {field: kind for field, kind in cut.items() if field in layout.fields}
    made = {**_TAKEN[layout.log], **_PORTS[layout.log], **_LOWERED, "query": "query_name", "answers": "answers"}
    columns = ["time", *(name for field, name in made.items() if field in types)]
    if layout.log == "conn":
        columns += ["end_time", "one_way", "direction"]

    def rows(fields: pa.RecordBatch) -> pa.RecordBatch | None:
        return _rows(fields, layout)

    return AtOnce(
        delimiter=separator,
        names=layout.fields,
        types=types,
        rows=rows,
        columns=(*columns, "line", "byte_offset"),
        repeated=_REPEATED[layout.log] & frozenset(columns),
        null_text=layout.unset,
        note="#",
    )


def _rows(fields: pa.RecordBatch, layout: TextLayout) -> pa.RecordBatch | None:
    import pyarrow as pa

    started = _micros(fields.column("ts"), _LATEST_S)
    if started is None or started.null_count or not all(are_addresses(fields.column(end)) for end in _ADDRESSES):
        return None
    made = {"time": started.cast(pa.timestamp("us"))}
    for field, name in _TAKEN[layout.log].items():
        if field in fields.schema.names:
            made[name] = fields.column(field)
    for field, name in _PORTS[layout.log].items():
        if field in fields.schema.names:
            made[name] = fields.column(field).cast(pa.int32())
    for field, name in _LOWERED.items():
        if field in fields.schema.names:
            made[name] = _lowered(fields.column(field), {"ssl": "tls"} if field == "service" else {})
    further = _question(fields, layout) if layout.log == "dns" else _span(fields, started)
    made |= further
    if any(column is None for column in made.values()):
        return None
    return pa.RecordBatch.from_pydict(
        {**made, "line": fields.column("line"), "byte_offset": fields.column("byte_offset")}
    )


def _question(fields: pa.RecordBatch, layout: TextLayout) -> dict[str, pa.Array | None]:
    import pyarrow as pa
    import pyarrow.compute as pc

    made: dict[str, pa.Array | None] = {}
    if "query" in fields.schema.names:
        name = fields.column("query")
        root = pc.equal(name, ".")
        plain = _is_ascii(name) and not pc.any(pc.or_(root, pc.equal(name, layout.empty))).as_py()
        made["query_name"] = pc.ascii_lower(pc.ascii_rtrim(name, ".")) if plain else None
    if "answers" in fields.schema.names:
        listed = fields.column("answers")
        empty = pc.equal(listed, layout.empty)
        if pc.any(empty).as_py():
            listed = pc.if_else(empty, pa.scalar(None, pa.string()), listed)
        made["answers"] = pc.split_pattern(listed, layout.set_separator) if layout.set_separator else None
    return made


def _span(fields: pa.RecordBatch, started: pa.Array) -> dict[str, pa.Array | None]:
    """When a connection ended and which way it went."""
    import pyarrow as pa
    import pyarrow.compute as pc

    made: dict[str, pa.Array | None] = {"one_way": pa.repeat(False, fields.num_rows)}
    ended: pa.Array | None = started
    if "duration" in fields.schema.names:
        lasted = _micros(fields.column("duration"), _LONGEST_S)
        ended = None if lasted is None else pc.add(started, pc.fill_null(lasted, 0))
    made["end_time"] = None if ended is None else ended.cast(pa.timestamp("us"))
    sides = [
        fields.column(name).cast(pa.string()) for name in ("local_orig", "local_resp") if name in fields.schema.names
    ]
    direction = pa.nulls(fields.num_rows, pa.string())
    if len(sides) == 2:
        own = [pc.fill_null(pc.is_in(side, pa.array(["T", "true"])), False) for side in sides]
        other = [pc.fill_null(pc.is_in(side, pa.array(["F", "false"])), False) for side in sides]
        direction = pc.if_else(pc.and_(other[0], own[1]), "ingress", direction)
        direction = pc.if_else(pc.and_(own[0], other[1]), "egress", direction)
    made["direction"] = direction.dictionary_encode()
    return made


def _micros(seconds: pa.Array, limit_s: float) -> pa.Array | None:
    """Whole microseconds, halves upwards as SQL rounds them; None where a value is no number below the limit."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    values = pc.fill_null(seconds, 0.0).to_numpy(zero_copy_only=False)
    if not bool(np.all((values >= 0) & (values < limit_s))):
        return None
    scaled = values * 1e6
    whole = np.floor(scaled)
    whole += scaled - whole >= 0.5
    return pa.array(whole.astype(np.int64), mask=np.asarray(seconds.is_null()) if seconds.null_count else None)


def _is_ascii(texts: pa.Array) -> bool:
    import numpy as np

    data = texts.buffers()[2]
    return data is None or not len(data) or int(np.frombuffer(data, dtype=np.uint8).max()) < 128


def _lowered(texts: pa.DictionaryArray, names: Mapping[str, str]) -> pa.DictionaryArray | None:
    import pyarrow as pa

    values = texts.dictionary.to_pylist()
    if not all(value.isascii() for value in values):
        return None
    lowered = [names.get(value, value.lower()) for value in values]
    return pa.DictionaryArray.from_arrays(texts.indices, pa.array(lowered, pa.string()))
