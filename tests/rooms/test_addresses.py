"""The patterns say the same of every text and address as Python's own reader of addresses."""

from __future__ import annotations

import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davylamp.kit.addresses import ADDRESS_PATTERN, NOT_PUBLIC

PIECES = st.sampled_from(
    [":", "::", ".", "0", "1", "ab", "FFFF", "255", "256", "05", "12345", "1.2.3.4", "a:b:c", "%1"]
)


NOT_ROUTED = [
    ipaddress.ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.168.0.0/16", "224.0.0.0/4", "240.0.0.0/4"),
        *("::/128", "::1/128", "fc00::/7", "fe80::/10", "ff00::/8"),
    )
]
EDGES = [
    type(network[0])(number)
    for network in NOT_ROUTED
    for first, last in [(int(network[0]), int(network[-1]))]
    for number in (first, last, max(first - 1, 0), min(last + 1, (1 << network.max_prefixlen) - 1))
]


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


@given(st.lists(PIECES, max_size=12).map("".join))
def test_pieces_of_addresses_are_read_alike(text: str) -> None:
    assert (re.fullmatch(ADDRESS_PATTERN, text) is not None) == is_address(text)


@given(st.ip_addresses())
def test_every_address_matches(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert re.fullmatch(ADDRESS_PATTERN, str(address))


@pytest.mark.parametrize("text", ["10.0.0.999", "300.1.1.1", "1.2.3", "10.0.0.05", "1.2.3.4.5", "2001:db8::g", ":", ""])
def test_what_looks_like_one_is_none(text: str) -> None:
    assert re.fullmatch(ADDRESS_PATTERN, text) is None


@given(st.one_of(st.ip_addresses(), st.sampled_from(EDGES)), st.booleans())
def test_what_the_internet_does_not_route(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, in_capitals: bool
) -> None:
    text = str(address).upper() if in_capitals else str(address)
    assert (re.search(NOT_PUBLIC, text) is not None) == any(address in network for network in NOT_ROUTED)
