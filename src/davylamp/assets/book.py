"""The asset book: names of machines, why they were joined, and the tables the views join with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from davylamp.assets.address_rows import Scope, address_rows, shared_rows, told_apart, with_accounts
from davylamp.assets.claims import AddressClaim, Machines, gather, text
from davylamp.assets.path_rows import path_rows
from davylamp.assets.same_address import join_by_address
from davylamp.model.asset import Asset, DeclaredAsset

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class AssetBook:
    """Assets by name and the tables `asset_by_path|instance|interface|name|address|scoped_address`."""

    assets: Mapping[str, Asset]
    tables: Mapping[str, Any]


def build_book(
    declared: Sequence[DeclaredAsset],
    inventory: Sequence[Mapping[str, object]],
    scopes: Iterable[Scope],
    shared_addresses: Iterable[tuple[str, str, str]],
    paths: Sequence[str],
    root: Path | None,
    twins: Mapping[str, str] | None = None,
) -> AssetBook:
    """Joins identities.

    Args:
        inventory: rows of `device_inventory` in time order.
        scopes: (account, network) pairs that occur in flow and DNS evidence.
        shared_addresses: (account, network, ip) of addresses seen in more than one scope.
        paths: evidence files, for the declared `paths` globs.
        root: folder the globs are relative to.
        twins: path of a file whose content was read before -> path it was read from.
    """
    machines, claims, names = gather(declared, inventory)
    shared = set(shared_addresses)
    claims = join_by_address(machines, claims, {ip for _, _, ip in shared})
    members = machines.members()
    called = _names_of(members, names, machines)
    every_scope = {("", ""), *scopes}
    addresses = address_rows(with_accounts(claims, machines), every_scope, shared, machines, called)
    addresses += shared_rows(shared, addresses)
    alone, scoped = told_apart(addresses, len(every_scope))
    tables = {
        "asset_by_path": path_rows(declared, paths, root, twins or {}),
        "asset_by_instance": _identity_rows(members, called, "instance", "instance_uid"),
        "asset_by_interface": _identity_rows(members, called, "interface", "interface_uid"),
        "asset_by_name": _name_rows(names, machines, called),
        "asset_by_address": alone,
        "asset_by_scoped_address": scoped,
    }
    assets = _assets(declared, inventory, claims, machines, members, called, names)
    return AssetBook(assets, {name: _table(name, rows) for name, rows in tables.items()})


def _names_of(
    members: Mapping[str, Sequence[str]], names: Mapping[str, set[str]], machines: Machines
) -> dict[str, str]:
    """Representative -> asset name: declared, else the one host name nobody else uses, else the strongest id."""
    own_names: dict[str, list[str]] = {}
    for name, keys in sorted(names.items()):
        roots = {machines.root(key) for key in keys}
        if len(roots) == 1 and not _encodes_address(name):
            own_names.setdefault(roots.pop(), []).append(name)
    called: dict[str, str] = {}
    for representative, own_keys in members.items():
        declared = [key.partition(":")[2] for key in own_keys if key.startswith("declared:")]
        ids = [
            key.partition(":")[2]
            for kind in ("instance", "mac", "interface", "name")
            for key in own_keys
            if key.startswith(kind + ":")
        ]
        candidates = [*declared, *own_names.get(representative, []), *ids]
        called[representative] = candidates[0]
    return called


def _encodes_address(name: str) -> bool:
    """The provider's default names (ip-10-0-0-5) say no more than the address does."""
    label = name.partition(".")[0]
    return label.startswith("ip-") and label[3:].replace("-", "").isdigit()


def _identity_rows(
    members: Mapping[str, Sequence[str]], called: Mapping[str, str], kind: str, column: str
) -> list[dict[str, object]]:
    return [
        {column: key.partition(":")[2], "asset": called[representative]}
        for representative, keys in sorted(members.items())
        for key in keys
        if key.startswith(kind + ":")
    ]


def _name_rows(names: Mapping[str, set[str]], machines: Machines, called: Mapping[str, str]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for name, keys in sorted(names.items()):
        roots = {machines.root(key) for key in keys}
        if len(roots) == 1:
            rows.append({"device_name": name, "asset": called[roots.pop()]})
    return rows


def _assets(
    declared: Sequence[DeclaredAsset],
    inventory: Sequence[Mapping[str, object]],
    claims: Sequence[AddressClaim],
    machines: Machines,
    members: Mapping[str, Sequence[str]],
    called: Mapping[str, str],
    names: Mapping[str, set[str]],
) -> dict[str, Asset]:
    said = {asset.name: asset for asset in declared}
    stated = _stated(inventory, machines)
    assets: dict[str, Asset] = {}
    for representative in sorted(members):
        name = called[representative]
        own = said.get(name, DeclaredAsset(name))
        facts = stated.get(representative, {})
        addresses = {claim.ip for claim in claims if machines.root(claim.machine) == representative}
        host_names = {host for host, keys in names.items() if {machines.root(key) for key in keys} == {representative}}
        assets[name] = Asset(
            name=name,
            addresses=tuple(sorted(addresses)),
            host_names=tuple(sorted(host_names)),
            instance_id=own.instance_id or facts.get("instance_id", ""),
            instance_type=own.instance_type or facts.get("instance_type", ""),
            region=own.region or facts.get("region", ""),
            account=own.account or facts.get("account", ""),
            price_model=own.price_model,
            grounds=tuple(sorted(machines.grounds.get(representative, set()))),
        )
    return assets


def _stated(inventory: Sequence[Mapping[str, object]], machines: Machines) -> dict[str, dict[str, str]]:
    """What the evidence says of each machine that it names by instance; the first word on each fact holds."""
    stated: dict[str, dict[str, str]] = {}
    for row in inventory:
        if not (uid := text(row, "instance_uid")):
            continue
        facts = stated.setdefault(machines.root(f"instance:{uid}"), {"instance_id": uid})
        for name, column in (("instance_type", "instance_type"), ("region", "region"), ("account", "account_uid")):
            if value := text(row, column):
                facts.setdefault(name, value)
    return stated


def _table(name: str, rows: Sequence[Mapping[str, object]]) -> pa.Table:
    import pyarrow as pa

    columns = {
        "asset_by_path": ("path",),
        "asset_by_instance": ("instance_uid",),
        "asset_by_interface": ("interface_uid",),
        "asset_by_name": ("device_name",),
        "asset_by_address": ("ip", "valid_from", "valid_to"),
        "asset_by_scoped_address": ("scope", "ip", "valid_from", "valid_to"),
    }[name]
    kinds = {"valid_from": pa.timestamp("us"), "valid_to": pa.timestamp("us")}
    schema = pa.schema([(column, kinds.get(column, pa.string())) for column in (*columns, "asset")])
    return pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
