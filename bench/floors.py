"""The floors: the least that any tool must do with the same file, on the same machine, in the same run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

_COUNT = (
    "import duckdb; c = duckdb.connect(); c.execute('SET threads = {threads}'); print(c.execute({query!r}).fetchall())"
)
_PACKETS = """
import struct, sys
count = size = 0
with open(sys.argv[1], "rb") as file:
    file.read(24)
    while head := file.read(16):
        length = struct.unpack_from("<I", head, 8)[0]
        size += len(file.read(length))
        count += 1
print(count, size)
"""
_LINES = "read_csv('{0}', delim = '\x01', header = false, quote = '', columns = {{'text': 'VARCHAR'}})"
_READERS = {
    "flow_text": "read_csv('{0}', delim = ' ', header = true)",
    "flow_parquet": "read_parquet('{0}')",
    "resolver_json": "read_json('{0}', format = 'newline_delimited')",
    "zeek_dns": "read_csv('{0}', delim = '\t', comment = '#', header = false, quote = '')",
    "trail_files": "(SELECT unnest(\"Records\") FROM read_json('{0}/*.gz', maximum_object_size = 100000000))",
    "trail_lines": "read_json('{0}', format = 'newline_delimited')",
    "dns_log": _LINES,
    "sshd": _LINES,
}
# `count(*)` parses nothing; a fairer floor takes one field out of each line with the engine's own expressions.
_ONE_FIELD = {
    "dns_log": "max(regexp_extract(text, 'query\\[A\\] ([^ ]+) from', 1))",
    "sshd": "max(regexp_extract(text, ' ([0-9.]+) port [0-9]+', 1))",
}


def floors(name: str, evidence: Path, threads_count: int) -> dict[str, Sequence[str]]:
    """Name of the floor -> the command."""
    if name == "capture":
        return {"reader loop": (sys.executable, "-c", _PACKETS, str(evidence))}
    # The footer of a Parquet file states its count and greatest values: there the floor is to read every column.
    asked = "max(hash(COLUMNS(*)))" if name == "flow_parquet" else "count(*)"
    query = f"SELECT {asked} FROM {_READERS[name].format(evidence)}"
    found: dict[str, Sequence[str]] = {
        f"{asked}, {threads} thread{'s' if threads > 1 else ''}": (
            sys.executable,
            "-c",
            _COUNT.format(threads=threads, query=query),
        )
        for threads in dict.fromkeys((threads_count, 1))
    }
    if name in _ONE_FIELD:
        query = f"SELECT {_ONE_FIELD[name]} FROM {_READERS[name].format(evidence)}"
        found[f"one regexp_extract, {threads_count} threads"] = (
            sys.executable,
            "-c",
            _COUNT.format(threads=threads_count, query=query),
        )
    if name != "flow_parquet":
        text = f"{evidence}/*.gz" if evidence.is_dir() else str(evidence)
        reader = "zcat" if text.endswith(".gz") else "cat"
        found[f"{reader} | wc -l"] = ("bash", "-c", f"{reader} {text} | wc -l")
    return found
