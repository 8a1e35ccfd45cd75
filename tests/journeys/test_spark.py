"""The distributed engine: every query, carried over, gives the same rows in a real Spark session as in DuckDB."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from davylamp.app.engine_of_case import prepare_engine
from davylamp.app.follow_up import tell_suspects
from davylamp.app.join_assets import kept_declaration
from davylamp.app.scan import DEFAULT_MEMORY_BYTES, ScanRequest, scan
from davylamp.cost.price_book import PriceBook
from davylamp.kit import registry
from davylamp.kit.cases import cases_of
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.engine import literal
from davylamp.kit.query import ask
from davylamp.kit.relations import RELATIONS
from davylamp.model.events import EVENT_CLASSES
from davylamp.model.suspect import Suspect
from davylamp.store.case import Case, StoredPart
from davylamp.store.engine import DuckEngine
from davylamp.store.spark import SparkEngine

# One asset by each kind of identity that the views join, so that no join runs over an empty table.
DECLARED = """
[[asset]]
name = "client"
addresses = ["10.0.0.5"]

[[asset]]
name = "web"
host_names = ["web1"]

[[asset]]
name = "batch"
paths = ["*fires_on_half_machine_for_a_day.csv"]
"""
# What other detections would have said of the machines of a log-in in these cases.
GUESSED_AT = datetime(2026, 3, 4, 2, 14, 30, tzinfo=UTC)
SUSPECTS = tuple(
    Suspect(name, GUESSED_AT + timedelta(minutes=minutes), GUESSED_AT + timedelta(days=1), role)
    for name, minutes, role in (("client", 0, "taken"), ("db1", 45, "harmed"))
)
ASSET_TABLES = ("asset_by_path", "asset_by_instance", "asset_by_name", "asset_by_address")
# Loading Spark's classes, and compiling them well, takes longer than all that they do here.
JAVA_FOR_SHORT_QUERIES = (
    "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"
)
SPARK = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.extraJavaOptions": JAVA_FOR_SHORT_QUERIES,
    "spark.executor.extraJavaOptions": JAVA_FOR_SHORT_QUERIES,
    "spark.executor.memory": "2g",
    "spark.default.parallelism": "2",
    "spark.sql.shuffle.partitions": "2",
    "spark.ui.showConsoleProgress": "false",
    # Compiling each stage and planning it anew takes longer than running it over a few thousand rows.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    # So does inferring further filters from every filter, and analysing a view anew for every query that names it.
    "spark.sql.constraintPropagation.enabled": "false",
    "spark.sql.legacy.storeAnalyzedPlanForView": "true",
    # Executors write several lines of log for each task otherwise.
    "spark.executor.syncLogLevel.enabled": "true",
}


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A driver and a master, and an executor of two cores in a process of its own, all on loopback."""
    sql = pytest.importorskip("pyspark.sql", reason="make .venv/.spark installs it")
    # The settings above do not reach the pages of the master and the workers, which would listen everywhere.
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    monkeypatch.setenv("SPARK_WORKER_DIR", str(tmp_path / "workers"))
    builder = sql.SparkSession.builder.master("local-cluster[1,2,2048]").appName("davylamp")
    places = {"spark.local.dir": tmp_path / "spark", "spark.sql.warehouse.dir": tmp_path / "warehouse"}
    for name, value in {**SPARK, **places}.items():
        builder = builder.config(name, str(value))
    started = builder.getOrCreate()
    started.sparkContext.setLogLevel("ERROR")
    gateway = started.sparkContext._gateway
    yield started
    started.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait(timeout=60)


class FewFiles(Case):
    """A case with three files of a class at most: the rest of hundreds that small cases leave take longest to open.

    One is as the scan left it, one holds all others of the same columns, one those of any other columns.
    """

    def parts(self, event_class: str) -> tuple[StoredPart, ...]:
        """The parts, the joint ones written when they are first asked for."""
        by_columns: dict[tuple[str, ...], list[StoredPart]] = {}
        for part in super().parts(event_class):
            by_columns.setdefault(part.columns, []).append(part)
        first, *others = sorted(by_columns.values(), key=len, reverse=True) or [[]]
        joined = {f"{event_class}-alike": first[1:], f"{event_class}-other": [part for many in others for part in many]}
        return (*first[:1], *(self._joined(name, parts) for name, parts in joined.items() if parts))

    def _joined(self, name: str, parts: Sequence[StoredPart]) -> StoredPart:
        columns = tuple(dict.fromkeys(name for part in parts for name in part.columns))
        # What sshd told the audit is known by the name of its file.
        source = "-auditd_log" if any("-auditd_log" in part.file for part in parts) else ""
        file = self.root / f"{name}{source}.parquet"
        if not file.exists():
            listed = ", ".join(literal(part.file) for part in parts)
            relation = f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
            listed_columns = ", ".join(f'"{column}"' for column in columns)
            duckdb.execute(f"COPY (SELECT {listed_columns} FROM {relation}) TO {literal(str(file))} (FORMAT parquet)")
        return StoredPart(str(file), columns)


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    """Evidence of every event class on which every detection has candidates: all their firing cases together."""
    assets = tmp_path / "davylamp.toml"
    assets.write_text(DECLARED, encoding="utf-8")
    # The detections are asked and judge below, on both engines.
    scan(ScanRequest(paths=_firing(), case_folder=tmp_path / "case", assets_file=assets, units=frozenset()))
    opened = FewFiles(tmp_path / "case", create=False)
    yield opened
    opened.close()


def _firing() -> tuple[str, ...]:
    paths: list[str] = []
    folders = {unit.meta.uid: registry.folder_of(unit) for unit in registry.detections()}
    # No detection's case holds all that another tool's alerts and the sensor can say.
    folders |= {
        unit.meta.uid: registry.folder_of(unit)
        for unit in registry.sources()
        if unit.meta.uid in ("suricata_eve", "host_live")
    }
    for uid, folder in folders.items():
        for found in cases_of(uid, folder):
            if found.verb == "fires_on":
                listed = sorted(found.path.iterdir()) if found.path.is_dir() else [found.path]
                paths += [str(path) for path in listed if path.suffix != ".toml"]
    return tuple(paths)


@pytest.mark.slow(about_s=90)
def test_every_view_and_query_gives_the_same_rows_on_both_engines(case: Case, session: Any) -> None:
    duck, spark = DuckEngine(DEFAULT_MEMORY_BYTES, case.scratch), SparkEngine(session)
    rows_count: dict[str, int] = {}
    differing: dict[str, str] = {}
    try:
        facts = [
            prepare_engine(engine, case, kept_declaration(case), PriceBook.load(None)).facts for engine in (duck, spark)
        ]
        for engine in (duck, spark):
            tell_suspects(engine, SUSPECTS)
        for name, sql, params, detection in _questions():
            ours, theirs = ask(duck, sql, params), ask(spark, sql, params)
            rows_count[name] = len(ours)
            if difference := _difference(ours, theirs):
                differing[name] = difference
            elif detection is not None and _findings(detection, ours, facts[0]) != _findings(
                detection, theirs, facts[1]
            ):
                differing[name] = "equal rows are judged differently"
    finally:
        duck.close()
    assert differing == {}
    assert [name for name, count in rows_count.items() if count == 0] == [], "empty on both engines proves nothing"


def _questions() -> Iterator[tuple[str, str, Mapping[str, object], Detection | None]]:
    """Name, SQL and values of all that is compared: tables, relations, views, and every detection's query."""
    for name in (*ASSET_TABLES, *(each.name for each in RELATIONS), *EVENT_CLASSES):
        yield name, f"SELECT * FROM {name}", {}, None
    for detection in registry.detections():
        query = registry.query_of(detection)
        yield detection.meta.uid, query, detection.params, detection


def _difference(ours: Sequence[Row], theirs: Sequence[Row]) -> str:
    """Empty when both hold the same rows equally often, in any order; else the first rows that one lacks."""
    one, other = (Counter(tuple((name, _plain(row[name])) for name in row) for row in rows) for rows in (ours, theirs))
    if one == other:
        return ""
    only = [sorted((left - right).elements(), key=str)[:2] for left, right in ((one, other), (other, one))]
    return f"{len(ours)} rows in DuckDB, {len(theirs)} in Spark; only in DuckDB: {only[0]}; only in Spark: {only[1]}"


def _plain(value: object) -> object:
    """Values as both engines can give them: whole numbers exact, fractions to nine digits, lists as tuples."""
    if isinstance(value, list | tuple):
        return tuple(_plain(item) for item in value)
    if isinstance(value, float | Decimal):
        # A sum of fractions may miss a whole number by its last digit, in one order of adding and not in another.
        near = value if value == int(value) else float(f"{value:.9g}")
        return int(near) if near == int(near) else f"{value:.9g}"
    return value


def _findings(detection: Detection, rows: Sequence[Row], facts: Facts) -> list[tuple[object, ...]]:
    return sorted((each.uid, f"{each.llr:.9g}", each.because) for each in detection.judge(rows, facts))
