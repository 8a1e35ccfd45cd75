"""Indicators for the user: check one, list, import, lint. No name is ever resolved."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from davylamp.app.places import imported_indicators
from davylamp.errors import CaseError, UsageError
from davylamp.intel.entries import bundled, load_imported, save_imported
from davylamp.intel.importing import Imported, import_file
from davylamp.intel.indicators import Indicators
from davylamp.intel.lint import Problem, lint
from davylamp.intel.names import is_address, normal_name, split_port
from davylamp.model.indicator import Indicator

_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Check:
    """What the set says of one name or address; `ports` are those it is listed with, where it was asked without."""

    asked: str
    match: Indicator | None
    ports: tuple[int, ...] = ()


def all_indicators() -> Indicators:
    """The bundled set and the user's imported one."""
    return Indicators.load([imported_indicators()])


def check_indicator(text: str) -> Check:
    """Looks one name, address or address:port up in the set; a URL is looked up by its host.

    Raises:
        UsageError: the text is neither a name nor an address.
    """
    host, port = split_port(_SCHEME.sub("", text.strip()).split("/", 1)[0])
    indicators = all_indicators()
    if is_address(host):
        return Check(text, indicators.match_address(host, port), () if port else indicators.ports_of(host))
    if normal_name(host) is None:
        raise UsageError(
            "this is neither a name nor an address",
            where=text,
            hint="davylamp intel check pool.example.com",
        )
    return Check(text, indicators.match_domain(host))


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
        imported = import_file(path)
        return (*imported.problems(), *lint(imported.entries, at=today))
    entries: Iterable[Indicator] = (*bundled(), *load_imported(imported_indicators()))
    return lint(tuple(entries), at=today)
