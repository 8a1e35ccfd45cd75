"""Reads `davylamp.toml`: the assets a user declares."""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from davylamp.errors import UsageError
from davylamp.model.asset import PRICE_MODELS, DeclaredAsset

_KEYS = {field.name: field.type for field in fields(DeclaredAsset)}
_LISTS = frozenset({"addresses", "host_names", "paths"})
_TOP_KEYS = frozenset({"asset"})


def read_declared(path: Path) -> tuple[DeclaredAsset, ...]:
    """The `[[asset]]` entries of a file.

    Raises:
        UsageError: not readable, not TOML, an unknown key, a value of the wrong kind, a name twice.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _wrong(path, "cannot be read", (error.strerror or str(error)).lower()) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _wrong(path, "is not TOML", str(error)) from error
    if unknown := sorted(set(raw) - _TOP_KEYS):
        raise _wrong(path, f"has an unknown key {unknown[0]!r}", "only [[asset]] tables are known")
    entries = raw.get("asset", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _wrong(path, "writes asset wrongly", "each asset is a table [[asset]]")
    declared = tuple(_declared(path, entry) for entry in entries)
    names = [asset.name for asset in declared]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise _wrong(path, f"names the asset {repeated[0]!r} twice", "names tell assets apart")
    return declared


def _declared(path: Path, entry: Mapping[str, object]) -> DeclaredAsset:
    name = entry.get("name")
    if not isinstance(name, str) or not name:
        raise _wrong(path, "has an asset without a name", 'every asset needs name = "..."')
    if unknown := sorted(set(entry) - set(_KEYS)):
        known = ", ".join(_KEYS)
        raise _wrong(path, f"has an unknown key {unknown[0]!r} in asset {name!r}", f"known keys are {known}")
    values: dict[str, object] = {}
    for key, value in entry.items():
        values[key] = _value(path, name, key, value)
    if (model := values.get("price_model")) and model not in PRICE_MODELS:
        raise _wrong(path, f"has price_model {model!r} in asset {name!r}", f"known are {', '.join(PRICE_MODELS)}")
    return DeclaredAsset(**values)  # type: ignore[arg-type]


def _value(path: Path, name: str, key: str, value: object) -> object:
    if key in _LISTS:
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            for item in value if key == "addresses" else ():
                _check_address(path, name, item)
            return tuple(value)
        raise _wrong(path, f"writes {key} of asset {name!r} wrongly", "it is a list of strings")
    if key == "tags":
        if isinstance(value, dict):
            return {str(tag): str(text) for tag, text in value.items()}
        raise _wrong(path, f"writes tags of asset {name!r} wrongly", "it is a table")
    if isinstance(value, str):
        return value
    raise _wrong(path, f"writes {key} of asset {name!r} wrongly", "it is a string")


def _check_address(path: Path, name: str, text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError as error:
        raise _wrong(path, f"has address {text!r} in asset {name!r}", "it is no IP address") from error


def _wrong(path: Path, what: str, why: str) -> UsageError:
    return UsageError(f"the assets file {what}", where=str(path), why=why, hint="davylamp scan --help")
