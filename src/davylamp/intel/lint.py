"""Lint: what an indicator set must not hold, each rule from a defect that shipped lists had.

- concatenated names (`pangolinminer.comgandalph3000.com`): two lines grown together match nothing.
- shared zones (`mooo.com`) and public suffixes (`co.uk`): they accuse every neighbour.
- addresses of shared networks: a content delivery address serves thousands of sites.
- addresses that name no one machine: loopback, link-local, multicast, unspecified.
- duplicates, and entries that a broader one of the same class covers already.
- dead entries: past their expiry.
- names too short to mean one owner, and text that is no name at all.
- exchanges, wallets, coin projects and news filed as pool endpoints.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache

from davylamp.intel.entries import data_rows
from davylamp.intel.names import normal_address, normal_name
from davylamp.intel.zones import has_known_suffix, is_public_suffix, registered_domain, shared_network, shared_zones
from davylamp.model.indicator import Indicator

# `1gh.com` (7) is the shortest pool name of the complaints; `t.co` (4) is one that everybody asks for.
_SHORTEST_NAME = 5
# Reserved top-level domains (RFC 6761, RFC 9476, ICANN's `internal`): on no public list, and the owner of a list
# that names them knows whose they are.
_SPECIAL_USE = frozenset(("alt", "example", "internal", "local", "onion", "test"))
# A label that begins with an ending and goes on is where two lines may have grown together ...
_GROWN_TOGETHER = re.compile(r"[.](?=(com|net|org|info|xyz|io|eu|ru|pw)([a-z0-9-]+[.][a-z0-9.-]+)$)")
# ... unless it is a word of its own (`community`, `network`, `organic`); other endings begin too many words.
_WORD = re.compile(r"com[mpbei]|net(?:work|flix|ease|scape|gear|app|s?[.])|orga|info(?:rm|s?[.])")
_LONG_ENDINGS = ("com", "net", "org", "info")


@dataclass(frozen=True, slots=True)
class Problem:
    """One defect of one entry."""

    rule: str
    value: str
    text: str


def lint(entries: Sequence[Indicator], *, at: date | None = None) -> tuple[Problem, ...]:
    """Every defect of a set, in the order of its entries.

    Args:
        at: the day on which an entry past its expiry is dead; today when not given.
    """
    day = datetime.now(UTC).date() if at is None else at
    seen = Counter((entry.type, entry.value, entry.port) for entry in entries)
    classes = {entry.value: entry.indicator_class for entry in entries if entry.type == "domain"}
    problems: list[Problem] = []
    for entry in entries:
        problems.extend(entry_problems(entry, at=day))
        problems.extend(_covered(entry, classes))
    problems.extend(
        Problem("duplicate", value, f"listed {count} times") for (_, value, _), count in seen.items() if count > 1
    )
    return tuple(problems)


def entry_problems(entry: Indicator, *, at: date) -> Iterator[Problem]:
    """The defects of one entry by itself."""
    if entry.expires is not None and entry.expires < at:
        yield Problem("dead", entry.value, f"expired on {entry.expires.isoformat()}")
    yield from _address_problems(entry) if entry.type == "ip" else _name_problems(entry)


def _address_problems(entry: Indicator) -> Iterator[Problem]:
    address = normal_address(entry.value)
    if address is None or address != entry.value:
        yield Problem("not_an_address", entry.value, "not the canonical form of an address")
        return
    if _names_no_machine(address):
        yield Problem("no_one_address", entry.value, "a loopback, link-local, multicast or null address")
        return
    operator = shared_network(address)
    if operator is not None and entry.indicator_class != "shared_zone":
        yield Problem("shared_network", entry.value, f"an address of {operator}, shared by its customers")


def _names_no_machine(address: str) -> bool:
    """Private addresses pass: a proxy in one's own network may be listed by its owner."""
    parsed = ipaddress.ip_address(address)
    null_network = parsed.version == 4 and parsed.packed[0] == 0
    reserved = parsed.version == 4 and parsed.is_reserved
    return (
        parsed.is_loopback
        or parsed.is_link_local
        or parsed.is_multicast
        or parsed.is_unspecified
        or null_network
        or reserved
    )


def _name_problems(entry: Indicator) -> Iterator[Problem]:
    name = entry.value.removeprefix("*.")
    if normal_name(name) != name:
        yield Problem("not_a_name", entry.value, "not a lower-case A-label name")
        return
    if len(name) < _SHORTEST_NAME:
        yield Problem("too_short", entry.value, "too short to name one owner")
    if entry.indicator_class == "shared_zone":
        return
    grown = _grown_together(name)
    if grown:
        yield Problem("concatenated", entry.value, f"two names grown together: {grown}")
    if name in shared_zones():
        yield Problem("shared_zone", entry.value, f"a {shared_zones()[name]} zone, open to strangers")
    elif name.rpartition(".")[2] in _SPECIAL_USE:
        pass
    elif not has_known_suffix(name):
        yield Problem("unknown_suffix", entry.value, "ends in no suffix of the public list")
    elif is_public_suffix(name):
        yield Problem("public_suffix", entry.value, "anybody may register names below it")
    project = _project_of(name)
    if entry.indicator_class == "pool_endpoint" and project:
        yield Problem("not_mining", entry.value, f"{project} is an exchange, a wallet, a coin project or news")


def _grown_together(name: str) -> str:
    for match in _GROWN_TOGETHER.finditer(name):
        ending, second = match.group(1), match.group(2)
        first = f"{name[: match.start()]}.{ending}"
        own = registered_domain(first)
        if not own or not registered_domain(second):
            continue
        telling = registered_domain(second) == own or first in _curated()
        unlike_a_word = ending in _LONG_ENDINGS and _WORD.match(ending + second) is None and first == own
        if telling or unlike_a_word:
            return f"{first} + {second}"
    return ""


def _covered(entry: Indicator, classes: Mapping[str, str]) -> Iterator[Problem]:
    if entry.type != "domain":
        return
    wild = entry.value.startswith("*.")
    name = entry.value.removeprefix("*.")
    parents = [name] if wild else []
    for parent in parents + list(_parents(name)):
        for value in (parent,) if parent == name else (f"*.{parent}", parent):
            covering = classes.get(value)
            if covering == entry.indicator_class:
                yield Problem("redundant", entry.value, f"covered by {value} of the same class")
            if covering is not None:
                return


def _parents(name: str) -> Iterator[str]:
    parent = name.partition(".")[2]
    while parent:
        yield parent
        parent = parent.partition(".")[2]


@cache
def _curated() -> frozenset[str]:
    return frozenset(row["name"] for row in data_rows("curation.csv"))


@cache
def _projects() -> frozenset[str]:
    return frozenset(row["name"] for row in data_rows("curation.csv") if row["verdict"] == "exchange_or_news")


def _project_of(name: str) -> str:
    return next((known for known in (name, *_parents(name)) if known in _projects()), "")


def refused(entries: Iterable[Indicator], *, at: date) -> Iterator[tuple[Indicator, Problem | None]]:
    """Each entry with the first problem it has by itself, or None."""
    for entry in entries:
        yield entry, next(entry_problems(entry, at=at), None)
