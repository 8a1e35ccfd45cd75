"""The detection `identity_persistence`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from davylamp.catalog.detections.identity_persistence.foothold import (
    Foothold,
    foothold_of,
    names_mail,
    new_identities,
    new_keys,
)
from davylamp.kit.audit import audit_finding, called_by, failed, listed, text_of
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import candidates
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import Finding, Observable, Technique
from davylamp.model.severity import Severity

Act = tuple[Row, Foothold]


class IdentityPersistence(Detection):
    """Somebody made a way back in: a user, a key, rights, a trust, a function open to all.

    What it sees.
    New users, access keys and passwords for others, rights that amount to everything or to sending mail, role trust
    given to another account or to everybody, log-in providers and certificate authorities for roles, federated
    credentials with every right, functions that anybody may call, key pairs in several regions, mail sending.

    Why it matters.
    Disabling the stolen key does not end it when another way in was made. In the campaign of November 2025 the
    thieves left a function that anybody may call and a user with full rights to send mail: the mining was not the
    last thing they meant to do.

    How it decides.
    Each act has a weight (natural log, a judgement from public reports, in the table beside this page): a user 1,
    a key or password for another 2 (1 for a password that must be changed at the next log-in: a help desk), full
    rights 2.8, and so a key of the root user, which may do everything and which no account needs, rights over one
    compute service 1.8, a group 0.5 to 2, trust for another account 3.2, for everybody 4, a provider or
    certificate authority 2.5, federated credentials 2 when they keep every right (they outlive the key they were
    made with), a function open to all 3.5 (2 where it is a public function address, which web hooks use), mail
    1.5. Acts on the same user or role are one finding: the strongest in full and the others at 0.3
    (`further_ratio`: they share a cause, as findings of one group do), at most 5.5. A user alone is nothing: what
    is left below 1.5 (`least_llr`) is not reported. 1.5 less when everything was refused; 1.5 less for a
    principal that does such things on five days (`steady_days_count`): an identity pipeline; 1 less for a session
    of single sign-on, whose role names cannot be chosen. Key pairs count from two regions on. A trust with a
    condition (an external id, a provider's subject) is how suppliers are let in, and is left out.

    What it misses.
    Rights by a policy of a harmless name; an old user's second key made by itself; roles that were there and are
    too wide.

    What looks like it and is not.
    An administrator who adds a colleague; key rotation by a pipeline; a supplier's role with an external id; a
    public web hook.

    What to do.
    Delete what was made, then what it made in turn: search for the new access keys listed here.

    References.
    https://attack.mitre.org/techniques/T1098/
    https://aws.amazon.com/blogs/security/cryptomining-campaign-targeting-amazon-ec2-and-amazon-ecs/
    """

    meta = DetectionMeta(
        uid="identity_persistence",
        title="A way back in was made",
        group="audit",
        stage="persistence",
        severity=Severity.MEDIUM,
        techniques=(
            Technique("T1098.001", "Account Manipulation: Additional Cloud Credentials"),
            Technique("T1098.003", "Account Manipulation: Additional Cloud Roles"),
            Technique("T1136.003", "Create Account: Cloud Account"),
        ),
        reads=("api_activity",),
        references=("https://attack.mitre.org/techniques/T1098/",),
    )
    params: ClassVar[Mapping[str, object]] = {"rows_count": 200}
    steady_days_count = 5
    least_llr = 1.5
    further_ratio = 0.3

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per account, principal, kind and target."""
        for _, rows in candidates(candidates_rows, "account", "principal"):
            by_target: dict[tuple[str, str], list[Act]] = {}
            for row in rows:
                foothold = foothold_of(row)
                if foothold is not None:
                    target = foothold.target if foothold.kind not in ("mail", "key pair") else ""
                    by_target.setdefault((foothold.kind, target), []).append((row, foothold))
            for key in sorted(by_target):
                llr = self._llr(key[0], by_target[key])
                if llr >= self.least_llr:
                    yield self._finding(key, by_target[key], llr)

    def _llr(self, kind: str, acts: Sequence[Act]) -> float:
        done = [act for act in acts if not failed(act[0])]
        weights: dict[str, float] = {}
        for _, foothold in done or acts:
            weights[foothold.did] = max(foothold.llr, weights.get(foothold.did, 0.0))
        ordered = sorted(weights.values(), reverse=True)
        llr = ordered[0] + self.further_ratio * sum(ordered[1:])
        if kind == "key pair":
            regions = {text_of(row, "region") for row, _ in done}
            llr = 0.0 if len(regions) < 2 else 1.5 if len(regions) < 5 else 2.5
        llr -= 0.0 if done else 1.5
        days = acts[0][0].get("days_count")
        llr -= 1.5 if isinstance(days, int) and days >= self.steady_days_count else 0.0
        llr -= 1.0 if ":assumed-role/AWSReservedSSO_" in text_of(acts[0][0], "principal") else 0.0
        return min(5.5, llr)

    def _finding(self, key: tuple[str, str], acts: Sequence[Act], llr: float) -> Finding:
        kind, target = key
        rows = [row for row, _ in acts]
        done = [act for act in acts if not failed(act[0])]
        refused = len(acts) - len(done)
        acted = listed(foothold.did for _, foothold in done or acts)
        said = listed(foothold.target for _, foothold in acts)
        tried = "" if done else "was refused when it "
        mail = kind == "mail" or any(names_mail(row) for row, _ in done)
        made = [Observable("access_key", made_key) for row, _ in done for made_key in new_keys(row)]
        users = [Observable("user_name", target)] if kind == "user" and target else []
        return audit_finding(
            self.meta,
            rows,
            fact_key=f"{kind}|{target}",
            title={"mail": "Mail sending set up", "function": "A function was opened to everybody"}.get(kind),
            because=f"{called_by(rows[0])} {tried}{acted}"
            + (f": {said}" if said else "")
            + (" (it may send mail now)" if mail and kind != "mail" else "")
            + (f"; {refused} of {len(acts)} calls refused" if refused else "")
            + ".",
            llr=llr,
            severity=Severity.HIGH if llr >= 3.5 else None,
            stage="follow_on" if mail else None,
            observables=made + users,
            links=[link for row, foothold in done for link in new_identities(row, foothold)],
        )
