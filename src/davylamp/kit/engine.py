"""The engine as rooms see it: SQL in, rows out; who owns it is the store's affair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Engine(Protocol):
    """A columnar SQL engine with bounded memory."""

    def execute(self, sql: str, params: Mapping[str, object] | None = None) -> None:
        """Runs a statement for its effect."""
        ...

    def rows(self, sql: str, params: Mapping[str, object] | None = None) -> list[dict[str, object]]:
        """Runs a query that returns few rows."""
        ...

    def columns(self, sql: str) -> dict[str, str]:
        """Column name -> type of a query, without running it."""
        ...

    def register(self, name: str, arrow: Any) -> None:
        """Makes an Arrow table or stream readable as a relation until the next call for that name."""
        ...

    def keep(self, name: str, sql: str, params: Mapping[str, object] | None = None) -> None:
        """Answers a query once and makes its rows readable as a relation, in the place of an earlier one of that name.

        For what is asked for more than once: the engine knows from then on how many rows there are, and whatever
        reads them is planned without the query that made them.
        """
        ...

    def unregister(self, name: str) -> None:
        """Takes such a relation back."""
        ...


def literal(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"
