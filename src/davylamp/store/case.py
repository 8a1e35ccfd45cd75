"""A case is a folder: event Parquet by class and day, the ledger of files, the last document."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from davylamp.errors import CaseError
from davylamp.model.coverage import FileCoverage, Reject

FORMAT = "davylamp.case/1"


@dataclass(frozen=True, slots=True)
class StoredPart:
    """One Parquet file of one event class.

    Args:
        file: relative to the case in the ledger, absolute where `Case.parts` gives it.
        columns: those it holds; columns its source does not give are not stored.
    """

    file: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What the ledger keeps of one evidence file.

    Args:
        sha256: of the file's raw bytes.
        parts: event class -> what was stored of it.
    """

    sha256: str
    size_bytes: int
    coverage: FileCoverage
    parts: Mapping[str, StoredPart] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Case:
    """Opens or makes the folder; only whole files ever enter the ledger, so a stop leaves it consistent."""

    def __init__(self, root: Path, *, create: bool) -> None:
        self.root = root
        marker = root / "case.json"
        if marker.is_file():
            self._check(marker)
        elif create:
            self._make(marker)
        else:
            raise CaseError(
                "this is no case", where=str(root), why="it has no case.json", hint=f"davylamp scan PATH --case {root}"
            )
        self._records: dict[tuple[str, str, str], FileRecord] = {}
        self._by_size: dict[int, list[FileRecord]] = {}
        self._by_path: dict[str, list[FileRecord]] = {}
        for record in self._read_ledger():
            self._index(record)

    @property
    def scratch(self) -> Path:
        """Folder for what is being written; emptied when the case is opened and closed."""
        return self.root / "scratch"

    def records(self) -> tuple[FileRecord, ...]:
        """Every file of the ledger, by path."""
        return tuple(sorted(self._records.values(), key=_key))

    def of_size(self, size_bytes: int) -> tuple[FileRecord, ...]:
        """Files of that many raw bytes, those first that were read rather than found again."""
        return tuple(sorted(self._by_size.get(size_bytes, ()), key=lambda record: (not record.parts, *_key(record))))

    def of_path(self, path: str) -> tuple[FileRecord, ...]:
        """What was read under that path."""
        return tuple(self._by_path.get(path, ()))

    def add(self, record: FileRecord) -> None:
        """Enters a file; its parts must be in place already."""
        self._index(record)
        line = json.dumps(asdict(record), sort_keys=True)
        with self._writing(), (self.root / "files.jsonl").open("a", encoding="utf-8") as ledger:
            ledger.write(line + "\n")

    def drop(self, record: FileRecord) -> None:
        """Takes a file out again, with its parts (it grew and was read anew)."""
        if self._records.pop(_key(record), None) is None:
            return
        self._by_size[record.size_bytes].remove(record)
        self._by_path[record.coverage.path].remove(record)
        text = "".join(json.dumps(asdict(kept), sort_keys=True) + "\n" for kept in self.records())
        self._replace(self.root / "files.jsonl", (text,))
        for part in record.parts.values():
            (self.root / part.file).unlink(missing_ok=True)

    def parts(self, event_class: str) -> tuple[StoredPart, ...]:
        """What is stored of a class, by evidence path."""
        found = (record.parts.get(event_class) for record in self.records())
        return tuple(StoredPart(str(self.root / part.file), part.columns) for part in found if part)

    def place(self, written: Path, event_class: str, day: str, file_uid: str) -> str:
        """Moves a finished Parquet file to its place and returns it relative to the case."""
        relative = Path("events") / event_class / f"day={day}" / f"{file_uid}.parquet"
        target = self.root / relative
        with self._writing():
            target.parent.mkdir(parents=True, exist_ok=True)
            written.replace(target)
        return str(relative)

    def write_document(self, name: str, pieces: Iterable[str]) -> None:
        """Keeps a JSON document of the case, given as pieces of its text, whole or not at all."""
        self._replace(self.root / name, pieces)

    def read_document(self, name: str) -> dict[str, Any] | None:
        """The document kept under that name, or None."""
        try:
            text = (self.root / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        document: dict[str, Any] = json.loads(text)
        return document

    def close(self) -> None:
        """Empties the scratch folder."""
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _index(self, record: FileRecord) -> None:
        if (old := self._records.get(_key(record))) is not None:
            self._by_size[old.size_bytes].remove(old)
            self._by_path[old.coverage.path].remove(old)
        self._records[_key(record)] = record
        self._by_size.setdefault(record.size_bytes, []).append(record)
        self._by_path.setdefault(record.coverage.path, []).append(record)

    def _make(self, marker: Path) -> None:
        if self.root.exists() and any(self.root.iterdir() if self.root.is_dir() else (self.root,)):
            raise CaseError(
                "this folder cannot become a case",
                where=str(self.root),
                why="it exists and holds something else",
                hint="name a new or empty folder after --case",
            )
        with self._writing():
            self.scratch.mkdir(parents=True, exist_ok=True)
            self._replace(marker, (json.dumps({"format": FORMAT}), "\n"))

    def _check(self, marker: Path) -> None:
        try:
            found = json.loads(marker.read_text(encoding="utf-8")).get("format")
        except (OSError, ValueError, AttributeError) as error:
            raise CaseError("this case cannot be read", where=str(marker), why=str(error)) from error
        if found != FORMAT:
            raise CaseError(
                "this case is of another version",
                where=str(marker),
                why=f"it says {found!r}, this program reads {FORMAT!r}",
                hint="scan the evidence again into a new folder",
            )
        with self._writing():
            shutil.rmtree(self.scratch, ignore_errors=True)
            self.scratch.mkdir(exist_ok=True)

    def _read_ledger(self) -> Iterable[FileRecord]:
        try:
            lines = (self.root / "files.jsonl").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            try:
                raw = json.loads(line)
            except ValueError:
                continue  # a line cut by a stop: its file was never entered
            coverage = raw["coverage"]
            rejects = tuple(Reject(**reject) for reject in coverage.pop("rejects"))
            record = FileRecord(
                sha256=raw["sha256"],
                size_bytes=raw["size_bytes"],
                coverage=FileCoverage(**coverage, rejects=rejects),
                parts={name: StoredPart(part["file"], tuple(part["columns"])) for name, part in raw["parts"].items()},
                notes=tuple(raw["notes"]),
            )
            if all((self.root / part.file).is_file() for part in record.parts.values()):
                yield record

    def _replace(self, path: Path, pieces: Iterable[str]) -> None:
        draft = path.with_name(path.name + ".draft")
        with self._writing():
            with draft.open("w", encoding="utf-8") as file:
                file.writelines(pieces)
            draft.replace(path)

    def _writing(self) -> _Writing:
        return _Writing(self.root)


def _key(record: FileRecord) -> tuple[str, str, str]:
    return record.coverage.path, record.sha256, record.coverage.source or ""


class _Writing:
    """Turns a failed write (permissions, full disk) into an error that says so."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, OSError):
            raise CaseError(
                "the case cannot be written",
                where=str(error.filename or self._root),
                why=(error.strerror or str(error)).lower(),
                hint=f"df -h {self._root}; ls -ld {self._root}",
            ) from error
