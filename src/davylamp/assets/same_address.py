"""Machines that one address shows to be one: the instance that flow logs name and the host that sshd's log names.

An address is a weak hint while it can mean two machines, so a join needs that nobody else claims it: one instance
(or hardware address), one declaration, one host name, all in one scope and at the same time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from davylamp.assets.claims import BEGINNING, AddressClaim, Machines
from davylamp.assets.windows import compatible

_IDENTIFIED = ("instance:", "interface:", "mac:")


def join_by_address(
    machines: Machines, claims: Sequence[AddressClaim], shared_ips: Collection[str]
) -> list[AddressClaim]:
    """Joins declarations to instances, then host names to both; gives the claims that still count.

    Where a host name could not be joined, the claim of an instance or a declaration to the same address goes before
    its own.

    Args:
        shared_ips: addresses that more than one account or network uses.
    """
    for weak, strong in ((("declared:",), _IDENTIFIED), (("name:",), ("declared:", *_IDENTIFIED))):
        kinds = _kinds(machines)
        weak_claims = [claim for claim in claims if kinds[machines.root(claim.machine)] <= set(weak)]
        strong_claims = [claim for claim in claims if kinds[machines.root(claim.machine)] & set(strong)]
        _join(machines, weak_claims, strong_claims, shared_ips)
    kinds = _kinds(machines)
    certain = {claim.ip for claim in claims if kinds[machines.root(claim.machine)] != {"name:"}}
    return [claim for claim in claims if claim.ip not in certain or kinds[machines.root(claim.machine)] != {"name:"}]


def _kinds(machines: Machines) -> Mapping[str, set[str]]:
    """Representative -> kinds of its identities."""
    return {root: {f"{key.partition(':')[0]}:" for key in keys} for root, keys in machines.members().items()}


def _join(
    machines: Machines, weak: Iterable[AddressClaim], strong: Sequence[AddressClaim], shared_ips: Collection[str]
) -> None:
    by_ip: dict[str, list[AddressClaim]] = {}
    for claim in strong:
        by_ip.setdefault(claim.ip, []).append(claim)
    meant: dict[str, set[str]] = {}
    meaning: dict[str, set[str]] = {}
    grounds: dict[str, str] = {}
    for claim in weak:
        root = machines.root(claim.machine)
        for other in by_ip.get(claim.ip, ()):
            # What is shared, or of another time, still counts as one more machine that could be meant.
            holder = machines.root(other.machine)
            meant.setdefault(root, set()).add(holder)
            meaning.setdefault(holder, set()).add(root)
            if claim.ip not in shared_ips and _at_one_time(claim, other):
                grounds[root] = f"both have the address {claim.ip}"
    for root, holders in sorted(meant.items()):
        holder = min(holders)
        if len(holders) == 1 and root in grounds and _one_name(meaning[holder]):
            machines.join(root, holder, grounds[root])


def _at_one_time(weak: AddressClaim, strong: AddressClaim) -> bool:
    begin = BEGINNING if strong.reaches_back else strong.from_at
    at_once = weak.from_at == BEGINNING or begin <= weak.from_at < strong.to_at
    return at_once and compatible(weak, strong.account, strong.network)


def _one_name(roots: Iterable[str]) -> bool:
    """Whether these keys name one thing: `web1` and `web1.example.com` do."""
    return len({key.partition(":")[2].partition(".")[0] for key in roots}) == 1
