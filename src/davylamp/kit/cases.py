"""Cases are data in a unit's folder: which there are, and what each expects.

An entry of `cases/` named `fires_on_*`, `quiet_on_*`, `survives_*` or `misses_*` is a case: one evidence
file, or a folder of them. `expect.toml` in the folder, or `<file>.expect.toml` beside the file, may
state `findings`, `assets`, `observables`, `severity` and `origin`. Beside a source's file,
`<file>.rows.jsonl` holds the rows that must come out.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

VERBS = ("fires_on", "quiet_on", "survives", "misses")
EXPECT_SUFFIX, ROWS_SUFFIX = ".expect.toml", ".rows.jsonl"
EXPECT_KEYS = frozenset({"findings", "assets", "observables", "severity", "origin", "fact"})


@dataclass(frozen=True)
class Case:
    """One case of a unit.

    Args:
        verb: one of `VERBS`.
        path: the evidence file or folder.
        expect: what its expect file says.
        rows: expected rows for a source's case; None when it has no rows file.
        rejected_count: expected rejects; None when not stated.
    """

    unit: str
    name: str
    verb: str
    path: Path
    expect: Mapping[str, object] = field(default_factory=dict)
    rows: tuple[Mapping[str, object], ...] | None = None
    rejected_count: int | None = None


def cases_of(unit: str, folder: Path) -> Iterator[Case]:
    """The cases below a unit's folder, by name.

    Raises:
        ValueError: a file in `cases/` is no case and belongs to none, or an expectation has an unknown key.
    """
    root = folder / "cases"
    for path in sorted(root.iterdir()) if root.is_dir() else ():
        if path.name.endswith((EXPECT_SUFFIX, ROWS_SUFFIX)) or path.name.startswith(("NOTICE", "LICENSE")):
            continue
        verb = next((word for word in VERBS if path.name.startswith(word + "_")), None)
        if verb is None:
            raise ValueError(f"{path}: a case is named {', '.join(word + '_*' for word in VERBS)}")
        expect = _expect(path)
        rows, rejected_count = _rows(path)
        yield Case(unit, path.name, verb, path, expect, rows, rejected_count)


def _expect(path: Path) -> Mapping[str, object]:
    file = path / "expect.toml" if path.is_dir() else path.with_name(path.name + EXPECT_SUFFIX)
    if not file.is_file():
        return {}
    expect = tomllib.loads(file.read_text(encoding="utf-8"))
    if unknown := set(expect) - EXPECT_KEYS:
        raise ValueError(f"{file}: unknown key {', '.join(sorted(unknown))}")
    return expect


def _rows(path: Path) -> tuple[tuple[Mapping[str, object], ...] | None, int | None]:
    file = path.with_name(path.name + ROWS_SUFFIX)
    if not file.is_file():
        return None, None
    records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    rejected = [record["rejected"] for record in records if set(record) == {"rejected"}]
    rows = tuple(record for record in records if set(record) != {"rejected"})
    return rows, rejected[0] if rejected else None
