"""Public DNS, DoH and DoT resolvers: well-known addresses, as the table `known_resolver`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from davylamp.intel.entries import data_rows

if TYPE_CHECKING:
    import pyarrow as pa


@cache
def known_resolvers() -> Mapping[str, str]:
    """Address -> name of the resolver (its DoH host name where it has one)."""
    return {row["ip"]: row["name"] for row in data_rows("known_resolvers.csv")}


def known_resolver_table() -> pa.Table:
    """The table `known_resolver` that queries join."""
    import pyarrow as pa

    resolvers = known_resolvers()
    columns = {"ip": list(resolvers), "name": list(resolvers.values())}
    return pa.table(columns, schema=pa.schema([("ip", pa.string()), ("name", pa.string())]))
