"""The detection `access_drift`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from davylamp.kit.changes import changed_by, compared_with, host_asset, login_entities, new_since, no_baseline
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, candidates, evidence_of, instant
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import Finding, Observable, Technique
from davylamp.model.severity import Confidence, Severity

SHOWN = ("need", "user_name", "name", "value", "file_path", "file_line")
NEW_LLR, POWER_LLR = 0.5, 1.0


class AccessDrift(Detection):
    """A key or an account lets somebody in that nobody declared.

    What it sees.
    SSH keys, and accounts that may log in, have uid 0 or belong to a group that administers, that are not in the
    host's approved baseline; and declared accounts that may do more than declared. Without a baseline the first look
    at the host stands in, for files that changed after it. Each is told with who wrote the file and when, and who had
    logged in before.

    Why it matters.
    Intruders leave themselves a key (Outlaw) or an account (Hildegard's `monerodaemon`) and come back when the miner
    was removed.

    How it decides.
    A key by its fingerprint and user, an account by its name, uid, whether it may log in, and its groups. A key or
    account counts 0.5; one with uid 0 that is not root, or a declared one that now may do more, 1.0; half of it
    against a first look instead of a baseline. How intruders write keys is judged by `authorized_keys_rewritten`. A
    log-in is named when it was the last one within ten minutes (`near_s`, as there) before the file changed. Weights
    are judgements.

    What it misses.
    Passwords that were changed; keys in certificates' principals or from AuthorizedKeysCommand; accounts of a
    directory; a shell for an account that the baseline allows to log in already.

    What looks like it and is not.
    Accounts that packages bring: they may not log in and stay quiet. A new colleague's key, rolled out on purpose:
    approve it.

    What to do.
    Ask whose it is; remove it, or approve it with `davylamp baseline approve`.

    References.
    https://attack.mitre.org/techniques/T1098/004/
    https://attack.mitre.org/techniques/T1136/001/
    https://attack.mitre.org/software/S0601/
    """

    meta = DetectionMeta(
        uid="access_drift",
        title="Key or account that nobody declared",
        group="posture",
        stage="persistence",
        severity=Severity.LOW,
        techniques=(
            Technique("T1098.004", "Account Manipulation: SSH Authorized Keys"),
            Technique("T1136.001", "Create Account: Local Account"),
        ),
        reads=("startup_item", "host_setting", "declared_need", "file_activity", "authentication"),
        references=("https://attack.mitre.org/techniques/T1136/001/",),
    )
    params: ClassVar[Mapping[str, object]] = {"near_s": 600}

    def could_look(self, facts: Facts) -> str:
        """Keys or accounts, and something to compare them with: a baseline, or another look."""
        classes = [name for name in self.meta.reads[:2] if facts.has_rows(name)]
        if not classes:
            return "no startup_item and no host_setting evidence"
        return min((no_baseline(facts, name) for name in classes), key=len)

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding a host and key, and one a host and account."""
        keyed = [{**row, "subject": row["value"] if _is_key(row) else row["user_name"]} for row in candidates_rows]
        for _, rows in candidates(keyed, "asset", "need", "subject"):
            yield self._finding(sorted(rows, key=lambda row: instant(row["time"]), reverse=True))

    def _finding(self, rows: Sequence[Row]) -> Finding:
        last = rows[0]
        approved = isinstance(last["approved_at"], datetime)
        powerful = not _is_key(last) and (_is_second_root(last) or last["known_value"] is not None)
        weight = POWER_LLR if powerful else NEW_LLR
        users = sorted({str(row["user_name"]) for row in rows if row["user_name"]})
        return build_finding(
            self.meta,
            fact_key=f"{last['need']} {last['subject']}",
            assets=(host_asset(last),),
            because=_sentence(last, users, approved),
            first_seen=new_since(rows, "written_at", "changed_at"),
            last_seen=max(instant(row["time"]) for row in rows),
            llr=weight if approved else weight / 2,
            confidence=Confidence.HIGH if approved else Confidence.MEDIUM,
            severity=Severity.MEDIUM if powerful else None,
            evidence=evidence_of(rows, SHOWN),
            observables={
                *(Observable("user_name", user) for user in users[:20]),
                *([Observable("ssh_key_fingerprint", str(last["value"]))] if _is_key(last) else []),
            },
            entities=login_entities(last),
        )


def _is_key(row: Row) -> bool:
    return row["need"] == "authorized_key"


def _is_second_root(row: Row) -> bool:
    return str(row["value"]).startswith("uid=0 ") and row["user_name"] != "root"


def _sentence(row: Row, users: Sequence[str], approved: bool) -> str:
    lacks = "does not have it" if approved else "did not show it"
    if _is_key(row):
        whose = f" of {', '.join(users[:3])}" if users else ""
        comment = f" ({row['name']})" if row["name"] else ""
        what = f"key {row['value']}{comment}{whose} in {row['file_path']} on {row['asset']}"
    else:
        what = f"account {row['user_name']} ({row['value']}) on {row['asset']}"
        if row["known_value"] is not None:
            lacks = f"{'has' if approved else 'showed'} it as {row['known_value']}"
    changed = changed_by(row, "its file" if _is_key(row) else str(row["file_path"] or "its file"))
    return f"{what}: {compared_with(row)} {lacks}" + (f"; {changed}" if changed else "")
