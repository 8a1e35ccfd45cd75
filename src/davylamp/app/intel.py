"""Indicators for the user: check one, list, import, lint. No name is ever resolved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from davylamp.app.places import imported_indicators
from davylamp.errors import CaseError
from davylamp.intel.entries import bundled, load_imported, save_imported
from davylamp.intel.importing import Imported, import_file
from davylamp.intel.indicators import Indicators
from davylamp.intel.lint import Problem, lint
from davylamp.intel.names import is_address, split_port
from davylamp.model.indicator import Indicator


@dataclass(frozen=True, slots=True)
class Check:
    """What the set says of one name or address."""

    asked: str
    match: Indicator | None


def all_indicators() -> Indicators:
    """The bundled set and the user's imported one."""
    return Indicators.load([imported_indicators()])


def check_indicator(text: str) -> Check:
    """Looks one name, address or address:port up in the set."""
    name, port = split_port(text)
    indicators = all_indicators()
    if is_address(name):
        return Check(text, indicators.match_address(name, port))
    return Check(text, indicators.match_domain(name))


def import_indicators(path: Path, indicator_class: str) -> tuple[Imported, int]:
    """Reads a list and adds its entries to the user's set; returns what it came to and the set's size.

    Raises:
        UsageError: the file or the class is wrong.
        CaseError: the set cannot be written.
    """
    imported = import_file(path, indicator_class=indicator_class)
    problems = {problem.value for problem in lint(imported.entries)}
    kept = [entry for entry in imported.entries if entry.value not in problems]
    target = imported_indicators()
    try:
        return imported, save_imported(target, kept)
    except OSError as error:
        raise CaseError(
            "the imported indicators cannot be kept",
            where=str(target),
            why=(error.strerror or str(error)).lower(),
            hint=f"ls -ld {target.parent}",
        ) from error


def lint_indicators(path: Path | None) -> tuple[Problem, ...]:
    """Problems of a list file, or of the bundled and imported sets."""
    today = datetime.now(UTC).date()
    if path is not None:
        return lint(import_file(path).entries, at=today)
    entries: Iterable[Indicator] = (*bundled(), *load_imported(imported_indicators()))
    return lint(tuple(entries), at=today)
