"""List formats: each line or object of a list as a name or address, with the line it stands on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping

from davylamp.intel.list_item import Item
from davylamp.intel.names import is_address, split_port
from davylamp.intel.rpz import read_rpz

_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_NETWORK = re.compile(r"^[0-9a-f.:]+/\d{1,3}$", re.IGNORECASE)
_HOSTS_TARGETS = frozenset(("0.0.0.0", "127.0.0.1", "::", "::1", "255.255.255.255"))
_HOSTS_OWN = frozenset(("localhost", "localhost.localdomain", "local", "broadcasthost", "0.0.0.0", "ip6-localhost"))
_ADBLOCK = re.compile(r"^\|\|([^\^/$|*]+)\^?(?:\$([a-z0-9~,_-]*))?$")
_RPZ = re.compile(r"^\S+\s+(?:\d+\s+)?(?:IN\s+)?(?:CNAME|A|AAAA)\s+\S+\s*(?:;.*)?$", re.IGNORECASE)
_STIX_TEXT = r"'(?:[^'\\]|\\.)*'"
_STIX_VALUE = re.compile(
    r"(domain-name:value|ipv4-addr:value|ipv6-addr:value|url:value|network-traffic:dst_ref\.value)"
    rf"\s*(?:=\s*({_STIX_TEXT})|(?<!NOT )IN\s*\(\s*({_STIX_TEXT}(?:\s*,\s*{_STIX_TEXT})*)\s*\))"
)
_STIX_PORT = re.compile(r"network-traffic:dst_port\s*=\s*(\d{1,5})")


def _without_comment(text: str) -> str:
    return text.split("#", 1)[0].strip()


def read_plain(text: str) -> Iterator[Item]:
    """One name, address, `host:port` or URL a line; `#` and `;` begin comments, `.name` is the name and all below."""
    for number, raw in enumerate(text.splitlines(), 1):
        entry = _without_comment(raw)
        if not entry or entry.startswith((";", "!", "//")):
            continue
        if len(entry.split()) > 1:
            yield Item(number, reason="more than one word")
            continue
        if _NETWORK.match(entry) and is_address(entry.partition("/")[0]):
            yield Item(number, reason="a network, not an address: it holds strangers too")
            continue
        yield Item(number, _SCHEME.sub("", entry).split("/", 1)[0].removeprefix("."))


def read_hosts(text: str) -> Iterator[Item]:
    """`0.0.0.0 name [name ...]`."""
    for number, raw in enumerate(text.splitlines(), 1):
        words = _without_comment(raw).split()
        if not words:
            continue
        if words[0] not in _HOSTS_TARGETS:
            yield Item(number, reason="does not send the name to a null address")
            continue
        yield from (Item(number, name) for name in words[1:] if name.lower() not in _HOSTS_OWN)


def read_adblock(text: str) -> Iterator[Item]:
    """`||name^` rules; exceptions, paths, wildcards and rules for single sites name no host to list."""
    for number, raw in enumerate(text.splitlines(), 1):
        rule = raw.strip()
        if not rule or rule.startswith(("!", "[")):
            continue
        match = _ADBLOCK.match(rule)
        if match is None:
            yield Item(number, reason="an exception, a path or a pattern, not a host")
            continue
        yield Item(number, match.group(1))


def read_stix(document: Mapping[str, object]) -> Iterator[Item]:
    """STIX 2.1 bundle: indicator patterns and observed domain names and addresses; the line is the object's place."""
    objects = document.get("objects")
    for place, found in enumerate(objects if isinstance(objects, list) else [], 1):
        if not isinstance(found, dict):
            yield Item(place, reason="not an object")
        elif found.get("revoked") is True:
            yield Item(place, reason="revoked by its author")
        elif found.get("type") in ("domain-name", "ipv4-addr", "ipv6-addr"):
            yield Item(place, str(found.get("value", "")))
        elif found.get("type") == "indicator":
            yield from _stix_pattern(place, found)


def _stix_pattern(place: int, found: Mapping[str, object]) -> Iterator[Item]:
    pattern = str(found.get("pattern", ""))
    values = [
        (kind, text)
        for kind, single, several in _STIX_VALUE.findall(pattern)
        for text in re.findall(_STIX_TEXT, single or several)
    ]
    if not values:
        yield Item(place, reason="a pattern without a domain name or an address")
    port = _STIX_PORT.search(pattern)
    dates = {"first_seen": str(found.get("valid_from", ""))[:10], "expires": str(found.get("valid_until", ""))[:10]}
    for kind, quoted in values:
        value = re.sub(r"\\(.)", r"\1", quoted[1:-1])
        if kind == "url:value":
            value = _SCHEME.sub("", value).split("/", 1)[0]
        elif port is not None and is_address(value):
            value = f"[{value}]:{port.group(1)}"
        yield Item(place, value, **dates)


def read_misp(document: Mapping[str, object]) -> Iterator[Item]:
    """MISP warning list: the strings of `list`; a leading dot means every name below."""
    listed = document.get("list")
    for place, value in enumerate(listed if isinstance(listed, list) else [], 1):
        if isinstance(value, str):
            yield Item(place, f"*{value}" if value.startswith(".") else value)
        else:
            yield Item(place, reason="not text")


_TEXT_READERS: Mapping[str, Callable[[str], Iterator[Item]]] = {
    "plain": read_plain,
    "hosts": read_hosts,
    "adblock": read_adblock,
    "rpz": read_rpz,
}


def read_items(text: str) -> tuple[str, list[Item]]:
    """Recognises the format by content and reads it: its name, and what it says."""
    if text.lstrip().startswith("{"):
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return "json", [Item(1, reason="JSON that cannot be read")]
        if isinstance(document.get("objects"), list):
            return "stix", list(read_stix(document))
        if isinstance(document.get("list"), list):
            return "misp", list(read_misp(document))
        return "json", [Item(1, reason="neither a STIX bundle nor a MISP warning list")]
    name = _text_format(text)
    return name, list(_TEXT_READERS[name](text))


def _text_format(text: str) -> str:
    votes = dict.fromkeys(_TEXT_READERS, 0)
    for raw in text.splitlines()[:2000]:
        line = raw.strip()
        words = line.split()
        if line.startswith(("||", "@@", "[Adblock")):
            votes["adblock"] += 1
        elif len(words) > 1 and (words[0] in _HOSTS_TARGETS or (is_address(words[0]) and "." in words[1])):
            votes["hosts"] += 1
        elif line.startswith(("$TTL", "$ORIGIN", "@ ", "@\t")) or _RPZ.match(line):
            votes["rpz"] += 1
        elif len(words) == 1 and "." in line and not line.startswith(("#", ";", "!")) and split_port(line)[0]:
            votes["plain"] += 1
    return max(votes, key=lambda name: votes[name])
