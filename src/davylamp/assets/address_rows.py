"""Rows of the tables that find a machine by an address: who held it when, and in which account and network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from datetime import datetime

from davylamp.assets.claims import BEGINNING, END, AddressClaim, Machines
from davylamp.assets.windows import compatible, holders

Scope = tuple[str, str]
"""Account and network."""


def with_accounts(claims: Sequence[AddressClaim], machines: Machines) -> list[AddressClaim]:
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


def address_rows(
    claims: Sequence[AddressClaim],
    scopes: Iterable[Scope],
    shared: Set[tuple[str, str, str]],
    machines: Machines,
    called: Mapping[str, str],
) -> list[dict[str, object]]:
    """Who held each address in each scope, one row a window."""
    by_ip: dict[str, list[AddressClaim]] = {}
    for claim in claims:
        by_ip.setdefault(claim.ip, []).append(claim)
    # What names no scope (a log-in, a router's log) may mean any of those that use the address.
    in_several = {ip for _, _, ip in shared}
    rows: list[dict[str, object]] = []
    for account, network in sorted(scopes):
        for ip, same_ip in sorted(by_ip.items()):
            fitting = [claim for claim in same_ip if compatible(claim, account, network)]
            if account or network:
                fitting = [claim for claim in fitting if _says_which(claim, shared)]
            elif ip in in_several:
                continue
            for begin, end, holder in holders(fitting, machines.root):
                rows.append(_address_row(account, network, ip, begin, end, called[holder]))
    return rows


def shared_rows(
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


def told_apart(
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
