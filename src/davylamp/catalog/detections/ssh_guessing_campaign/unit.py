"""The detection `ssh_guessing_campaign`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar

from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, evidence_of, instant, is_address, whole_of
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import EVIDENCE_SHOWN_COUNT, AssetRef, Finding, Observable, Technique
from davylamp.model.severity import Confidence, Severity
from davylamp.units import format_duration, format_instant

SHOWN = ("time", "source", "user_name", "outcome_detail")


class SshGuessingCampaign(Detection):
    """Many addresses, each of them quiet, guess SSH passwords on the site together.

    What it sees.
    All machines' SSH attempts together, from sources that had no success on the site in the last 30 days and are not
    loud enough to be found alone. When far more of these attempts fail than strangers' attempts usually do, the sources
    that took part are named.

    Why it matters.
    A botnet of a thousand addresses that each try three passwords a day passes every limit per address, and tries three
    thousand passwords a day.

    How it decides.
    Attempts are taken 100 at a time in time order; X is the number that failed. Honest strangers' failures vary more
    than coin tosses do, so they are modelled as beta-binomial with a = 2, b = 26 (mean 7.2 of 100, `mean_count`;
    standard deviation 5.4), after Javed and Paxson. A cumulative sum of X - mean - K, never below zero, alarms above H.
    K = 5 (`allowance_count`) and H = 40 (`alarm_count`) are from simulation: 12,700 blocks between false alarms, 8.8
    blocks to see 10 more failures in 100; K = 3, H = 20 would alarm every 119 blocks, and a binomial model constantly
    (tests/catalog/test_ssh_guessing_campaign.py repeats the simulation). A thousand addresses with three attempts a day
    fill a block in 48 minutes, and one block of guesses is enough.
    Participants are sources in the blocks of the alarm that share a name with at least 5 sources
    (`sharing_sources_count`: nobody's mistyped name is tried by four strangers), or tried a name that does not exist
    twice or more; a source that later gets in takes part only if two of its failed names are shared. Below 20
    participants (`participants_count`) it is no campaign: a class of newcomers or a broken deployment has fewer, and
    their names are their own. A source with over 15 failures in an hour (`loud_hour_count`) is left to
    `ssh_guessing_burst`; Zeek's own limit is 30 in half an hour.
    One finding for the site. Its likelihood ratio is 1.0: every site on the Internet has such visitors, and most of
    them never get in. The login that follows is what counts (`ssh_login_after_guessing`).

    What it misses.
    A campaign of under 20 addresses, or one that asks for fewer than about 50 passwords in all; names nobody shares
    that all exist; key guessing.

    What looks like it and is not.
    The morning after a password policy made everybody's password expire; a directory outage, when every login of every
    user fails (known names, each from its own address); an office move.

    What to do.
    Close password authentication to the world; blocking addresses one by one does not help.

    References.
    Javed and Paxson, Detecting Stealthy, Distributed SSH Brute-Forcing, CCS 2013.
    https://attack.mitre.org/techniques/T1110/003/
    """

    meta = DetectionMeta(
        uid="ssh_guessing_campaign",
        title="SSH passwords guessed from many addresses together",
        group="auth",
        stage="reconnaissance",
        severity=Severity.MEDIUM,
        techniques=(
            Technique("T1110.003", "Brute Force: Password Spraying"),
            Technique("T1021.004", "Remote Services: SSH"),
        ),
        reads=("authentication",),
        references=("https://attack.mitre.org/techniques/T1110/003/",),
    )
    params: ClassVar[Mapping[str, object]] = {
        "loud_hour_count": 15,
        "forget_s": 30 * 86400,
        "mean_count": 7.2,
        "allowance_count": 5,
        "alarm_count": 40,
        "sharing_sources_count": 5,
        "participants_count": 20,
    }

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding for the site, on every machine that was tried."""
        if not candidates_rows:
            return
        rows = sorted(candidates_rows, key=lambda row: whole_of(row, "place"))
        first = rows[0]
        assets = tuple(AssetRef("host", name) for name in sorted({str(row["asset"]) for row in rows}))
        sources = sorted({str(row["source"]) for row in rows})
        first_at, last_at = instant(first["first_at"]), instant(first["last_at"])
        alarm_at = datetime.fromtimestamp(whole_of(first, "alarm_s"), UTC)
        entered = sorted({str(row["source"]) for row in rows if row["entered"] == 1})
        because = (
            f"{first['sources_count']} addresses failed {first['guesses_count']} SSH logins on {len(assets)} "
            f"machine{'s' if len(assets) != 1 else ''} within {format_duration((last_at - first_at).total_seconds())}, "
            f"with {first['names_count']} names between them and none loud alone; the site's failures left the usual "
            f"range at {format_instant(alarm_at)}"
        )
        if entered:
            because += f"; {len(entered)} of them got in"
        yield build_finding(
            self.meta,
            fact_key="site",
            assets=assets,
            because=because,
            first_seen=first_at,
            last_seen=last_at,
            llr=1.0,
            confidence=Confidence.HIGH,
            severity=Severity.HIGH if entered else None,
            evidence=evidence_of((row for row in rows if whole_of(row, "place") <= EVIDENCE_SHOWN_COUNT), SHOWN),
            evidence_count=whole_of(first, "guesses_count"),
            observables=(Observable("ip" if is_address(each) else "host_name", each) for each in sources),
            entities=(f"ip:{each}" for each in sources if is_address(each)),
        )
