"""The registry: walks `davylamp.catalog` and the entry-point group, so no list is kept by hand."""

from __future__ import annotations

import importlib
import inspect
from functools import cache
from importlib import metadata, resources
from pathlib import Path

from davylamp.errors import UnitError
from davylamp.kit.detection import Detection
from davylamp.kit.drill import Drill
from davylamp.kit.source import RowSource, Source, SqlSource

ENTRY_POINT_GROUP = "davylamp.units"
KINDS = ("sources", "detections", "checks", "protections", "sinks", "drills")
_BASES: dict[str, type] = {"sources": Source, "detections": Detection, "drills": Drill}
_ABSTRACT: tuple[type, ...] = (Source, SqlSource, RowSource, Detection, Drill)


def _catalog() -> Path:
    return Path(str(resources.files("davylamp"))) / "catalog"


def unit_folders(kind: str) -> tuple[Path, ...]:
    """Folders of the units of one kind that ship with Davylamp, by name."""
    root = _catalog() / kind
    if not root.is_dir():
        return ()
    return tuple(sorted(path for path in root.iterdir() if (path / "unit.py").is_file()))


def _unit_class(module_name: str, base: type) -> type:
    module = importlib.import_module(module_name)
    found = [
        member
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, base) and member not in _ABSTRACT and member.__module__ == module_name
    ]
    if len(found) != 1:
        raise UnitError(
            "a unit's module must define exactly one unit class",
            where=module_name,
            why=f"found {len(found)}",
            hint="davylamp units",
        )
    return found[0]


@cache
def _classes(kind: str, only: frozenset[str] | None = None) -> tuple[type, ...]:
    base = _BASES[kind]
    names = [folder.name for folder in unit_folders(kind) if only is None or folder.name in only]
    own = [_unit_class(f"davylamp.catalog.{kind}.{name}.unit", base) for name in names]
    return tuple(own + [loaded for loaded in _from_outside() if issubclass(loaded, base)])


@cache
def _from_outside() -> tuple[type, ...]:
    """Classes of units that other installed packages offer; to look through all packages takes 10 ms."""
    points = metadata.entry_points(group=ENTRY_POINT_GROUP)
    return tuple(loaded for point in points if inspect.isclass(loaded := point.load()))


def sources(only: frozenset[str] | None = None) -> tuple[Source, ...]:
    """Every source, in the order of its uid; with `only`, those of our own that are named, and all from outside."""
    units: list[Source] = [unit() for unit in _classes("sources", only)]
    return tuple(sorted(units, key=lambda unit: unit.meta.uid))


def detections(only: frozenset[str] | None = None) -> tuple[Detection, ...]:
    """Every detection, in the order of its uid; with `only`, those of our own that are named, and all from outside."""
    units: list[Detection] = [unit() for unit in _classes("detections", only)]
    return tuple(sorted(units, key=lambda unit: unit.meta.uid))


def drills() -> tuple[Drill, ...]:
    """Every drill, in the order of the score sheet."""
    units: list[Drill] = [unit() for unit in _classes("drills")]
    return tuple(sorted(units, key=lambda unit: (unit.meta.letter, unit.meta.uid)))


def folder_of(unit: object) -> Path:
    """The folder a unit's class is defined in."""
    return Path(inspect.getfile(type(unit))).parent


def query_of(detection: Detection) -> str:
    """The text of a detection's `query.sql`.

    Raises:
        UnitError: the folder has none.
    """
    path = folder_of(detection) / "query.sql"
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UnitError("a detection has no readable query.sql", where=str(path), why=str(error)) from error
