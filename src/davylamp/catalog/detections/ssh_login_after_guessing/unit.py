"""The detection `ssh_login_after_guessing`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, candidates, evidence_of, instant, is_address, whole_of
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import AssetRef, Finding, Observable, Technique
from davylamp.model.severity import Confidence, Severity
from davylamp.units import format_duration

SHOWN = ("time", "status", "tried_name", "auth_method", "outcome_detail", "tried_asset")
_FACT_LLR, _INFERRED_LLR, _LIKELY_LLR, _KEY_LLR = 7.0, 4.5, 3.0, 1.0
# sshd's methods whose success a guess can bring about; a key cannot be guessed.
_GUESSABLE = ("password", "keyboard-interactive")


class SshLoginAfterGuessing(Detection):
    """An address that had been guessing SSH passwords logged in.

    What it sees.
    An accepted SSH login from a source whose failed attempts since its last success, on any machine of the site,
    amount to a burst, or that took part in a campaign of many addresses.

    Why it matters.
    The guess was right: this is how the intruder got in, and where a mining incident's story begins.

    How it decides.
    Failures weigh as in `ssh_guessing_burst` and the same scales decide: weight 8 in a minute, 12 in an hour, 20 in
    a day, 30 in a week (the slower three only where root, an unknown name or a second name was tried), four unknown
    names, or 90 an hour on one account. It is a fact, success of a brute force, when the login was by password or
    keyboard-interactive, on a name that was tried before or after three names, and at least 10 failures
    (`one_name_failures`) came before it if all were on one name: a person who has forgotten a password gives up, or
    remembers, within three runs of three; of several names one must be root or unknown, because an office whose
    people all fail during a directory outage tries names that exist. A source in a campaign (20 addresses that
    never got in, `participants_count`, failed on names that at least five of them share, `sharing_sources_count`)
    needs two failed names of that list: one is anybody's typing error, two in a row of a botnet's list are not. The
    ratio is 7.0 for a fact, 4.5 where a sensor on the wire inferred the outcome and saw no names (a fact there from
    30 failures on, Zeek's own threshold), 3.0 where burst or method leave doubt and for a login after three
    failures on several names of which one does not exist, 1.0 for a key login after a burst.
    The account that was guessed on one machine is not guessed again on the next: where the source logs in to further
    machines with it within a week (`further_s`), each is a finding of the same weight.
    It is no fact, and 3.0, where one name failed at most three times (`runs_of_three`) on each of several machines and
    then worked on more than half of them: a command for a whole fleet with a password typed wrongly. Nor where one
    name failed at an even beat of `beat_s` and more (gaps that differ by a quarter at most) and, once let in, goes on
    at that beat for five log-ins: a job whose stale password was corrected.
    Quiet are: a source that had logged in to the account before it failed, without a burst before that, as long as not
    that very name was tried among four unknown ones (staff and strangers behind one address of a load balancer);
    any login after a few failures on one name; a login on another name than the single one that keeps failing (a job
    with a stale password beside its administrator).

    What it misses.
    A right guess at the first try from a fresh address; a login from another address than the guessing ones; guessing
    that happened before the evidence begins; machines that the intruder reaches from the one taken, with its keys or
    the same password.

    What looks like it and is not.
    A job whose stale password was corrected and that runs seldom or at no even beat; an office behind one address where
    somebody fails often and somebody else logs in; a penetration test.

    What to do.
    Treat the account and the machine as taken: end its sessions, change its credentials, look at what ran after the
    login, and for the same source on other machines.

    References.
    https://attack.mitre.org/techniques/T1110/001/
    https://attack.mitre.org/techniques/T1078/
    """

    meta = DetectionMeta(
        uid="ssh_login_after_guessing",
        title="SSH login from an address that had been guessing",
        group="auth",
        stage="access",
        severity=Severity.HIGH,
        techniques=(
            Technique("T1078", "Valid Accounts"),
            Technique("T1110.001", "Brute Force: Password Guessing"),
            Technique("T1021.004", "Remote Services: SSH"),
        ),
        reads=("authentication",),
        references=("https://attack.mitre.org/techniques/T1110/001/", "https://attack.mitre.org/techniques/T1078/"),
    )
    params: ClassVar[Mapping[str, object]] = {
        "minute_weight": 8,
        "hour_weight": 12,
        "day_weight": 20,
        "week_weight": 30,
        "unknown_names": 4,
        "one_account_hour_weight": 90,
        "sharing_sources_count": 5,
        "participants_count": 20,
        "further_s": 7 * 86400,
        "beat_s": 30,
    }
    one_name_failures = 10
    runs_of_three = 3
    inferred_failures = 30

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per machine, source and account."""
        for first, rows in candidates(candidates_rows, "asset", "source", "user_name"):
            llr, fact = self._weigh(first)
            if llr > 0:
                yield self._finding(first, rows, llr, fact)

    def _weigh(self, login: Row) -> tuple[float, bool]:
        failures, names = whole_of(login, "failures_count"), whole_of(login, "names_count")
        burst, campaign = login["after_burst"] == 1, login["in_campaign"] == 1
        if login["user_name"] is None:
            fact = burst and failures >= self.inferred_failures
            return (_INFERRED_LLR if burst else 0.0), fact
        if login["name_was_tried"] != 1 and names < 3:
            return 0.0, False
        method = login["auth_method"]
        if method is not None and not str(method).startswith(_GUESSABLE):
            return (_KEY_LLR if burst and login["guessed_asset"] is None else 0.0), False
        guessed = login["guessable"] == 1 if names >= 2 else failures >= self.one_name_failures
        tool = whole_of(login, "names_count") == 1 and (
            login["on_a_beat"] == 1 or self._is_typing_error_of_a_fleet(login)
        )
        if campaign or (burst and guessed and not tool):
            return _FACT_LLR, True
        return (_LIKELY_LLR if login["guessed_asset"] is None else 0.0), False

    def _is_typing_error_of_a_fleet(self, login: Row) -> bool:
        """Whether one name failed a few times on each of many machines and then worked on most of them.

        That is a tool that runs one command everywhere with a password typed wrongly: who guesses has to be wrong more
        often, and is right on few.
        """
        machines, entered = whole_of(login, "tried_assets_count"), whole_of(login, "entered_assets_count")
        few = whole_of(login, "failures_count") <= self.runs_of_three * machines
        return machines > 1 and few and 2 * entered > machines

    def _finding(self, first: Row, rows: list[Row], llr: float, fact: bool) -> Finding:
        source, asset = str(first["source"]), AssetRef("host", str(first["asset"]))
        login_at, failing_since = instant(first["login_at"]), instant(first["failing_since"])
        account = f" as {first['user_name']}" if first["user_name"] is not None else ""
        method = f" by {first['auth_method']}" if first["auth_method"] is not None else ""
        failures, names = whole_of(first, "failures_count"), whole_of(first, "names_count")
        tried = f" on {names} name{'s' if names != 1 else ''}" if names else ""
        machines = whole_of(first, "tried_assets_count")
        tried += (
            f" and {machines} machines"
            if machines > 1 and names
            else f" on {machines} machines"
            if machines > 1
            else ""
        )
        after = (
            f"after {failures} failures{tried} in {format_duration((login_at - failing_since).total_seconds())}"
            if first["guessed_asset"] is None
            else f"{format_duration((login_at - instant(first['guessed_at'])).total_seconds())} after it had got in to "
            f"{first['guessed_asset']} with that account, which took it {failures} failures{tried}"
        )
        where = ", a source of the guessing campaign," if first["in_campaign"] == 1 else ""
        address = is_address(source)
        observables = [Observable("ip" if address else "host_name", source)]
        if first["user_name"] is not None:
            observables.append(Observable("user_name", str(first["user_name"])))
        return build_finding(
            self.meta,
            fact_key=f"{source}\x1f{first['user_name']}",
            assets=(asset,),
            because=f"{source}{where} logged in to {asset.name}{account}{method} {after}",
            first_seen=login_at,
            last_seen=login_at,
            llr=llr,
            fact=fact,
            confidence=Confidence.HIGH if fact else Confidence.MEDIUM,
            severity=None if fact else Severity.MEDIUM,
            evidence=evidence_of(rows, SHOWN),
            evidence_count=failures + 1,
            observables=observables,
            entities=(f"{'ip' if address else 'remote'}:{source}",),
        )
