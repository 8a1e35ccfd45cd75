"""Opens what an earlier scan left: its document, or its event tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from davylamp.app.join_assets import join_assets, kept_declaration, twins_of
from davylamp.app.places import last_case
from davylamp.app.scan import DEFAULT_MEMORY_BYTES, DOCUMENT_NAME
from davylamp.errors import CaseError
from davylamp.model.events import EVENT_CLASSES
from davylamp.store.case import Case
from davylamp.store.engine import DuckEngine


def saved_document(case_folder: Path | None) -> dict[str, Any]:
    """The document of a case, or of the last scan.

    Raises:
        CaseError: there is no such case, or no scan of it was finished.
    """
    folder = _folder(case_folder)
    document = Case(folder, create=False).read_document(DOCUMENT_NAME)
    if document is None:
        raise CaseError(
            "this case has no finished scan",
            where=str(folder),
            why="a scan into it was stopped before it ended",
            hint=f"davylamp scan PATH --case {folder}",
        )
    return document


@contextmanager
def opened_events(case_folder: Path | None) -> Iterator[DuckEngine]:
    """An engine with the views of a case, closed at the end."""
    folder = _folder(case_folder)
    case = Case(folder, create=False)
    engine = DuckEngine(DEFAULT_MEMORY_BYTES, case.scratch)
    try:
        parts = {name: case.parts(name) for name in EVENT_CLASSES}
        paths = [record.coverage.path for record in case.records()]
        join_assets(engine, parts, paths, kept_declaration(case), twins=twins_of(case))
        yield engine
    finally:
        engine.close()
        case.close()


def _folder(case_folder: Path | None) -> Path:
    folder = case_folder or last_case()
    if case_folder is None and not folder.is_dir():
        raise CaseError(
            "there is no earlier scan", where=str(folder), why="nothing was scanned yet", hint="davylamp scan PATH"
        )
    return folder
