"""The house rules hold every unit: metadata, docstring, query, cases, and what no code path may do."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from tools.reference import REFERENCE, pages

from davylamp.kit import registry
from davylamp.kit.cases import cases_of
from davylamp.kit.detection import Detection
from davylamp.kit.drill import CAUGHT, QUIET, Drill
from davylamp.kit.metadata import MATURITIES
from davylamp.kit.query import steps_of
from davylamp.kit.relations import RELATIONS
from davylamp.kit.source import Source
from davylamp.model.events import EVENT_CLASSES
from davylamp.model.finding import GROUPS, STAGES
from davylamp.store.carry import carry

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src" / "davylamp"
DETECTION_SECTIONS = (
    "What it sees.",
    "Why it matters.",
    "How it decides.",
    "What it misses.",
    "What looks like it and is not.",
    "What to do.",
    "References.",
)
DRILL_SECTIONS = ("What it plays.", "What it proves.")
SOURCE_SECTIONS = ("What it reads.", "What it gives.", "What it leaves out.", "References.")
DETECTIONS = [pytest.param(unit, id=unit.meta.uid) for unit in registry.detections()]
SOURCES = [pytest.param(unit, id=unit.meta.uid) for unit in registry.sources()]


def sections(unit: object) -> list[str]:
    lines = [line.strip() for line in (type(unit).__doc__ or "").splitlines()]
    return [line for line in lines if line in (*DETECTION_SECTIONS, *SOURCE_SECTIONS, *DRILL_SECTIONS)]


@pytest.mark.parametrize("unit", DETECTIONS)
def test_a_detection_states_itself(unit: Detection) -> None:
    meta = unit.meta
    assert registry.folder_of(unit).name == meta.uid
    assert meta.group in GROUPS
    assert meta.stage in STAGES
    assert meta.maturity in MATURITIES
    assert set(meta.reads) <= set(EVENT_CLASSES)
    assert meta.techniques
    for technique in meta.techniques:
        assert re.fullmatch(r"T\d{4}(\.\d{3})?", technique.id)
        assert technique.attack_version
    assert sections(unit) == list(DETECTION_SECTIONS)


@pytest.mark.parametrize("unit", SOURCES)
def test_a_source_states_itself(unit: Source) -> None:
    assert registry.folder_of(unit).name == unit.meta.uid
    assert set(unit.meta.event_classes) <= set(EVENT_CLASSES)
    assert unit.meta.formats
    assert sections(unit) == list(SOURCE_SECTIONS)


@pytest.mark.parametrize("unit", registry.drills(), ids=lambda unit: str(unit.meta.uid))
def test_a_drill_states_itself(unit: Drill) -> None:
    assert registry.folder_of(unit).name == unit.meta.uid
    assert re.fullmatch("[a-i]", unit.meta.letter)
    assert unit.meta.expects in (CAUGHT, QUIET)
    assert sections(unit) == list(DRILL_SECTIONS)


@pytest.mark.parametrize("unit", DETECTIONS)
def test_a_query_reads_what_it_says_uses_its_params_and_carries_to_spark(unit: Detection) -> None:
    query = registry.query_of(unit)
    steps, select = steps_of(query)
    known = {*unit.meta.reads, *(each.name for each in RELATIONS if each.of in ("", *unit.meta.reads))}
    for name, sql in (*((step.name, step.sql) for step in steps), ("", select)):
        tree = sqlglot.parse_one(sql, read="duckdb")
        defined = {cte.alias for cte in tree.find_all(sqlglot.exp.CTE)}
        assert {table.name for table in tree.find_all(sqlglot.exp.Table)} - defined <= known
        assert carry(sql)
        known.add(name)
    assert set(re.findall(r"\$([a-z_][a-z0-9_]*)", query)) <= set(unit.params)


@pytest.mark.parametrize("unit", [*DETECTIONS, *SOURCES])
def test_a_unit_has_cases_that_fire_stay_quiet_and_survive(unit: Any) -> None:
    verbs = {case.verb for case in cases_of(unit.meta.uid, registry.folder_of(unit))}
    needed = {"fires_on", "quiet_on", "survives"}
    assert needed <= verbs
    if isinstance(unit, Detection):
        assert "misses" in verbs, "a known evasion, honestly"


def test_reference_pages_are_fresh() -> None:
    stale = [name for name, text in pages().items() if not _same(REFERENCE / name, text)]
    assert stale == [], "run: make docs"


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, check=True)
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


def python_files() -> list[Path]:
    return sorted(SRC.rglob("*.py"))


def test_nothing_in_the_product_talks_to_a_network() -> None:
    """Sockets belong to the emulation (loopback) and the sensor (netlink, packets); no code path fetches a page."""
    forbidden = {"requests", "http.client", "urllib.request", "ftplib", "smtplib", "telnetlib", "aiohttp", "httpx"}
    allowed_sockets = (SRC / "kit" / "emulation", SRC / "agent")
    for path in python_files():
        imported = {name for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) for name in _imports(node)}
        assert not imported & forbidden, path
        if not any(path.is_relative_to(folder) for folder in allowed_sockets):
            assert not imported & {"socket", "asyncio"}, path


def _imports(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return set()


def test_files_are_small_and_named_for_one_idea() -> None:
    for path in python_files():
        assert not {"utils", "helpers", "common", "manager"} & set(path.relative_to(SRC).with_suffix("").parts), path
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path


def test_no_repetition_of_a_regular_expression_is_read_as_a_tuple() -> None:
    """`{0,60}` in an f-string is the text `(0, 60)`: there it is written `{{0,60}}`."""
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FormattedValue):
                assert not isinstance(node.value, ast.Tuple | ast.Constant), f"{path}:{node.lineno}"


def test_examples_in_docstrings_are_true() -> None:
    with_examples = [path for path in python_files() if "\n    >>> " in path.read_text(encoding="utf-8")]
    assert with_examples
    for path in with_examples:
        name = ".".join(path.relative_to(SRC.parent).with_suffix("").parts)
        assert doctest.testmod(importlib.import_module(name)).failed == 0, name


def test_requirement_files_hold_hashes_and_no_addresses() -> None:
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        assert "://" not in text, path
        assert text.count("==") <= text.count("--hash=sha256:"), path


def test_layers_hold() -> None:
    done = subprocess.run(
        [ROOT / ".venv" / "bin" / "lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout.decode()
