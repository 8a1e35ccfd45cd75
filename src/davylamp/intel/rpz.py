"""Response policy zones: which names and addresses their records are triggered by."""

from __future__ import annotations

import re
from collections.abc import Iterator

from davylamp.intel.list_item import Item

# The answers with which local data sends a listed name nowhere, or to a page that says so.
_RECORD = re.compile(
    r"^(\S+)\s+(?:\d+[smhdw]?\s+)?(?:IN\s+)?(?:\d+\s+)?(CNAME|A|AAAA|TXT)\s+(\S.*)$",
    re.IGNORECASE,
)
_OF_THE_ZONE = re.compile(r"\s(?:SOA|NS|DNSKEY|RRSIG|NSEC3?)\s", re.IGNORECASE)
_ORIGIN = re.compile(r"^\$ORIGIN\s+(\S+)", re.IGNORECASE)
_SOA = re.compile(r"^(\S+)\s.*\bSOA\s", re.IGNORECASE)


def read_rpz(text: str) -> Iterator[Item]:
    """Names (`name CNAME .`, also `*.name` and local data) and addresses (`32.7.113.0.203.rpz-ip`) of a policy zone.

    A name that ends in a dot is absolute, so the zone's own name comes off it (`$ORIGIN`, or the SOA's owner).
    The continuation of a SOA in parentheses is skipped.
    """
    zone, is_open, before = "", False, ""
    for number, raw in enumerate(text.splitlines(), 1):
        record = raw.split(";", 1)[0].rstrip()
        if is_open or not record.strip():
            is_open = is_open and ")" not in record
            continue
        if origin := _ORIGIN.match(record):
            zone = origin.group(1)
        if record.startswith("$"):
            continue
        if _OF_THE_ZONE.search(f" {record} "):
            own = _SOA.match(record)
            zone = own.group(1) if own and own.group(1).endswith(".") and not zone else zone
            is_open = "(" in record and ")" not in record
            continue
        match = _RECORD.match(record.strip())
        if match is None:
            yield Item(number, reason="not a policy record")
            continue
        owner = _relative(match.group(1), zone)
        if owner != before:
            yield _triggered(number, owner, match.group(3).strip().lower())
        before = owner


def _relative(owner: str, zone: str) -> str:
    if owner.endswith(".") and zone not in ("", "."):
        owner = owner.removesuffix("." + zone.removesuffix(".") + ".")
    return owner.removesuffix(".").lower()


def _triggered(line: int, owner: str, target: str) -> Item:
    if target.startswith("rpz-passthru"):
        return Item(line, reason="a pass-through rule, not a listing")
    if owner.endswith(".rpz-ip"):
        address = _address(owner.removesuffix(".rpz-ip").split("."))
        return (
            Item(line, address) if address else Item(line, reason="a network, not an address: it holds strangers too")
        )
    if re.search(r"[.]rpz-", owner):
        return Item(line, reason="triggered by a client or a name server, not by a name or an answer")
    return Item(line, owner)


def _address(labels: list[str]) -> str:
    """`32.7.113.0.203` is 203.0.113.7, `128.7.zz.db8.2001` is 2001:db8::7; empty for a network."""
    length, parts = labels[0], labels[:0:-1]
    if length == "32" and len(parts) == 4 and all(part.isdigit() for part in parts):
        return ".".join(parts)
    if length == "128":
        return ":".join(parts).replace("zz", "") if parts[-1:] != ["zz"] else ":".join(parts[:-1]) + "::"
    return ""
