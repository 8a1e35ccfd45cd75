"""The detection `authorized_keys_rewritten`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, candidates, evidence_of, instant, whole_of
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import AssetRef, Finding, Observable, Technique
from davylamp.model.severity import Confidence, Severity
from davylamp.units import format_duration

SHOWN = ("name", "command", "user_name", "file_path", "file_line", "file_mode", "file_immutable")
# Comments of keys that botnets leave (Outlaw, in hundreds of reports since 2018: knowledge base 1.5).
COMMENTS = re.compile(r"\bmdrfckr\b", re.IGNORECASE)


class AuthorizedKeysRewritten(Detection):
    """A file of SSH keys was rewritten the way intruders do.

    What it sees.
    The keys that let somebody in, as the sensor read them: a comment that a botnet leaves; a file that changed
    minutes after a guesser got in; a file locked against change; one key alone in the files of several users, of
    which some are not to log in at all.

    Why it matters.
    A guessed password is changed; the key stays, and lets the miner's owner in again. Outlaw does this in its first
    minute on nearly every host it enters.

    How it decides.
    A botnet's comment: 6.5. The file's inode changed within ten minutes (`after_login_s`; reported scripts take one)
    after a log-in, as its user or root, from a source with at least eight failures in the day before
    (`failures_count`, the burst of `ssh_guessing_burst`): 4.5. One key alone in three users' files or more
    (`files_count`), one of them an account that is not to log in: 3.5; without such an account 1.2, since teams'
    keys are rolled out so. Locked by the immutable or append-only attribute: 2.5. The strongest counts in full, others
    at 0.4. Reported from 1.8 on. The inode's change cannot be set back by a user. Weights are judgements.

    What it misses.
    A key added with another comment by somebody who got in at the first try; keys in certificates' principals or
    from AuthorizedKeysCommand; guessing from other addresses than the log-in's.

    What looks like it and is not.
    `ssh-copy-id` after a few mistyped passwords; cloud-init, which writes one key for root and the default user;
    configuration management that gives a team's key to all its users; administrators who lock their own file.

    What to do.
    Keep the file, remove the key (`chattr -ia` first where it is locked), look for the fingerprint on other hosts and
    for log-ins with it, and change the account's password.

    References.
    https://attack.mitre.org/techniques/T1098/004/
    https://www.darktrace.com/de/blog/outlaw-returns-uncovering-returning-features-and-new-tactics
    """

    meta = DetectionMeta(
        uid="authorized_keys_rewritten",
        title="SSH keys rewritten as intruders do",
        group="host_identity",
        stage="persistence",
        severity=Severity.HIGH,
        techniques=(
            Technique("T1098.004", "Account Manipulation: SSH Authorized Keys"),
            Technique("T1222.002", "File and Directory Permissions Modification: Linux and Mac"),
        ),
        reads=("startup_item", "authentication", "host_setting"),
        references=("https://attack.mitre.org/techniques/T1098/004/",),
    )
    params: ClassVar[Mapping[str, object]] = {"after_login_s": 600, "failures_count": 8}
    least_llr = 1.8
    files_count = 3

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding a host and key; a file of several keys is one where none of them stands out."""
        keyed = [{**row, "subject": _subject(row)} for row in candidates_rows]
        for first, rows in candidates(keyed, "asset", "subject"):
            weights = self._weights(rows)
            if not weights:
                continue
            ordered = sorted(weights, key=lambda each: (-each[0], each[1]))
            llr = round(min(6.5, ordered[0][0] + 0.4 * sum(each[0] for each in ordered[1:])), 2)
            if llr >= self.least_llr:
                yield self._finding(first, rows, llr, [words for _, words in ordered])

    def _weights(self, rows: Sequence[Row]) -> list[tuple[float, str]]:
        weights: list[tuple[float, str]] = []
        comment = next((found.group() for row in rows if (found := COMMENTS.search(str(row["name"] or "")))), None)
        if comment:
            weights.append((6.5, f"its comment {comment} is a botnet's"))
        entered = next((row for row in rows if row["source"] is not None), None)
        if entered:
            after = format_duration(float(whole_of(entered, "after_s")))
            user = f" as {entered['login_name']}" if entered["login_name"] else ""
            weights.append(
                (4.5, f"the file changed {after} after {entered['source']}, which had been guessing, logged in{user}")
            )
        files = max(whole_of(row, "files_count") for row in rows)
        if files >= self.files_count:
            closed = sorted({str(row["user_name"]) for row in rows if row["no_login"] == 1})
            words = f"it stands alone in the files of {files} users"
            weights.append((3.5, f"{words}, among them {closed[0]}, who is not to log in") if closed else (1.2, words))
        if any(row["file_immutable"] is True for row in rows):
            weights.append((2.5, "the file is locked against change"))
        return weights

    def _finding(self, first: Row, rows: Sequence[Row], llr: float, words: Sequence[str]) -> Finding:
        users = sorted({str(row["user_name"]) for row in rows if row["user_name"]})
        fingerprints = sorted(
            {str(row["fingerprint"]) for row in rows if str(row["fingerprint"]).startswith("SHA256:")}
        )
        sources = sorted({str(row["source"]) for row in rows if row["source"] is not None})
        whose = f" of {', '.join(users[:3])}" if users else ""
        files = sorted({str(row["file_path"]) for row in rows})
        return build_finding(
            self.meta,
            fact_key=str(first["subject"]),
            assets=(AssetRef("host", str(first["asset"])),),
            because=f"a key{whose} in {files[0]}: {'; '.join(words)}",
            first_seen=_since(rows),
            last_seen=max(instant(row["time"]) for row in rows),
            llr=llr,
            confidence=Confidence.HIGH if llr >= 4 else Confidence.MEDIUM,
            severity=None if llr >= 3 else Severity.MEDIUM,
            evidence=evidence_of(rows, SHOWN),
            evidence_count=len(rows),
            observables=[
                *(Observable("ssh_key_fingerprint", each) for each in fingerprints[:20]),
                *(Observable("user_name", each) for each in users[:20]),
                *(Observable("file_name", each) for each in files[:20]),
            ],
            entities=[f"ip:{each}" for each in sources],
        )


def _subject(row: Row) -> str:
    """A key that stands alone or bears a known comment is one fact wherever it stands; else the file is."""
    fingerprint = str(row["fingerprint"])
    own = row["keys_count"] == 1 or COMMENTS.search(str(row["name"] or ""))
    return fingerprint if own and fingerprint.startswith("SHA256:") else str(row["file_path"])


def _since(rows: Sequence[Row]) -> datetime:
    """When the first of the files changed last, never after the look."""
    looked = min(instant(row["time"]) for row in rows)
    return min([*(instant(row["changed_at"]) for row in rows if isinstance(row["changed_at"], datetime)), looked])
