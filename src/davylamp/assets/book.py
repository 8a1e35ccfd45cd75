"""The asset book: names of machines, why they were joined, and the tables the views join with."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from davylamp.assets.claims import BEGINNING, END, AddressClaim, Machines, gather, text
from davylamp.assets.same_address import join_by_address
from davylamp.assets.windows import compatible, holders
from davylamp.model.asset import Asset, DeclaredAsset

if TYPE_CHECKING:
    import pyarrow as pa

Scope = tuple[str, str]


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
    address_rows = _address_rows(_with_accounts(claims, machines), every_scope, shared, machines, called)
    address_rows += _shared_rows(shared, address_rows)
    alone, scoped = _told_apart(address_rows, len(every_scope))
    tables = {
        "asset_by_path": _path_rows(declared, paths, root, twins or {}),
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


def _with_accounts(claims: Sequence[AddressClaim], machines: Machines) -> list[AddressClaim]:
    """A claim that names no account takes that of its machine, where the evidence states one."""
    accounts: dict[str, set[str]] = {}
    for claim in claims:
        if claim.account:
            accounts.setdefault(machines.root(claim.machine), set()).add(claim.account)
    made = []
    for claim in claims:
        known = accounts.get(machines.root(claim.machine), set())
        made.append(replace(claim, account=min(known)) if not claim.account and len(known) == 1 else claim)
    return made


def _says_which(claim: AddressClaim, shared: Set[tuple[str, str, str]]) -> bool:
    """Whether the claim fits one of the scopes that use its address; of two it could mean either."""
    return sum(ip == claim.ip and compatible(claim, account, network) for account, network, ip in shared) <= 1


def _address_rows(
    claims: Sequence[AddressClaim],
    scopes: Iterable[Scope],
    shared: Set[tuple[str, str, str]],
    machines: Machines,
    called: Mapping[str, str],
) -> list[dict[str, object]]:
    by_ip: dict[str, list[AddressClaim]] = {}
    for claim in claims:
        by_ip.setdefault(claim.ip, []).append(claim)
    rows: list[dict[str, object]] = []
    for account, network in sorted(scopes):
        for ip, same_ip in sorted(by_ip.items()):
            fitting = [claim for claim in same_ip if compatible(claim, account, network)]
            if account or network:
                fitting = [claim for claim in fitting if _says_which(claim, shared)]
            for begin, end, holder in holders(fitting, machines.root):
                rows.append(_address_row(account, network, ip, begin, end, called[holder]))
    return rows


def _shared_rows(
    shared: Iterable[tuple[str, str, str]], known: Sequence[Mapping[str, object]]
) -> list[dict[str, object]]:
    """An address seen in two accounts or networks is two machines: name each by its scope."""
    taken = {(row["scope"], row["ip"]) for row in known}
    rows = []
    for account, network, ip in sorted(set(shared)):
        scope = f"{account}/{network}"
        if (scope, ip) not in taken and scope != "/":
            name = f"{network or account}/{ip}"
            rows.append(_address_row(account, network, ip, BEGINNING, END, name))
    return rows


def _address_row(account: str, network: str, ip: str, begin: datetime, end: datetime, asset: str) -> dict[str, object]:
    return {"scope": f"{account}/{network}", "ip": ip, "valid_from": begin, "valid_to": end, "asset": asset}


def _told_apart(
    rows: Sequence[Mapping[str, object]], scopes_count: int
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Addresses that one machine held in one window, whatever the scope, without it; and all the others.

    Most addresses are of the first kind, and to find one by the address alone is a fraction of the work.
    """
    by_ip: dict[object, list[dict[str, object]]] = {}
    for row in rows:
        by_ip.setdefault(row["ip"], []).append({key: value for key, value in row.items() if key != "scope"})
    alone = {
        ip: held[0] for ip, held in by_ip.items() if len(held) == scopes_count and held.count(held[0]) == len(held)
    }
    return list(alone.values()), [dict(row) for row in rows if row["ip"] not in alone]


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


def _path_rows(
    declared: Sequence[DeclaredAsset], paths: Sequence[str], root: Path | None, twins: Mapping[str, str]
) -> list[dict[str, object]]:
    """Whose file a path is; rows stand under the first of several files of one content, so all their names count."""
    owners = {path: [each.name for each in declared if _owns(each, path, root)] for path in sorted(set(paths))}
    by_content: dict[str, set[str]] = {}
    for path, names in owners.items():
        by_content.setdefault(twins.get(path, path), set()).update(names)
    rows: list[dict[str, object]] = []
    for path, names in owners.items():
        known = names or sorted(by_content.get(path, ()))
        if len(known) == 1:
            rows.append({"path": path, "asset": known[0]})
    return rows


def _owns(asset: DeclaredAsset, path: str, root: Path | None) -> bool:
    return any(_matches(path, pattern, root) for pattern in asset.paths)


def _matches(path: str, pattern: str, root: Path | None) -> bool:
    candidates = {path, Path(path).name}
    if root is not None and Path(path).is_relative_to(root):
        candidates.add(str(Path(path).relative_to(root)))
    wanted = pattern.split("/")
    return any(_parts_match(candidate.split("/"), wanted) for candidate in candidates)


def _parts_match(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    """As a shell matches: `*` stays within one folder, `**` stands for any folders or none."""
    reached = {0}
    for part in wanted:
        if part == "**":
            reached = set(range(min(reached), len(parts) + 1)) if reached else set()
        else:
            reached = {at + 1 for at in reached if at < len(parts) and fnmatch.fnmatchcase(parts[at], part)}
    return len(parts) in reached


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
    stated: dict[str, dict[str, str]] = {}
    for row in inventory:
        for kind, column in (("instance", "instance_uid"),):
            if uid := text(row, column):
                facts = stated.setdefault(machines.root(f"{kind}:{uid}"), {"instance_id": uid})
                for name, source in (
                    ("instance_type", "instance_type"),
                    ("region", "region"),
                    ("account", "account_uid"),
                ):
                    if value := text(row, source):
                        facts.setdefault(name, value)
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
