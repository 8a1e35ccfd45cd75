"""Claims: the evidence or the user says that an identity is a machine's, from when, and on what ground."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from davylamp.model.asset import DeclaredAsset

# Event tables hold naive UTC, so the bounds of a window are naive too.
BEGINNING = datetime.min  # noqa: DTZ901
END = datetime.max.replace(microsecond=0)  # noqa: DTZ901
# Grounds that say "is" rather than "became": the address was the machine's before the record too,
# as long as no other machine ever claims it.
_STATES_WHAT_IS = frozenset({"declared", "sshd_connection", "host_name", "dhcp_lease", "resolver_log", "flow_log"})


@dataclass(frozen=True, slots=True)
class AddressClaim:
    """An address was a machine's in a scope from one instant to another (naive UTC, half open)."""

    machine: str
    account: str
    network: str
    ip: str
    from_at: datetime
    to_at: datetime
    reaches_back: bool


class Machines:
    """Union of identities that are certainly one machine (instance, interface, hardware address, declaration)."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}
        self.grounds: dict[str, set[str]] = {}

    def join(self, first: str, second: str, ground: str) -> None:
        """Both keys are the same machine."""
        one, other = self.root(first), self.root(second)
        if one != other:
            keep, drop = sorted((one, other))
            self._parent[drop] = keep
            self.grounds.setdefault(keep, set()).update(self.grounds.pop(drop, set()))
        self.note(first, ground)

    def note(self, key: str, ground: str) -> None:
        """Keeps why something was joined."""
        self.grounds.setdefault(self.root(key), set()).add(ground)

    def root(self, key: str) -> str:
        """The representative of a key."""
        self._parent.setdefault(key, key)
        while self._parent[key] != key:
            self._parent[key] = self._parent[self._parent[key]]
            key = self._parent[key]
        return key

    def members(self) -> dict[str, list[str]]:
        """Representative -> keys."""
        grouped: dict[str, list[str]] = {}
        for key in sorted(self._parent):
            grouped.setdefault(self.root(key), []).append(key)
        return grouped


def text(row: Mapping[str, object], name: str) -> str:
    """A column as text, empty when null."""
    value = row.get(name)
    return "" if value is None else str(value)


def strongest_key(row: Mapping[str, object]) -> str:
    """The key of the machine a statement is about: instance, interface, hardware address, then name."""
    for kind, column in (("instance", "instance_uid"), ("interface", "interface_uid"), ("mac", "mac")):
        if value := text(row, column):
            return f"{kind}:{value}"
    return f"name:{text(row, 'device_name')}" if text(row, "device_name") else ""


def gather(
    declared: Iterable[DeclaredAsset], inventory: Iterable[Mapping[str, object]]
) -> tuple[Machines, list[AddressClaim], dict[str, set[str]]]:
    """Machines, address claims, and host name -> machine keys that use it.

    Args:
        inventory: rows of `device_inventory`, ordered by time.
    """
    machines = Machines()
    claims: list[AddressClaim] = []
    names: dict[str, set[str]] = {}
    for asset in declared:
        _declare(asset, machines, claims, names)
    rows = [row for row in inventory if strongest_key(row)]
    for row in rows:
        key = strongest_key(row)
        ground = text(row, "ground") or "inventory"
        machines.note(key, f"{ground} ({text(row, 'path')})")
        if text(row, "interface_uid") and not key.startswith("interface:"):
            machines.join(key, f"interface:{text(row, 'interface_uid')}", f"{ground} names instance and interface")
        if name := text(row, "device_name"):
            names.setdefault(name, set()).add(key)
        if ground == "terminate":
            claims[:] = [_ended(claim, key, row) for claim in claims]
        elif text(row, "ip"):
            claims.append(_claim(key, row, ground))
    return machines, claims, names


def _declare(asset: DeclaredAsset, machines: Machines, claims: list[AddressClaim], names: dict[str, set[str]]) -> None:
    key = f"declared:{asset.name}"
    machines.note(key, "declared")
    if asset.instance_id:
        machines.join(key, f"instance:{asset.instance_id}", f"declared with instance {asset.instance_id}")
    for name in (asset.name, *asset.host_names):
        names.setdefault(name, set()).add(key)
    for address in asset.addresses:
        claims.append(AddressClaim(key, asset.account, "", address, BEGINNING, END, True))


def _claim(key: str, row: Mapping[str, object], ground: str) -> AddressClaim:
    from_at, to_at = row.get("time"), row.get("end_time")
    return AddressClaim(
        machine=key,
        account=text(row, "account_uid"),
        network=text(row, "vpc_uid"),
        ip=text(row, "ip"),
        from_at=from_at if isinstance(from_at, datetime) else BEGINNING,
        to_at=to_at if isinstance(to_at, datetime) else END,
        reaches_back=ground in _STATES_WHAT_IS,
    )


def _ended(claim: AddressClaim, key: str, row: Mapping[str, object]) -> AddressClaim:
    ended_at = row.get("end_time") or row.get("time")
    if claim.machine != key or not isinstance(ended_at, datetime) or claim.to_at <= ended_at:
        return claim
    return AddressClaim(
        claim.machine, claim.account, claim.network, claim.ip, claim.from_at, ended_at, claim.reaches_back
    )
