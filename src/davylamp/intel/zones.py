"""Zones and networks that many owners share: an entry there would accuse strangers."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from davylamp.intel.entries import data_rows

if TYPE_CHECKING:
    from tldextract import TLDExtract

    Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@cache
def shared_zones() -> Mapping[str, str]:
    """Zone -> kind (dynamic DNS, object storage, content delivery, tunnel, hosting, name service)."""
    return {row["zone"]: row["kind"].replace("_", " ") for row in data_rows("shared_zones.csv")}


@cache
def _shared_networks() -> tuple[tuple[Network, str], ...]:
    return tuple((ipaddress.ip_network(row["network"]), row["operator"]) for row in data_rows("shared_networks.csv"))


def shared_network(address: str) -> str | None:
    """Operator of the shared network an address is in, or None."""
    parsed = ipaddress.ip_address(address)
    for network, operator in _shared_networks():
        if parsed.version == network.version and parsed in network:
            return operator
    return None


@cache
def _suffixes() -> TLDExtract:
    import tldextract

    # No list address and no cache folder: only the list inside the package, nothing fetched, nothing written.
    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)


def is_public_suffix(name: str) -> bool:
    """Whether anybody may register names directly below `name` (private suffixes included)."""
    return not _suffixes().extract_str(name).domain


def registered_domain(name: str) -> str:
    """The registered part of a name; empty for a public suffix or an unknown top-level domain."""
    return _suffixes().extract_str(name).top_domain_under_public_suffix


def has_known_suffix(name: str) -> bool:
    """Whether the name ends in a suffix of the public list."""
    return bool(_suffixes().extract_str(name).suffix)
