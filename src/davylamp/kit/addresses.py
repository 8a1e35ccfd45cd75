"""What an IP address looks like as text: one regular expression for SQL, Arrow and Python."""

from __future__ import annotations

from typing import Final

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
