"""`ADDRESS_PATTERN` says the same of every text as Python's own reader of addresses."""

from __future__ import annotations

import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davylamp.kit.addresses import ADDRESS_PATTERN

PIECES = st.sampled_from(
    [":", "::", ".", "0", "1", "ab", "FFFF", "255", "256", "05", "12345", "1.2.3.4", "a:b:c", "%1"]
)


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
