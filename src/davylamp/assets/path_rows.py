"""Rows of the table that finds a machine by the file its records stand in, as `paths` of an asset declares."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from pathlib import Path

from davylamp.model.asset import DeclaredAsset


def path_rows(
    declared: Sequence[DeclaredAsset], paths: Sequence[str], root: Path | None, twins: Mapping[str, str]
) -> list[dict[str, object]]:
    """Whose file a path is; rows stand under the first of several files of one content, so all their names count."""
    owners = {path: [each.name for each in declared if _owns(each, path, root)] for path in sorted(set(paths))}
    by_content: dict[str, set[str]] = {}
    for path, names in owners.items():
        by_content.setdefault(twins.get(path, path), set()).update(names)
    rows: list[dict[str, object]] = []
    for path, names in owners.items():
        known = names or sorted(by_content.get(path, ()))
        if len(known) == 1:
            rows.append({"path": path, "asset": known[0]})
    return rows


def _owns(asset: DeclaredAsset, path: str, root: Path | None) -> bool:
    return any(_matches(path, pattern, root) for pattern in asset.paths)


def _matches(path: str, pattern: str, root: Path | None) -> bool:
    candidates = {path, Path(path).name}
    if root is not None and Path(path).is_relative_to(root):
        candidates.add(str(Path(path).relative_to(root)))
    wanted = pattern.split("/")
    return any(_parts_match(candidate.split("/"), wanted) for candidate in candidates)


def _parts_match(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    """As a shell matches: `*` stays within one folder, `**` stands for any folders or none."""
    reached = {0}
    for part in wanted:
        if part == "**":
            reached = set(range(min(reached), len(parts) + 1)) if reached else set()
        else:
            reached = {at + 1 for at in reached if at < len(parts) and fnmatch.fnmatchcase(parts[at], part)}
    return len(parts) in reached
