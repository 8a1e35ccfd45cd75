"""Joins identities for a case: declared assets, the evidence's own statements, addresses shared by strangers."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path

from davylamp.assets.book import build_book
from davylamp.assets.declared import read_declared
from davylamp.ingest.walk import ASSETS_FILE_NAME
from davylamp.kit.engine import Engine
from davylamp.model.asset import Asset, DeclaredAsset
from davylamp.store.case import Case, StoredPart
from davylamp.store.stored_views import create_stored_views
from davylamp.store.views import create_views

DECLARATION_NAME = "declared.json"
_SCOPED = ("network_activity", "dns_activity")


def declared_assets(assets_file: Path | None, paths: Sequence[str]) -> tuple[tuple[DeclaredAsset, ...], Path | None]:
    """Declared assets and the folder their globs are relative to: `--assets`, else a folder's own `davylamp.toml`."""
    if assets_file is not None:
        return read_declared(assets_file), assets_file.parent
    for path in paths:
        candidate = Path(path) / ASSETS_FILE_NAME
        if os.path.isfile(candidate):  # noqa: PTH113 - Path's own test fails in a folder that may not be entered
            return read_declared(candidate), Path(path)
    return (), None


def with_recorders(
    declared: tuple[tuple[DeclaredAsset, ...], Path | None], recorded_by: Mapping[str, str]
) -> tuple[tuple[DeclaredAsset, ...], Path | None]:
    """The declaration, with files that a host recorded of its own traffic given to that host."""
    assets, root = list(declared[0]), declared[1]
    for path, host in recorded_by.items():
        place = next((number for number, each in enumerate(assets) if host in (each.name, *each.host_names)), None)
        if place is None:
            assets.append(DeclaredAsset(name=host, host_names=(host,), paths=(path,)))
        else:
            assets[place] = replace(assets[place], paths=(*assets[place].paths, path))
    return tuple(assets), root or (Path() if recorded_by else None)


def keep_declaration(case: Case, declared: tuple[Sequence[DeclaredAsset], Path | None]) -> None:
    """Keeps the declaration in the case, so that later looks into it name assets alike."""
    root = None if declared[1] is None else str(declared[1])
    text = json.dumps({"root": root, "assets": [asdict(asset) for asset in declared[0]]}, ensure_ascii=False, indent=1)
    case.write_document(DECLARATION_NAME, (text, "\n"))


def kept_declaration(case: Case) -> tuple[Sequence[DeclaredAsset], Path | None]:
    """The declaration kept by the last scan into the case."""
    kept = case.read_document(DECLARATION_NAME) or {"root": None, "assets": []}
    lists = ("addresses", "host_names", "paths")
    assets = [DeclaredAsset(**{**entry, **{key: tuple(entry[key]) for key in lists}}) for entry in kept["assets"]]
    return assets, None if kept["root"] is None else Path(kept["root"])


def twins_of(case: Case) -> Mapping[str, str]:
    """Path of a file whose content the case held already -> path that its rows stand under."""
    records = case.records()
    read_from = {record.sha256: record.coverage.path for record in records if record.parts}
    return {
        record.coverage.path: read_from[record.sha256]
        for record in records
        if not record.parts and record.sha256 in read_from
    }


def join_assets(
    engine: Engine,
    parts: Mapping[str, Sequence[StoredPart]],
    paths: Sequence[str],
    declared: tuple[Sequence[DeclaredAsset], Path | None],
    since: datetime | None = None,
    until: datetime | None = None,
    twins: Mapping[str, str] | None = None,
    *,
    keep_small: bool = False,
) -> Mapping[str, Asset]:
    """Builds the asset book and the views that name each row's asset by it; returns assets by name."""
    create_stored_views(engine, parts, since, until)
    inventory = engine.rows("SELECT * FROM device_inventory_stored ORDER BY time, path, line, byte_offset")
    scopes = _scopes(engine)
    shared = _shared_addresses(engine) if len(scopes) > 1 else []
    book = build_book(declared[0], inventory, scopes, shared, paths, declared[1], twins)
    create_views(engine, parts, book.tables, keep_small=keep_small)
    return book.assets


def _scopes(engine: Engine) -> list[tuple[str, str]]:
    union = " UNION ".join(f"SELECT DISTINCT account_uid, vpc_uid FROM {name}_stored" for name in _SCOPED)
    rows = engine.rows(
        f"SELECT coalesce(account_uid, '') AS a, coalesce(vpc_uid, '') AS v FROM ({union}) ORDER BY 1, 2"
    )
    return [(str(row["a"]), str(row["v"])) for row in rows]


def _shared_addresses(engine: Engine) -> list[tuple[str, str, str]]:
    """Private addresses that occur in more than one account, or in more than one network of an account."""
    columns = "coalesce(account_uid, '') AS a, coalesce(vpc_uid, '') AS v"
    union = " UNION ".join(f"SELECT DISTINCT {columns}, src_ip AS ip FROM {name}_stored" for name in _SCOPED)
    rows = engine.rows(
        f"""WITH seen AS ({union}), private AS (
            SELECT * FROM seen
            WHERE regexp_matches(ip, '^(10[.]|192[.]168[.]|172[.](1[6-9]|2[0-9]|3[01])[.]|f[cd][0-9a-f][0-9a-f]:)')
        ), shared AS (
            SELECT ip FROM private GROUP BY ip
            HAVING count(DISTINCT nullif(a, '')) > 1 OR count(DISTINCT nullif(v, '')) > 1
        )
        SELECT private.a, private.v, private.ip FROM private JOIN shared ON shared.ip = private.ip ORDER BY 1, 2, 3"""
    )
    return [(str(row["a"]), str(row["v"]), str(row["ip"])) for row in rows]
