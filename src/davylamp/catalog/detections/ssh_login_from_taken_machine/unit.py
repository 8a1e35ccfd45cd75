"""The detection `ssh_login_from_taken_machine`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, candidates, evidence_of, instant, is_address, whole_of
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import AssetRef, Finding, Observable, Technique
from davylamp.model.severity import Confidence, Severity
from davylamp.units import format_duration

SHOWN = ("login_at", "source", "login_name", "auth_method")
HOP_LLR = 1.0


class SshLoginFromTakenMachine(Detection):
    """Somebody logged in from a machine that was taken, and something began on the machine that was entered.

    What it sees.
    An accepted SSH login whose source is a machine of an incident, after the first telling evidence on that machine,
    to another machine on which something telling begins within 14 days.

    Why it matters.
    One guessed password is rarely all: keys and known_hosts of the first machine lead to the next (Outlaw, TeamTNT and
    their like read both). Only the first machine shows the way in; without this link the second one's mining has none.

    How it decides.
    It is asked after the other detections, of what they found. The source is a machine of an incident: nothing less
    makes it taken, so that a bastion from which everybody logs in, guessed at all day as it is, joins nothing. The
    machine that was entered has evidence of its own (mining, persistence, logging impaired) of a ratio of 12 and more,
    begun after the login and within `open_s`, 14 days as for every way in (ADR 3), and no successful guess from outside
    before it, which would be its own way in. Clocks may differ by 2 s (`clocks_differ_s`, as everywhere). A chain is
    walked link by link, each new machine making the next one suspect. The log-in itself weighs 1.0, a judgement:
    machines log in to each other every day; what makes an incident is found at both ends.

    What it misses.
    A source whose address no evidence gives to a machine (address translation), or that more than one network uses; a
    machine in between that shows nothing itself; other ways from machine to machine (Kubernetes, agents, shares).

    What looks like it and is not.
    A taken bastion from which administrators go on working, and a machine that mines for another reason: the story
    names the login, its user and its key.

    What to do.
    Treat the credentials that lie on the first machine as taken: its keys, agents and saved passwords; withdraw them on
    every machine that accepts them.

    References.
    https://attack.mitre.org/techniques/T1021/004/
    https://attack.mitre.org/techniques/T1552/004/
    """

    meta = DetectionMeta(
        uid="ssh_login_from_taken_machine",
        title="SSH login from a machine that was taken",
        group="auth",
        stage="access",
        severity=Severity.HIGH,
        techniques=(
            Technique("T1021.004", "Remote Services: SSH"),
            Technique("T1552.004", "Unsecured Credentials: Private Keys"),
        ),
        reads=("authentication",),
        references=("https://attack.mitre.org/techniques/T1021/004/",),
        follows_findings=True,
    )
    params: ClassVar[Mapping[str, object]] = {"open_s": 14 * 86400, "clocks_differ_s": 2}

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per machine entered and machine it was entered from."""
        for _, rows in candidates(candidates_rows, "asset", "taken_asset"):
            yield self._finding(sorted(rows, key=lambda row: instant(row["login_at"])))

    def _finding(self, rows: Sequence[Row]) -> Finding:
        first = rows[0]
        asset, taken, source = AssetRef("host", str(first["asset"])), str(first["taken_asset"]), str(first["source"])
        kind = "ip" if is_address(source) else "remote"
        observables = [Observable("ip" if kind == "ip" else "host_name", source)]
        if first["login_name"] is not None:
            observables.append(Observable("user_name", str(first["login_name"])))
        return build_finding(
            self.meta,
            fact_key=taken,
            assets=(asset,),
            because=_sentence(first, whole_of(first, "logins_count") - 1),
            first_seen=instant(first["login_at"]),
            last_seen=instant(rows[-1]["login_at"]),
            llr=HOP_LLR,
            confidence=Confidence.MEDIUM,
            evidence=evidence_of(rows, SHOWN),
            evidence_count=whole_of(first, "logins_count"),
            observables=observables,
            entities=(f"{kind}:{source}", f"host:{taken}"),
        )


def _sentence(row: Row, further_count: int) -> str:
    taken = str(row["taken_asset"])
    named = taken if taken == row["source"] else f"{taken} ({row['source']})"
    account = f" as {row['login_name']}" if row["login_name"] is not None else ""
    method = f" by {row['auth_method']}" if row["auth_method"] is not None else ""
    further = f" ({further_count} more log-in{'s' if further_count > 1 else ''} followed)" if further_count else ""
    since_s = max(0.0, (instant(row["login_at"]) - instant(row["taken_at"])).total_seconds())
    until_s = max(0.0, (instant(row["harmed_at"]) - instant(row["login_at"])).total_seconds())
    return (
        f"{named} logged in to {row['asset']}{account}{method} {format_duration(since_s)} after it was taken{further}; "
        f"what else was found on {row['asset']} began {format_duration(until_s)} later"
    )
