"""Carries SQL from DuckDB to Spark: sqlglot turns the grammar, this module the meanings that differ.

The rewrites (each is a place where both engines take the text and answer differently, or where one refuses):

- `epoch(ts)`: Spark's `unix_timestamp` cuts the fraction off; here it is microseconds divided.
- A fraction cast to an integer is rounded by DuckDB, cut off by Spark: rounded here, halves to even, as DuckDB does.
- Patterns: `$` is the very end of the text for DuckDB, also the place before a last line end for Java; `.` leaves out
  only the line feed for DuckDB, several line ends for Java.
- `regexp_replace` without the option `g` replaces once in DuckDB and everywhere in Spark: taken only where the
  pattern is bound to one end of the text, which comes to the same.
- Whether a common table expression is kept or read again is said to DuckDB only; Spark decides by itself.
- Views are temporary ones: Spark's lasting views need a catalog and may not read temporary tables.
- `$name` becomes the named marker `:name`; the caller binds the values, patterns as `carried_values` gives them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from davylamp.errors import UnitError

_RULES = "docs/decisions/0001-engine-and-sql-portability.md"
_INTEGERS = ("TINYINT", "SMALLINT", "INT", "BIGINT")
# An escaped character, a class in brackets, or a bare `$`: only the last is the end of the text.
_PATTERN_PIECE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\$", re.DOTALL)
_ONLY_LINE_FEED_ENDS_A_LINE = "(?d)"


def carry(sql: str, relation_of: Callable[[Sequence[str]], str] | None = None) -> str:
    """The Spark SQL that means what the DuckDB statement means.

    Args:
        relation_of: gives the name of the relation that holds these Parquet files; needed only where
            the statement reads files.

    Raises:
        UnitError: the statement uses something that has no equal in Spark.
    """
    import sqlglot

    try:
        tree = sqlglot.parse_one(sql, read="duckdb")
        for rewrite in (_folded, _seconds, _rounded, _pattern, _temporary, _inlined):
            tree = tree.transform(rewrite)
        tree = tree.transform(lambda node: _relation(node, relation_of))
        return str(tree.sql(dialect="spark", comments=False, unsupported_level=sqlglot.ErrorLevel.RAISE))
    except sqlglot.errors.SqlglotError as error:
        raise _refused(str(error).splitlines()[0]) from error


def carried_values(sql: str, params: Mapping[str, object]) -> dict[str, object]:
    """The values to bind to the carried statement: patterns as Java writes them, all else as it is."""
    import sqlglot
    from sqlglot import exp

    if not params:
        return {}
    patterns = {
        node.expression.this
        for node in sqlglot.parse_one(sql, read="duckdb").find_all(exp.RegexpLike, exp.RegexpExtract)
        if isinstance(node.expression, exp.Placeholder)
    }
    return {name: java_pattern(str(value)) if name in patterns else value for name, value in params.items()}


def _folded(node: Any) -> Any:
    """One literal for a concatenation of literals, so that patterns written over several lines are whole."""
    from sqlglot import exp

    if not isinstance(node, exp.DPipe):
        return node
    pieces = list(node.flatten())
    if not all(isinstance(piece, exp.Literal) and piece.is_string for piece in pieces):
        return node
    return exp.Literal.string("".join(piece.this for piece in pieces))


def _seconds(node: Any) -> Any:
    from sqlglot import exp

    if not isinstance(node, exp.TimeToUnix):
        return node
    instant = exp.cast(node.this, exp.DataType.Type.TIMESTAMPLTZ)
    micros = exp.cast(exp.Anonymous(this="UNIX_MICROS", expressions=[instant]), exp.DataType.Type.DOUBLE)
    return exp.paren(exp.Div(this=micros, expression=exp.Literal.number(1_000_000), typed=False, safe=False))


def _rounded(node: Any) -> Any:
    from sqlglot import exp

    if not isinstance(node, exp.Cast) or node.to.this.name not in _INTEGERS or not _fractional(node.this):
        return node
    node.set("this", exp.Anonymous(this="RINT", expressions=[node.this]))
    return node


def _fractional(node: Any) -> bool:
    """Whether a value may have a fraction, as far as its own form tells: a quotient, or arithmetic on one."""
    from sqlglot import exp

    if isinstance(node, exp.Div) or (isinstance(node, exp.Literal) and not node.is_string and "." in node.this):
        return True
    if isinstance(node, exp.Paren | exp.Add | exp.Sub | exp.Mul | exp.Neg | exp.Coalesce | exp.Sum | exp.Avg):
        return isinstance(node, exp.Avg) or any(_fractional(child) for child in node.iter_expressions())
    return False


def _pattern(node: Any) -> Any:
    from sqlglot import exp

    if not isinstance(node, exp.RegexpLike | exp.RegexpExtract | exp.RegexpReplace):
        return node
    pattern = node.expression
    if isinstance(pattern, exp.Placeholder) and not isinstance(node, exp.RegexpReplace):
        return node  # its value is carried when it is bound
    if not isinstance(pattern, exp.Literal):
        raise _refused(f"a pattern that is no literal: {pattern.sql(dialect='duckdb')}")
    if isinstance(node, exp.RegexpReplace) and node.args.get("single_replace") and not _bound(node):
        raise _refused(f"regexp_replace without 'g' and without an end of the text: {pattern.this}")
    node.set("expression", exp.Literal.string(java_pattern(pattern.this)))
    return node


def _bound(node: Any) -> bool:
    modifiers = node.args.get("modifiers")
    return (
        (modifiers is not None and "g" in modifiers.this)
        or node.expression.this[:1] == "^"
        or (node.expression.this[-1:] == "$")
    )


def java_pattern(pattern: str) -> str:
    """The same pattern for Java's matcher.

    Raises:
        UnitError: it has a class that Java reads otherwise: `[` opens one within, `&&` intersects.
    """

    def carried(found: re.Match[str]) -> str:
        piece = found[0]
        if piece[0] == "[" and re.search(r"(?<!\\)\[|&&", piece[1:]):
            raise _refused(f"a class within a class: {pattern}")
        return r"\z" if piece == "$" else piece

    return _ONLY_LINE_FEED_ENDS_A_LINE + _PATTERN_PIECE.sub(carried, pattern)


def _temporary(node: Any) -> Any:
    from sqlglot import exp

    if isinstance(node, exp.Create) and node.kind == "VIEW":
        node.set("properties", exp.Properties(expressions=[exp.TemporaryProperty()]))
    return node


def _inlined(node: Any) -> Any:
    from sqlglot import exp

    if isinstance(node, exp.CTE):
        node.set("materialized", None)
    return node


def _relation(node: Any, relation_of: Callable[[Sequence[str]], str] | None) -> Any:
    from sqlglot import exp

    if not isinstance(node, exp.Table) or not isinstance(node.this, exp.ReadParquet):
        return node
    if relation_of is None:
        raise _refused("it reads files")
    listed = node.this.expressions[0]
    files = [literal.this for literal in listed.find_all(exp.Literal)]
    return exp.to_table(relation_of(files), alias=node.args.get("alias"))


def _refused(why: str) -> UnitError:
    return UnitError(
        "this SQL does not carry to Spark", why=why, hint="docs/decisions/0001-engine-and-sql-portability.md"
    )
