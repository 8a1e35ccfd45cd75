"""The detection `ssh_guessing_burst`."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, candidates, evidence_of, instant, is_address, whole_of
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import AssetRef, Finding, Observable, Technique
from davylamp.model.severity import Confidence, Severity
from davylamp.units import format_duration

SHOWN = ("time", "user_name", "auth_method", "outcome_detail")
# The strongest burst against a machine counts; hundreds more say only that it faces the Internet.
_LLR_BY_RANK = (1.5, 0.5, 0.25)
_INSIDE_LLR = 1.0
# `is_private` of the library also takes the documentation networks, which stand for the Internet in examples.
_INSIDE = tuple(
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)


class SshGuessingBurst(Detection):
    """One address tried password after password, or name after name, on a machine's SSH service.

    What it sees.
    Failed SSH logins of one source on one machine, counted over a minute, an hour, a day and a week at once, so that
    both a hammering script and a patient one show. A failure on a name the machine does not know counts 2, on root 1.5,
    on another known name 1, one without a name (seen on the wire only) 0.5, an offered key 0.2; a failure on an account
    this source has logged in to before counts 0.1.

    Why it matters.
    Guessed and re-used SSH passwords are the commonest way miners reach Linux machines; the burst is how it begins.

    How it decides.
    One finding per machine and source, when any scale is reached. `minute_weight` 8: two runs of a client that asks
    three times, typed wrongly each time on a known account, come to 6; six tries on root to 9 (CrowdSec's ssh-bf bucket
    overflows at the sixth within its leak). `hour_weight` 12 and `day_weight` 20: CrowdSec's slow buckets hold 10 that
    leak one a minute, its very-slow one 6 in 24 h, both unweighted; ours are twice that in weight, so ten unknown names
    a day are enough. `week_weight` 30: its ultra-slow bucket is 10 in 5 days. `hour_unknown_names` 4: four different
    names that do not exist within an hour; people mistype one name, not four. A single known account that is not root
    is judged on the minute scale, or at `one_account_hour_weight` 90: a job with a stale password that runs every
    minute makes 60 an hour and goes on for weeks, and must not look like guessing.
    The likelihood ratio is 1.5 for the strongest source on a machine, 0.5 and 0.25 for the next two, none for the rest,
    and 1.0 more for a source with a private address: every machine that faces the Internet is guessed at daily, mined
    or not, and a hundred guessers say no more than one.

    What it misses.
    Guessing spread over many addresses (see `ssh_guessing_campaign`); one known account tried a few times an hour;
    servers that log no failures. The thresholds are published, so a patient attacker can stay below them.

    What looks like it and is not.
    A backup job with an old password, a monitoring probe that logs in with a key that was removed, a password manager
    that offers many keys, an office behind one address, a penetration test.

    What to do.
    Look for a login from the same source after it. Close password authentication, or the port to the world.

    References.
    https://attack.mitre.org/techniques/T1110/001/
    https://docs.zeek.org/en/master/scripts/policy/protocols/ssh/detect-bruteforcing.zeek.html
    """

    meta = DetectionMeta(
        uid="ssh_guessing_burst",
        title="SSH passwords guessed from one address",
        group="auth",
        stage="reconnaissance",
        severity=Severity.LOW,
        techniques=(
            Technique("T1110.001", "Brute Force: Password Guessing"),
            Technique("T1021.004", "Remote Services: SSH"),
        ),
        reads=("authentication",),
        references=("https://attack.mitre.org/techniques/T1110/001/",),
    )
    params: ClassVar[Mapping[str, object]] = {
        "minute_weight": 8,
        "hour_weight": 12,
        "day_weight": 20,
        "week_weight": 30,
        "hour_unknown_names": 4,
        "one_account_hour_weight": 90,
    }

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per machine and source, the strongest source of each machine first."""
        by_asset: dict[str, list[tuple[Row, list[Row]]]] = {}
        for first, rows in candidates(candidates_rows, "asset", "source"):
            by_asset.setdefault(str(first["asset"]), []).append((first, rows))
        for asset in sorted(by_asset):
            ranked = sorted(
                by_asset[asset], key=lambda each: (-whole_of(each[0], "failures_count"), str(each[0]["source"]))
            )
            for rank, (first, rows) in enumerate(ranked):
                yield self._finding(AssetRef("host", asset), first, rows, rank)

    def _finding(self, asset: AssetRef, first: Row, rows: list[Row], rank: int) -> Finding:
        source = str(first["source"])
        inside = _is_private(source)
        llr = (_LLR_BY_RANK[rank] if rank < len(_LLR_BY_RANK) else 0.0) + (_INSIDE_LLR if inside else 0.0)
        first_at, last_at = instant(first["first_at"]), instant(first["last_at"])
        count, names = whole_of(first, "failures_count"), whole_of(first, "names_count")
        unknown = whole_of(first, "unknown_names_count")
        tried = f" on {names} name{'s' if names != 1 else ''}" if names else ""
        kind = "ip" if is_address(source) else "host_name"
        return build_finding(
            self.meta,
            fact_key=source,
            assets=(asset,),
            because=(
                f"{source} failed to log in to {asset.name} {count} times{tried} within "
                f"{format_duration((last_at - first_at).total_seconds())}"
                + (f", {unknown} of which the machine does not know" if unknown else "")
            ),
            first_seen=first_at,
            last_seen=last_at,
            llr=llr,
            confidence=Confidence.HIGH if count >= 30 else Confidence.MEDIUM,
            severity=Severity.MEDIUM if inside else None,
            evidence=evidence_of(rows, SHOWN),
            evidence_count=count,
            observables=(Observable(kind, source),),
            entities=(f"{'ip' if kind == 'ip' else 'remote'}:{source}",),
        )


def _is_private(source: str) -> bool:
    return is_address(source) and any(ipaddress.ip_address(source) in network for network in _INSIDE)
