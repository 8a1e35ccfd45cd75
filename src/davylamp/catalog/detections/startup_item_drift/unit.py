"""The detection `startup_item_drift`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from davylamp.kit.changes import changed_by, compared_with, host_asset, login_entities, new_since, no_baseline
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, candidates, evidence_of, instant
from davylamp.kit.metadata import DetectionMeta
from davylamp.kit.processes import shown_command
from davylamp.model.finding import Finding, Observable, Technique
from davylamp.model.severity import Confidence, Severity

SHOWN = (
    "kind",
    "name",
    "command",
    "schedule",
    "user_name",
    "file_path",
    "file_line",
    "file_owner_name",
    "program_path",
)
# What people and tools write into all the time; the rest is written when something is installed.
EVERYDAY = frozenset({"profile", "at", "motd", "other"})
KIND_WORDS = {
    "cron": "cron entry",
    "at": "at job",
    "systemd_service": "systemd service",
    "systemd_timer": "systemd timer",
    "systemd_path": "systemd path unit",
    "systemd_socket": "systemd socket",
    "init": "init script",
    "profile": "shell profile",
    "preload": "preloaded library",
    "pam": "PAM rule",
    "udev": "udev rule",
    "suid": "SUID program",
    "module": "kernel module",
}


class StartupItemDrift(Detection):
    """Something starts by itself that nobody declared.

    What it sees.
    Cron entries, units and timers, init scripts, profiles, preloaded libraries, PAM and udev rules, SUID programs and
    the like that no package accounts for and that are not in the host's approved baseline, or hold something else
    than it says. Without a baseline the first look at the host stands in, for files that changed after it. Each is
    told with who wrote the file and when, and who had logged in before.

    Why it matters.
    What was stopped and comes back was started by one of these. Told against a declared need, the one new entry among
    hundreds stands out, whatever it runs.

    How it decides.
    By sort, file, name and the hash of what it runs. An entry of a package's unmodified file that runs an unmodified
    program needs no approval. It counts 0.5, of what people and tools write all the time (profiles, at jobs, messages)
    0.1; half of it against a first look instead of a baseline, where profiles and the like stay quiet. What an entry
    runs is judged by `fetching_persistence` and `preload_hook`. A log-in is named when it was the last one within ten
    minutes (`near_s`, as in `authorized_keys_rewritten`) before the file changed. Weights are judgements.

    What it misses.
    A declared script that calls another one, which was rewritten; an entry of a package that was installed for it; an
    entry that is there between two looks alone.

    What looks like it and is not.
    Configuration management that changes a script on purpose: approve it again. Upgrades of packages stay quiet.

    What to do.
    Read the entry and the file it runs; remove it, or approve it with `davylamp baseline approve`.

    References.
    https://attack.mitre.org/techniques/T1543/
    https://attack.mitre.org/techniques/T1053/003/
    """

    meta = DetectionMeta(
        uid="startup_item_drift",
        title="Startup item that nobody declared",
        group="posture",
        stage="persistence",
        severity=Severity.LOW,
        techniques=(
            Technique("T1543", "Create or Modify System Process"),
            Technique("T1053.003", "Scheduled Task/Job: Cron"),
        ),
        reads=("startup_item", "declared_need", "file_activity", "authentication"),
        references=("https://attack.mitre.org/techniques/T1543/",),
    )
    params: ClassVar[Mapping[str, object]] = {"near_s": 600}

    def could_look(self, facts: Facts) -> str:
        """A look at the entries, and something to compare it with: a baseline, or another look."""
        return super().could_look(facts) or no_baseline(facts, "startup_item")

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding a host, sort, file and name."""
        for first, rows in candidates(candidates_rows, "asset", "kind", "file_path", "name"):
            if isinstance(first["approved_at"], datetime) or first["kind"] not in EVERYDAY:
                yield self._finding(sorted(rows, key=lambda row: instant(row["time"]), reverse=True))

    def _finding(self, rows: Sequence[Row]) -> Finding:
        last = rows[0]
        approved = isinstance(last["approved_at"], datetime)
        weight = 0.1 if last["kind"] in EVERYDAY else 0.5
        return build_finding(
            self.meta,
            fact_key=f"{last['kind']} {last['file_path']} {last['name']}",
            assets=(host_asset(last),),
            because=_sentence(last, approved),
            first_seen=new_since(rows, "written_at", "changed_at"),
            last_seen=max(instant(row["time"]) for row in rows),
            llr=weight if approved else weight / 2,
            confidence=Confidence.HIGH if approved else Confidence.MEDIUM,
            severity=Severity.INFORMATIONAL if last["kind"] in EVERYDAY else None,
            evidence=evidence_of(rows, SHOWN),
            observables={
                Observable("file_name", str(path)) for path in (last["file_path"], last["program_path"]) if path
            },
            entities=login_entities(last),
        )


def _sentence(row: Row, approved: bool) -> str:
    sort = KIND_WORDS.get(str(row["kind"]), str(row["kind"]))
    what = f"{sort} {row['name']} in {row['file_path']} on {row['asset']}"
    lacks = "has something else in its place" if row["rewritten"] == 1 else "does not have it"
    if not approved:
        lacks = "showed something else in its place" if row["rewritten"] == 1 else "did not show it"
    runs = shown_command({"command_line": row["command"]})
    user = f", as {row['user_name']}" if row["user_name"] else ""
    parts = [
        f"{what}: {compared_with(row)} {lacks}",
        f"it says {runs}{user}" if runs else "",
        changed_by(row),
    ]
    return "; ".join(part for part in parts if part)
