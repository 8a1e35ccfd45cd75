"""What an IP address and a port look like as text: one regular expression for SQL, Arrow and Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pyarrow as pa

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_VERSION_4 = f"{_OCTET}(?:[.]{_OCTET}){{3}}"
_GROUP = "[0-9a-fA-F]{1,4}"
_GROUPS = 8


def _version_6() -> str:
    """Every place where `::` may stand, since RE2 cannot look ahead; the last two groups may be written as IPv4."""
    forms = [f"(?:{_GROUP}:){{7}}{_GROUP}", f"(?:{_GROUP}:){{6}}{_VERSION_4}"]
    for before in range(_GROUPS):
        left = f"{_GROUP}(?::{_GROUP}){{{before - 1}}}" if before else ""
        after = _GROUPS - 1 - before
        forms.append(f"{left}::(?:{_GROUP}(?::{_GROUP}){{0,{after - 1}}})?" if after else f"{left}::")
        if after >= 2:  # an IPv4 address takes two groups
            forms.append(f"{left}::(?:{_GROUP}:){{0,{after - 2}}}{_VERSION_4}")
    return "|".join(forms)


ADDRESS_PATTERN: Final = f"(?:{_VERSION_4}|{_version_6()})"
"""Matches a whole IPv4 or IPv6 address without a scope, as `ipaddress` reads them.

`10.0.0.999` and `10.0.0.05` are none; a flow log with the former made a machine of that name.
"""
_SECOND_OCTETS = "169[.]254|192[.]168|172[.](?:1[6-9]|2[0-9]|3[01])|100[.](?:6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])"
NOT_PUBLIC: Final = (
    f"^(?:(?:0|10|127|{_SECOND_OCTETS}|22[4-9]|2[34][0-9]|25[0-5])[.]"
    "|::1?$|[fF](?:[cCdD][0-9a-fA-F]{2}|[eE][89abAB][0-9a-fA-F]|[fF][0-9a-fA-F]{2}):)"
)
"""Begins an address that the internet does not route: private, shared, loopback, link-local, multicast, reserved.

The registries of special-purpose addresses (RFC 6890), without the ranges for documentation.
"""
# No host's name is made of these alone: its last label is no number, and a colon stands in none.
_WRITTEN_LIKE_ONE = "[0-9.]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*"
_LOOKED_AT_COUNT = 4096


def matches_address(column: str) -> str:
    """A SQL condition: the text is an IP address; null where there is none."""
    return f"regexp_full_match({column}, '{ADDRESS_PATTERN}')"


def with_address(sql: str) -> str:
    """SQL of a file with the expression in the place of its `$address`."""
    return sql.replace("$address", f"'{ADDRESS_PATTERN}'")


def names_no_host(column: str) -> str:
    """A SQL condition over what `matches_address` refused: it is no host's name either, but an impossible address."""
    return f"regexp_full_match({column}, '{_WRITTEN_LIKE_ONE}')"


def is_no_port(column: str) -> str:
    """A SQL condition: something stands where a port should, and it is none."""
    return f"({column} IS NOT NULL AND TRY_CAST({column} AS USMALLINT) IS NULL)"


def are_addresses(texts: pa.Array | None) -> bool:
    """Whether each text is there and is an address."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if texts is None or texts.null_count:
        return False
    texts = texts.dictionary if pa.types.is_dictionary(texts.type) else texts
    # A usual log repeats its addresses, and to count them takes 45 ns each; the expression takes 170.
    if len(pc.unique(texts.slice(0, _LOOKED_AT_COUNT))) < _LOOKED_AT_COUNT / 2:
        texts = pc.unique(texts)
    return pc.all(pc.match_substring_regex(texts, f"^{ADDRESS_PATTERN}$")).as_py() is not False
