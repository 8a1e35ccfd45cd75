"""Compares baselines entry by entry: what one has and the other has not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from davylamp.model.baseline import ANY, NEED_LISTS, RANDOM, Baseline, Entry

# What names an entry, where that is less than all of it: a port is gone when nobody listens, whoever did.
_NAMED_BY = {
    "listening_ports": ("protocol", "port"),
    "startup_items": ("item_kind", "file_path", "name"),
    "authorized_keys": ("user_name", "value"),
    "user_accounts": ("name",),
}
# Beside what is compared, these are written for the reader alone.
_SHOWN_ALONE = {"startup_items": ("value",), "authorized_keys": ("name",)}


@dataclass(frozen=True, slots=True)
class Change:
    """One entry that only one of two baselines has; `added` says whether it is the newer one."""

    list_name: str
    entry: Entry
    added: bool


def changes_between(old: Baseline | None, new: Baseline) -> Iterator[Change]:
    """Entries that differ, what goes before what comes, list by list."""
    for need in NEED_LISTS:
        before = {_whole(need.name, entry): entry for entry in (old.entries if old else {}).get(need.name, ())}
        after = {_whole(need.name, entry): entry for entry in new.entries.get(need.name, ())}
        yield from (Change(need.name, entry, False) for key, entry in before.items() if key not in after)
        yield from (Change(need.name, entry, True) for key, entry in after.items() if key not in before)


def gone_from(baseline: Baseline, needs: Mapping[str, tuple[Entry, ...]]) -> Iterator[Change]:
    """Entries of the baseline that a look did not see; of lists that could not be looked at, nothing is said."""
    for name, declared in baseline.entries.items():
        if name not in needs:
            continue
        seen = {_named(name, entry) for entry in needs[name]}
        for entry in declared:
            if entry.get("port") not in (RANDOM, ANY) and _named(name, entry) not in seen:
                yield Change(name, entry, False)


def _whole(name: str, entry: Entry) -> tuple[tuple[str, str], ...]:
    shown = _SHOWN_ALONE.get(name, ())
    return tuple(sorted((key, str(value)) for key, value in entry.items() if key not in shown))


def _named(name: str, entry: Entry) -> tuple[str, ...]:
    return tuple(str(entry.get(key)) for key in _NAMED_BY.get(name, tuple(sorted(entry))))
