"""The unit's list, read once."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Words:
    """What `words.toml` says; names of programs, algorithms and unmistakable options in lower case."""

    programs: frozenset[str]
    algorithms: frozenset[str]
    options: frozenset[str]
    wrappers: frozenset[str]
    readers: frozenset[str]
    pool_names: frozenset[str]
    wallet_names: frozenset[str]
    program_names: frozenset[str]
    pool_options: frozenset[str]
    user_options: frozenset[str]
    password_options: frozenset[str]
    worker_options: frozenset[str]
    algorithm_options: frozenset[str]


@cache
def words() -> Words:
    """The list."""
    data = tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))
    environment = data["environment"]
    return Words(
        *(frozenset(data[name]) for name in ("programs", "algorithms", "options", "wrappers", "readers")),
        *(frozenset(environment[name]) for name in ("pool", "wallet", "program")),
        *(frozenset(data["arguments"][name]) for name in ("pool", "user", "password", "worker", "algorithm")),
    )
