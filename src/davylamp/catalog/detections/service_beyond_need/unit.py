"""The detection `service_beyond_need`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from davylamp.kit.changes import (
    changed_by,
    compared_with,
    host_asset,
    login_entities,
    new_since,
    no_baseline,
    started_by,
)
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, candidates, evidence_of, instant
from davylamp.kit.metadata import DetectionMeta
from davylamp.kit.processes import process_assets, process_observables, shown_command
from davylamp.model.finding import Finding, Observable, Technique
from davylamp.model.severity import Confidence, Severity

SHOWN = ("name", "state", "enabled", "command", "file_path", "file_package", "process_pid", "image_path", "user_name")


class ServiceBeyondNeed(Detection):
    """A service runs, or starts by itself, that nobody declared.

    What it sees.
    Services that are enabled, or that run although they are disabled or belong to no package, and that are not in the
    host's approved baseline. Without a baseline the first look at the host stands in, and what appears after it is
    new. Each is told with the file that defines it, when that file was written and by whom, and who had logged in.

    Why it matters.
    Every service is a way in, and a service of one's own is how miners come back after a restart (Hildegard
    installs one: T1543.002). A host that runs what it needs and nothing else has fewer of both.

    How it decides.
    By name; of a template (`getty@tty1.service`) any instance is expected once one is. A service that no package owns
    counts 0.5, half of it against a first look instead of a baseline; a package's service counts 0: somebody installed
    it, and says nothing of mining. A log-in is named when it was the last one within ten minutes (`near_s`, as in
    `authorized_keys_rewritten`) before the file changed. Weights are judgements.

    What it misses.
    A declared service whose file was rewritten (`startup_item_drift` sees that); what runs without being a service;
    services inside containers; what `systemd-run` started for this boot alone; a service that was there when the
    baseline was approved, or at the first look. Which services a server rarely needs is not judged without a
    baseline: it depends on the server.

    What looks like it and is not.
    Services that others start on demand (D-Bus, sockets, timers, of packages): these stay quiet. A package that was
    installed on purpose after the approval is reported, with severity informational.

    What to do.
    `systemctl disable --now NAME` what is not needed; approve the rest with `davylamp baseline approve`.

    References.
    https://attack.mitre.org/techniques/T1543/002/
    https://csrc.nist.gov/pubs/sp/800/123/final
    """

    meta = DetectionMeta(
        uid="service_beyond_need",
        title="Service that nobody declared",
        group="posture",
        stage="persistence",
        severity=Severity.LOW,
        techniques=(Technique("T1543.002", "Create or Modify System Process: Systemd Service"),),
        reads=(
            "service_state",
            "declared_need",
            "startup_item",
            "process_activity",
            "file_activity",
            "authentication",
        ),
        references=("https://csrc.nist.gov/pubs/sp/800/123/final",),
    )
    params: ClassVar[Mapping[str, object]] = {"near_s": 600}

    def could_look(self, facts: Facts) -> str:
        """A look at the services, and something to compare it with: a baseline, or another look."""
        return super().could_look(facts) or no_baseline(facts, "service_state")

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding a host and service, by the last look that saw it."""
        for _, rows in candidates(candidates_rows, "asset", "template"):
            yield self._finding(sorted(rows, key=lambda row: instant(row["time"]), reverse=True))

    def _finding(self, rows: Sequence[Row]) -> Finding:
        last = rows[0]
        owned, approved = bool(last["file_package"]), isinstance(last["approved_at"], datetime)
        runs = isinstance(last["process_started_at"], datetime)
        weight = 0.0 if owned else 0.5
        return build_finding(
            self.meta,
            fact_key=str(last["template"]),
            assets=process_assets(last) if runs else (host_asset(last),),
            because=_sentence(last, owned),
            first_seen=new_since(rows, "process_started_at", "written_at", "changed_at"),
            last_seen=max(instant(row["time"]) for row in rows),
            llr=weight if approved else weight / 2,
            confidence=Confidence.HIGH if approved else Confidence.MEDIUM,
            severity=Severity.INFORMATIONAL if owned else None,
            evidence=evidence_of(rows, SHOWN),
            observables={
                Observable("service", str(last["name"])),
                *([Observable("file_name", str(last["file_path"]))] if last["file_path"] else []),
                *(process_observables(last) if runs else ()),
            },
            entities=login_entities(last),
        )


def _sentence(row: Row, owned: bool) -> str:
    does = "runs" if row["state"] == "running" else "starts by itself" if row["enabled"] else "is there"
    whose = f"of the package {row['file_package']}" if owned else "of no package"
    compared = compared_with(row)
    lacks = "does not have" if isinstance(row["approved_at"], datetime) else "did not show"
    command = shown_command({"command_line": row["command"]})
    parts = [
        f"{row['name']}, {whose}, {does} on {row['asset']}, and {compared} {lacks} it",
        f"it runs {command}" if command else "",
        f"its process {row['process_pid']} was {started_by({**row, 'source': None})}"
        if row["process_started_at"]
        else "",
        changed_by(row, str(row["file_path"] or "its file")),
    ]
    return "; ".join(part for part in parts if part)
