"""Who held an address when: claims of one scope cut into windows in which one machine holds it, or nobody knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import pairwise

from davylamp.assets.claims import BEGINNING, END, AddressClaim

Window = tuple[datetime, datetime, str]


def compatible(claim: AddressClaim, account: str, network: str) -> bool:
    """Whether a claim may speak of an address seen in this scope; an unknown part agrees with any."""
    same_account = not claim.account or not account or claim.account == account
    same_network = not claim.network or not network or claim.network == network
    return same_account and same_network


def holders(claims: Sequence[AddressClaim], root: Callable[[str], str]) -> list[Window]:
    """Windows with exactly one holder, in time order.

    A machine holds an address until its claim ends or another machine in the same scope claims it.
    Where two scopes' machines hold it at once, nobody can say which one is meant: no window.
    """
    owners = {root(claim.machine) for claim in claims}
    spans = [(_begin(claim, len(owners) == 1), _end(claim, claims, root), root(claim.machine)) for claim in claims]
    edges = sorted({edge for begin, end, _ in spans for edge in (begin, end)})
    windows: list[Window] = []
    for begin, end in pairwise(edges):
        holding = {owner for first, last, owner in spans if first <= begin and end <= last}
        if len(holding) != 1:
            continue
        owner = holding.pop()
        if windows and windows[-1][1] == begin and windows[-1][2] == owner:
            windows[-1] = (windows[-1][0], end, owner)
        else:
            windows.append((begin, end, owner))
    return windows


def _begin(claim: AddressClaim, alone: bool) -> datetime:
    return BEGINNING if claim.reaches_back and alone else claim.from_at


def _end(claim: AddressClaim, claims: Sequence[AddressClaim], root: Callable[[str], str]) -> datetime:
    successors = [
        other.from_at
        for other in claims
        if root(other.machine) != root(claim.machine)
        and other.from_at > claim.from_at
        and (other.account, other.network) == (claim.account, claim.network)
    ]
    return min([claim.to_at, *successors, END])
