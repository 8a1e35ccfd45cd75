"""The baseline of a host: what somebody approved it to have (`davylamp.baseline/1`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SCHEMA = "davylamp.baseline/1"
Entry = Mapping[str, object]
# A port without a number of its own: of the kernel's range for clients, or of any.
RANDOM, ANY = "random", "any"


@dataclass(frozen=True, slots=True)
class NeedList:
    """One list of the file.

    Args:
        name: its key in the file.
        kind: `declared_need.kind` of its entries.
        keys: keys an entry may have, in the order in which they are written.
        required: those without which it says nothing.
    """

    name: str
    kind: str
    keys: tuple[str, ...]
    required: tuple[str, ...]


NEED_LISTS = (
    NeedList("services", "service", ("name",), ("name",)),
    NeedList("listening_ports", "listening_port", ("protocol", "port", "exposure", "image_path"), ("protocol", "port")),
    NeedList("resolvers", "resolver", ("value",), ("value",)),
    NeedList("name_sources", "name_source", ("name", "value"), ("name", "value")),
    NeedList("routes", "route", ("name", "value"), ("name", "value")),
    NeedList("startup_items", "startup_item", ("item_kind", "file_path", "name", "sha256", "value"), ("item_kind",)),
    NeedList("authorized_keys", "authorized_key", ("user_name", "value", "name"), ("value",)),
    NeedList("user_accounts", "user_account", ("name", "value"), ("name",)),
)


@dataclass(frozen=True)
class Baseline:
    """What one host is meant to have.

    Args:
        approved_at: ISO text, UTC.
        entries: list name -> its entries; a list that is absent was not approved, and nothing is compared with it.
    """

    device_name: str
    approved_at: str
    approved_by: str
    entries: Mapping[str, tuple[Entry, ...]] = field(default_factory=dict)
