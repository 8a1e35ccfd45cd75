"""Domain names: one normal form, compared label by label."""

from __future__ import annotations

import ipaddress
import re

# RFC 1035 allows 253 octets; text several times that long is no name and is not worth IDNA's time.
_LONGEST_TEXT = 1024
_LONGEST_NAME = 253
_LONGEST_LABEL = 63
_ASCII_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?", re.ASCII)


def normal_name(text: str) -> str | None:
    """The name in lower case, as A-labels, without one trailing dot; None when the text is no name."""
    if not text or len(text) > _LONGEST_TEXT:
        return None
    name = text.strip().lower().removesuffix(".")
    if not name.isascii():
        name = _a_labels(name)
    if not name or len(name) > _LONGEST_NAME:
        return None
    labels = name.split(".")
    return name if all(_is_label(label) for label in labels) else None


def _is_label(label: str) -> bool:
    return 0 < len(label) <= _LONGEST_LABEL and _ASCII_LABEL.fullmatch(label) is not None


def _a_labels(name: str) -> str:
    import idna

    try:
        return idna.encode(name, uts46=True, transitional=False).decode("ascii").removesuffix(".")
    except (idna.IDNAError, UnicodeError, ValueError, IndexError):
        return ""


def is_address(text: str) -> bool:
    """Whether the text is an IP address, possibly in brackets."""
    return normal_address(text) is not None


def normal_address(text: str) -> str | None:
    """The canonical address; IPv4-mapped IPv6 becomes IPv4, a zone id is dropped; None when it is none."""
    bare = text.strip().removeprefix("[").removesuffix("]").partition("%")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def split_port(text: str) -> tuple[str, int | None]:
    """Splits `host:port` and `[v6]:port`; a bare IPv6 address has no port."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, _port(rest.removeprefix(":"))
    host, colon, rest = text.partition(":")
    if not colon or ":" in rest:
        return text, None
    return (host, _port(rest)) if _port(rest) is not None else (text, None)


def _port(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536 else None
