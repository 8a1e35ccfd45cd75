"""The embedded engine: DuckDB with bounded memory, no network, UTC."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from davylamp.errors import CaseError, MemoryLimitError
from davylamp.kit.engine import literal

# DuckDB needs room for a few blocks a thread; below this it cannot write one Parquet row group.
MIN_MEMORY_BYTES = 64 << 20
_INTERRUPTED = "Query interrupted"
ROWS_AT_ONCE_COUNT = 4096


class DuckEngine:
    """A DuckDB connection that spills to `scratch` instead of growing past its limit.

    Args:
        memory_bytes: limit of the whole process; the engine takes the share that Python's own
            readers leave (they hold a few blocks each).
        sparing: one thread in place of one for each core, and what is freed goes back to the system at once. Over a
            spool of 1 MB that is 147 MiB in place of 178, for a tenth more CPU (bench/README.md).
    """

    def __init__(self, memory_bytes: int, scratch: Path, sparing: bool = False) -> None:
        engine_bytes = max(MIN_MEMORY_BYTES, int(memory_bytes * 0.6))
        self._connection = duckdb.connect(
            config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
        )
        for setting in (
            f"SET memory_limit = '{engine_bytes}B'",
            f"SET temp_directory = {literal(str(scratch))}",
            f"SET threads = {1 if sparing else max(1, len(os.sched_getaffinity(0)))}",
            "SET TimeZone = 'UTC'",
            "SET preserve_insertion_order = true",
            "SET enable_progress_bar = false",
            *(["SET allocator_bulk_deallocation_flush_threshold = '64KB'"] if sparing else []),
        ):
            self._connection.execute(setting)

    def execute(self, sql: str, params: Mapping[str, object] | None = None) -> None:
        """Runs a statement for its effect."""
        with _told_calmly():
            self._connection.execute(sql, dict(params) if params else None)

    def rows(self, sql: str, params: Mapping[str, object] | None = None) -> list[dict[str, object]]:
        """Runs a query that returns few rows."""
        found: list[dict[str, object]] = []
        # The client makes a new text of every value; in a result few differ, and one of each is enough to keep.
        texts: dict[object, object] = {}
        with _told_calmly():
            result = self._connection.execute(sql, dict(params) if params else None)
            names = [column[0] for column in result.description]
            while some := result.fetchmany(ROWS_AT_ONCE_COUNT):
                found += [
                    {
                        name: texts.setdefault(value, value) if type(value) is str else value
                        for name, value in zip(names, values, strict=True)
                    }
                    for values in some
                ]
        return found

    def columns(self, sql: str) -> dict[str, str]:
        """Column name -> type of a query, without running it."""
        return {str(row["column_name"]): str(row["column_type"]) for row in self.rows(f"DESCRIBE {sql}")}

    def register(self, name: str, arrow: Any) -> None:
        """Makes an Arrow table or stream readable as a relation."""
        self._connection.register(name, arrow)

    def keep(self, name: str, sql: str, params: Mapping[str, object] | None = None) -> None:
        """Answers a query once and keeps its rows as a relation; beyond the memory limit they go to `scratch`."""
        self.execute(f"CREATE OR REPLACE TEMPORARY TABLE {name} AS {sql}", params)

    def unregister(self, name: str) -> None:
        """Takes such a relation back."""
        self._connection.unregister(name)

    def stream(self, sql: str, rows_per_batch: int = 8192) -> Any:
        """Runs a query and gives its rows as an Arrow stream, in bounded memory."""
        return self._connection.sql(sql).to_arrow_reader(rows_per_batch)

    def interrupt(self) -> None:
        """Stops the running query; may be called from any thread."""
        self._connection.interrupt()

    def close(self) -> None:
        """Lets go of memory and temporary files."""
        self._connection.close()


@contextmanager
def _told_calmly() -> Iterator[None]:
    """Gives the engine's errors the meaning they have for whoever asked."""
    try:
        yield
    except RuntimeError as error:
        # DuckDB's Python client turns a Ctrl-C during a query into this; what it is must not be lost on the way.
        if type(error) is RuntimeError and str(error) == _INTERRUPTED:
            raise KeyboardInterrupt from error
        raise
    except duckdb.InterruptException as error:
        raise KeyboardInterrupt from error
    except duckdb.OutOfMemoryException as error:
        raise MemoryLimitError(
            "the engine ran out of memory",
            why=str(error).splitlines()[0],
            hint="davylamp scan --memory 4GB PATH",
        ) from error
    except duckdb.IOException as error:
        if "No space left" not in str(error):
            raise
        raise CaseError("the disk is full", why=str(error).splitlines()[0], hint="df -h") from error
