"""A detection's `query.sql`: the relations it makes for itself, then the SELECT that gives its candidates.

    CREATE TEMPORARY VIEW contact AS
    SELECT ...
    ;
    CREATE TEMPORARY TABLE foreign_contact AS
    SELECT ... FROM contact ...
    ;
    SELECT ... FROM contact JOIN foreign_contact ...

A view is a name for a SELECT; the rows of a table are found once and kept. The last table is what candidates rest on:
when it has no rows there are none, and the SELECT is not asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from davylamp.kit.engine import Engine

_PARAM = re.compile(r"\$([a-z_][a-z0-9_]*)")
_STEP = re.compile(r"^CREATE TEMPORARY (TABLE|VIEW) ([a-z_]+) AS\n(.*?)\n;\n", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Step:
    """A relation that a query makes before it asks.

    Args:
        kept: whether its rows are found once and kept, or it is only a name for a SELECT.
    """

    name: str
    sql: str
    kept: bool


def steps_of(query: str) -> tuple[tuple[Step, ...], str]:
    """The steps in their order, and the SELECT after them."""
    steps = tuple(Step(found[2], found[3], found[1] == "TABLE") for found in _STEP.finditer(query))
    return steps, _STEP.sub("", query)


def ask(engine: Engine, query: str, params: Mapping[str, object]) -> list[dict[str, object]]:
    """The rows of a query; each of its statements is given those thresholds that it names."""
    steps, select = steps_of(query)
    decisive = ""
    for step in steps:
        if step.kept:
            decisive = step.name
            engine.keep(step.name, step.sql, named(step.sql, params))
        else:
            engine.execute(f"CREATE OR REPLACE VIEW {step.name} AS {step.sql}")
    if decisive and not engine.rows(f"SELECT 1 AS one FROM {decisive} LIMIT 1"):
        return []
    return engine.rows(select, named(select, params))


def named(sql: str, params: Mapping[str, object]) -> dict[str, object]:
    """Those values that a statement names; engines refuse values nobody asked for."""
    names = set(_PARAM.findall(sql))
    return {name: value for name, value in params.items() if name in names}
