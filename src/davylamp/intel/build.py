"""Builds the bundled set from the upstream list files: one command refreshes it.

    python -m davylamp.intel.build --maltrail crypto_mining.txt --maltrail-commit HASH \\
        --nocoin hosts.txt nocoin.txt --nocoin-commit HASH --at 2026-08-23

`data/curation.csv` says what we know about a name: a public pool (its bare name is a site, the names
below it serve miners), a pool that serves miners on its bare name too, a site, an exchange. A name of a
pool list that it does not mention is taken as the endpoint it was listed as.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path

from davylamp.intel.entries import data_rows, write_csv
from davylamp.intel.formats import read_adblock, read_hosts
from davylamp.intel.lint import entry_problems, lint
from davylamp.intel.list_item import Item
from davylamp.intel.names import normal_address, normal_name, split_port
from davylamp.intel.zones import shared_zones
from davylamp.model.indicator import Indicator

# Expiry. A name stays with its owner for years: three after a list last carried it. An address is let to
# somebody else within months: two years where nothing but the address (or a port that every web server
# has) is listed, ten where a port binds it that a stranger would hardly open.
_NAME_DAYS, _LOOSE_ADDRESS_DAYS, _BOUND_ADDRESS_DAYS = 3 * 365, 2 * 365, 10 * 365
_WEB_PORTS = frozenset((80, 443, 8080, 8443))
_STATUS = re.compile(r"/status/(\d{15,20})")
_DATED_PATH = re.compile(r"/(20[12]\d)[/-]([01]\d)(?:[/-]([0-3]\d))?(?:[/-]|$)")
_SNOWFLAKE_EPOCH_MS = 1288834974657
# Listed because the pool's page was seen there, not because a miner spoke to it.
_PAGE_SEEN = "# TITLE-HOST"


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of an upstream list."""

    value: str
    first_seen: date | None
    page_only: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a list is from."""

    source: str
    reference: str
    licence: str
    default_class: str
    at: date


def read_trail(text: str) -> Iterator[Listed]:
    """A trail file: entries under `# Reference:` lines, which often carry a date.

    New sections are added at the end, so the newest date above an entry bounds when it was added.
    """
    newest: date | None = None
    page_only = False
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("#"):
            page_only = line.startswith(_PAGE_SEEN) or (page_only and not line.startswith("# Reference"))
            dated = _dated(line)
            newest = max(newest, dated) if newest and dated else newest or dated
            continue
        entry = line.split("#", 1)[0].strip().lower()
        if entry:
            yield Listed(re.sub(r"^https?://", "", entry).split("/", 1)[0], newest, page_only)


def _dated(line: str) -> date | None:
    status = _STATUS.search(line)
    if status is not None:
        moment_ms = (int(status.group(1)) >> 22) + _SNOWFLAKE_EPOCH_MS
        return datetime.fromtimestamp(moment_ms / 1000, UTC).date()
    path = _DATED_PATH.search(line)
    if path is None or not 1 <= int(path.group(2)) <= 12:
        return None
    return date(int(path.group(1)), int(path.group(2)), 1)


class Curation:
    """What we know about names, from `curation.csv`."""

    def __init__(self) -> None:
        self._rows = {row["name"]: row for row in data_rows("curation.csv")}

    def covering(self, name: str) -> tuple[str, str]:
        """The curated name at or above `name`, and its verdict; empty when there is none."""
        parent = name
        while parent:
            if parent in self._rows:
                return parent, self._rows[parent]["verdict"]
            parent = parent.partition(".")[2]
        return "", ""

    def rows(self) -> Iterable[Mapping[str, str]]:
        """All curated names."""
        return self._rows.values()


def curated_entries(curation: Curation, listed: Sequence[Listed], pools: Origin) -> Iterator[Indicator]:
    """Entries for the curated names, and for the shared zones; a name the pool list gave keeps that origin."""
    sightings = _first_sightings(curation, listed)
    own = replace(pools, reference=pools.at.isoformat(), licence="Apache-2.0")
    for row in curation.rows():
        origin = pools if row["source"] == "maltrail" else replace(own, source=f"davylamp:{row['source']}")
        yield from _by_verdict(row["name"], row["verdict"], origin, sightings.get(row["name"]))
    zones = replace(own, source="davylamp:shared_zones")
    yield from (_entry(zone, "shared_zone", zones, None) for zone in shared_zones())


def _first_sightings(curation: Curation, listed: Iterable[Listed]) -> Mapping[str, date]:
    sightings: dict[str, date] = {}
    for line in listed:
        name = curation.covering(split_port(line.value)[0])[0]
        if name and line.first_seen:
            sightings[name] = min(line.first_seen, sightings.get(name, line.first_seen))
    return sightings


def _by_verdict(name: str, verdict: str, origin: Origin, first_seen: date | None) -> Iterator[Indicator]:
    if verdict == "public_pool":
        yield _entry(f"*.{name}", "pool_endpoint", origin, first_seen)
        yield _entry(name, "pool_website", origin, first_seen)
    elif verdict == "public_pool_bare":
        yield _entry(name, "pool_endpoint", origin, first_seen)
        yield _entry(f"www.{name}", "pool_website", origin, first_seen)
    elif verdict != "leave_out":
        indicator_class = {"endpoint": "pool_endpoint", "website": "pool_website"}.get(verdict, verdict)
        yield _entry(name, indicator_class, origin, first_seen)


def _entry(name: str, indicator_class: str, origin: Origin, first_seen: date | None) -> Indicator:
    expires = origin.at + timedelta(days=_NAME_DAYS)
    return Indicator(
        "domain",
        name,
        None,
        indicator_class,
        origin.source,
        origin.reference,
        origin.licence,
        first_seen,
        origin.at,
        expires,
    )


def listed_entries(listed: Iterable[Listed], origin: Origin, curation: Curation) -> Iterator[Indicator]:
    """Entries for an upstream list; names that curation has a verdict on are left to it."""
    for line in listed:
        host, port = split_port(line.value)
        address, name = normal_address(host), normal_name(host)
        if address is not None:
            yield _address(address, port, origin, line)
        elif name is not None and "." in name and not curation.covering(name)[0]:
            indicator_class = "pool_website" if line.page_only else origin.default_class
            yield _entry(name, indicator_class, origin, line.first_seen)


def _address(address: str, port: int | None, origin: Origin, line: Listed) -> Indicator:
    loose = port is None or port in _WEB_PORTS
    since = line.first_seen or origin.at
    expires = since + timedelta(days=_LOOSE_ADDRESS_DAYS if loose else _BOUND_ADDRESS_DAYS)
    return replace(
        _entry(address, origin.default_class, origin, line.first_seen), type="ip", port=port, expires=expires
    )


def merge(entries: Iterable[Indicator], at: date) -> tuple[Indicator, ...]:
    """First entry of each value wins, with the earliest first sighting; defects and covered entries go."""
    kept: dict[tuple[str, int | None], Indicator] = {}
    for entry in entries:
        before = kept.get((entry.value, entry.port))
        if before is None:
            kept[entry.value, entry.port] = entry
        elif entry.first_seen and (before.first_seen is None or entry.first_seen < before.first_seen):
            kept[entry.value, entry.port] = replace(before, first_seen=entry.first_seen)
    sound = [entry for entry in kept.values() if next(entry_problems(entry, at=at), None) is None]
    redundant = {problem.value for problem in lint(sound, at=at) if problem.rule == "redundant"}
    return tuple(entry for entry in sound if entry.value not in redundant)


def build(trail: str, hosts: str, adblock: str, commits: tuple[str, str], at: date) -> tuple[Indicator, ...]:
    """The bundled set from the texts of the upstream lists."""
    curation = Curation()
    pools = Origin("stamparm/maltrail", commits[0], "MIT", "pool_endpoint", at)
    browser = Origin("hoshsadiq/adblock-nocoin-list", commits[1], "MIT", "browser_miner", at)
    listed = list(read_trail(trail))
    items: list[Item] = [*read_hosts(hosts), *read_adblock(adblock)]
    entries = [
        *curated_entries(curation, listed, pools),
        *listed_entries(listed, pools, curation),
        *listed_entries((Listed(item.value, None) for item in items if item.value), browser, curation),
    ]
    return merge(entries, at)


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes `data/indicators.csv`."""
    parser = argparse.ArgumentParser(
        prog="python -m davylamp.intel.build", description="Builds the bundled indicator set."
    )
    parser.add_argument("--maltrail", type=Path, required=True)
    parser.add_argument("--maltrail-commit", required=True)
    parser.add_argument("--nocoin", type=Path, nargs=2, required=True, metavar=("HOSTS", "ADBLOCK"))
    parser.add_argument("--nocoin-commit", required=True)
    parser.add_argument("--at", type=date.fromisoformat, required=True, help="day the lists were taken")
    bundled = Path(str(resources.files("davylamp.intel"))) / "data" / "indicators.csv"
    parser.add_argument("--output", type=Path, default=bundled)
    options = parser.parse_args(arguments)
    texts = [path.read_text(encoding="utf-8") for path in (options.maltrail, *options.nocoin)]
    commits = (options.maltrail_commit, options.nocoin_commit)
    entries = build(texts[0], texts[1], texts[2], commits, options.at)
    write_csv(options.output, entries)
    sys.stdout.write(f"{len(entries)} entries written to {options.output}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
