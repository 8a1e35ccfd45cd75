"""The detection `launch_from_unfamiliar_network`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from davylamp.kit.addresses import NOT_PUBLIC
from davylamp.kit.audit import audit_finding, called_by, count_of, failed, listed, text_of
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import candidates, number_of, whole_of
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import Finding, Technique
from davylamp.model.severity import Severity


class LaunchFromUnfamiliarNetwork(Detection):
    """A principal with a history took compute from a network that it had never called from.

    What it sees.
    Calls that take compute (machines, groups, container tasks and clusters, managed services) by a principal that had
    called on several days, from a network new to it and to the account, within a week of the network's first call.

    Why it matters.
    A stolen role or key works as it always did: its name, its key and its rights are the usual ones. Where it is used
    from is what the thief cannot copy. Launches alone may be a deployment; launches of a principal that moves for the
    first time in the evidence mostly are not.

    How it decides.
    A network is the first 16 bits of an IPv4 address and the first 32 of an IPv6 address, about what one provider
    has in one place: lines and offices change addresses within it. The history is the days before the network
    appeared; 5 are needed (`history_days_count`, a working week, as in `compute_launch_burst`). How often the
    principal moves is what its history shows: (networks that appeared after its first day + 0.5) / (days + 1) is
    the probability that a day brings a new one. A stolen credential is used from elsewhere in nine of ten cases (a
    judgement: thieves use rented machines and residential proxies, rarely the owner's network), so the ratio is 0.9
    / that probability, its natural log capped at 3.5: owners do move a build server once in a while, and on such a
    day they launch more. A role of hosted build runners, new almost every day, comes to nothing: above one day in
    three (`moves_ratio_most`, a ratio of e) nothing is asked. Who moves and does what it always did has moved; so
    where the move says something (1.0), what else is new to the principal counts: +1 for the program (the user
    agent's first word), +2 for compute taken in three regions it never called (`new_regions_count`; people work in
    one or two), +1 for two services it never called (`new_services_count`). These are judgements. Where the
    principal called on two later days (`moved_days_count`) and never from where it used to, it has moved for good,
    and nothing is said: what is stolen is used in two places. Below 1.5 (`least_llr`) nothing is said.
    Not new is a network that anybody in the account had called from on two earlier days (`known_days_count`): an
    office, a virtual private network. Calls of AWS services, over private end points, and from carriers' shared
    addresses are no move. A week (`new_s`) is how long a network stays new.
    By itself it is never an incident: it is an act of its own kind (the way in) beside the launches, which other
    detections weigh.

    What it misses.
    A credential whose owner stopped using it, once the thief has used it for two more days.
    A principal without a history in the evidence; a thief on the owner's network, in the same cloud region's /16, or
    behind a proxy in the same provider's; one who used the credential from there for more than a week before.

    What looks like it and is not.
    A new office or build server, a journey: ask the owner, the launches decide whether it matters. AWS CloudShell and
    machines of one's own call from the cloud's public addresses.

    What to do.
    Ask who that was; revoke the principal's sessions if nobody knows, and look at everything else called from there.

    References.
    https://attack.mitre.org/techniques/T1078/004/
    https://sysdig.com/blog/ambersquid/
    """

    meta = DetectionMeta(
        uid="launch_from_unfamiliar_network",
        title="Compute taken from a network that the principal never used",
        group="audit",
        stage="access",
        severity=Severity.LOW,
        techniques=(Technique("T1078.004", "Valid Accounts: Cloud Accounts"),),
        reads=("api_activity",),
        references=("https://attack.mitre.org/techniques/T1078/004/",),
    )
    params: ClassVar[Mapping[str, object]] = {
        "not_public": NOT_PUBLIC,
        "history_days_count": 5,
        "known_days_count": 2,
        "new_s": 7 * 86400,
        "moves_ratio_most": 0.33,
    }
    stolen_ratio = 0.9
    most_llr = 3.5
    least_llr = 1.5
    new_regions_count = 3
    new_services_count = 2
    moved_days_count = 2

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per account, principal and network."""
        for network, rows in candidates(candidates_rows, "account", "principal", "network"):
            llr = self._llr(rows)
            if llr >= self.least_llr and not self._moved_for_good(network):
                yield audit_finding(
                    self.meta,
                    rows,
                    fact_key=text_of(network, "network"),
                    because=_sentence(rows),
                    llr=llr,
                    calls_count=whole_of(rows[0], "calls_count"),
                )

    def _moved_for_good(self, row: Row) -> bool:
        return whole_of(row, "later_days_count") >= self.moved_days_count and not whole_of(
            row, "later_usual_days_count"
        )

    def _llr(self, rows: Sequence[Row]) -> float:
        moves_ratio = (number_of(rows[0], "moves_count") + 0.5) / (number_of(rows[0], "history_days_count") + 1)
        moved = min(self.most_llr, math.log(self.stolen_ratio / moves_ratio))
        moved += 1.0 if all(row["new_program"] == 1 for row in rows) else 0.0
        moved += 2.0 if whole_of(rows[0], "new_regions_count") >= self.new_regions_count else 0.0
        return moved + (1.0 if whole_of(rows[0], "new_services_count") >= self.new_services_count else 0.0)


def _sentence(rows: Sequence[Row]) -> str:
    first = rows[0]
    days, networks = whole_of(first, "history_days_count"), whole_of(first, "networks_count")
    services = listed(text_of(row, "service").removesuffix(".amazonaws.com") for row in rows)
    refused = sum(map(failed, rows))
    program = ", with a program new to it" if all(row["new_program"] == 1 for row in rows) else ""
    news = [
        count_of(amount, noun) for noun in ("region", "service") if (amount := whole_of(first, f"new_{noun}s_count"))
    ]
    program += f", in {' and '.join(news)} that it never called" if news else ""
    return (
        f"{called_by(first)} took compute in {services} ({count_of(whole_of(first, 'calls_count'), 'call')}"
        + (f", {refused} refused" if refused else "")
        + f") from {listed(text_of(row, 'src_ip') for row in rows)}{program}; in {count_of(days, 'day')} before it had "
        f"called from {count_of(networks, 'other network')} and never from there."
    )
