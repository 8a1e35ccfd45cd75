"""Units: what the catalog holds, and each unit's own page."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass

from davylamp.errors import UsageError
from davylamp.kit import registry
from davylamp.kit.drill import DrillMeta
from davylamp.kit.metadata import DetectionMeta, SourceMeta


@dataclass(frozen=True, slots=True)
class UnitPage:
    """A unit as its metadata, docstring and thresholds describe it."""

    meta: SourceMeta | DetectionMeta | DrillMeta
    docstring: str
    params: Mapping[str, object]


def unit_pages(kind: str | None = None) -> tuple[UnitPage, ...]:
    """Pages of all units, or of one kind (`sources`, `detections`, `drills`).

    Raises:
        UsageError: there is no such kind.
    """
    plural = kind if kind is None or kind.endswith("s") else f"{kind}s"
    if plural is not None and plural not in registry.KINDS:
        raise UsageError(
            "there is no such kind of unit",
            where=str(kind),
            why=f"known are {', '.join(registry.KINDS)}",
            hint="davylamp units",
        )
    pages = [UnitPage(unit.meta, _docstring(unit), {}) for unit in registry.sources()]
    pages += [UnitPage(unit.meta, _docstring(unit), unit.params) for unit in registry.detections()]
    pages += [UnitPage(unit.meta, _docstring(unit), {}) for unit in registry.drills()]
    return tuple(page for page in pages if plural in (None, f"{page.meta.kind}s"))


def unit_page(uid: str) -> UnitPage:
    """The page of one unit.

    Raises:
        UsageError: there is no such unit.
    """
    found = [page for page in unit_pages() if page.meta.uid == uid]
    if not found:
        raise UsageError("there is no such unit", where=uid, hint="davylamp units")
    return found[0]


def _docstring(unit: object) -> str:
    return inspect.cleandoc(type(unit).__doc__ or "")
