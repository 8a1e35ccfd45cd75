"""The distributed engine: the same views and queries in a Spark session, over the same Parquet case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from davylamp.store.carry import carried_values, carry

# What makes a session answer like the embedded engine; all may be set while it runs.
SETTINGS: Mapping[str, str] = {
    # TIMESTAMP columns are naive UTC: Spark's own type for that is TIMESTAMP_NTZ.
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
    "spark.sql.ansi.enabled": "true",
    # "a\\b" in a query is written by the carrier with Spark's escapes.
    "spark.sql.parser.escapedStringLiterals": "false",
}


class SparkEngine:
    """A Spark session behind the interface of the embedded engine; the session stays its owner's.

    Args:
        session: a `pyspark.sql.SparkSession` of Spark 4; every executor must see the case's folder
            under the same path.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._relations: dict[tuple[str, ...], str] = {}
        for name, value in SETTINGS.items():
            session.conf.set(name, value)

    def execute(self, sql: str, params: Mapping[str, object] | None = None) -> None:
        """Runs a statement for its effect."""
        self._run(sql, params)

    def rows(self, sql: str, params: Mapping[str, object] | None = None) -> list[dict[str, object]]:
        """Runs a query that returns few rows."""
        return [
            {name: bytes(value) if isinstance(value, bytearray) else value for name, value in row.asDict().items()}
            for row in self._run(sql, params).collect()
        ]

    def columns(self, sql: str) -> dict[str, str]:
        """Column name -> Spark's type of a query, without running it."""
        return dict(self._run(sql, None).dtypes)

    def register(self, name: str, arrow: Any) -> None:
        """Makes an Arrow table readable as a relation."""
        self._session.createDataFrame(arrow).createOrReplaceTempView(name)

    def keep(self, name: str, sql: str, params: Mapping[str, object] | None = None) -> None:
        """Answers a query once; its rows stay with the executors, and what reads them is planned from there."""
        self._run(sql, params).localCheckpoint().createOrReplaceTempView(name)

    def unregister(self, name: str) -> None:
        """Takes such a relation back."""
        self._session.catalog.dropTempView(name)

    def _run(self, sql: str, params: Mapping[str, object] | None) -> Any:
        return self._session.sql(carry(sql, self._relation), args=carried_values(sql, params or {}))

    def _relation(self, files: Sequence[str]) -> str:
        """The temporary view over Parquet files, made when they are first asked for."""
        key = tuple(files)
        if key not in self._relations:
            name = f"parquet_{len(self._relations)}"
            self._session.read.parquet(*files).createOrReplaceTempView(name)
            self._relations[key] = name
        return self._relations[key]
