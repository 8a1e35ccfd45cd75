"""The detection `outbound_guessing`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from davylamp.kit.addresses import NOT_PUBLIC
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, candidates, evidence_of, instant, whole_of
from davylamp.kit.metadata import DetectionMeta
from davylamp.kit.processes import EVIDENCE_COLUMNS, process_asset, process_observables
from davylamp.model.finding import AssetRef, Finding, Technique
from davylamp.model.severity import Confidence, Severity

# `ssh [options] [user@]target`, also behind sshpass; options with a value take one word.
_SSH_TARGET = (
    "^(?:[^ ]*sshpass (?:-[a-z] ?[^ ]+ )*)?(?:[^ ]*/)?(ssh|scp|sftp) (?:-[46AaCfGgKkMNnqsTtVvXxYy]+ |"
    "-[BbcDEeFIiJLlmOopPQRSWw] ?[^ ]+ )*(?:([^@ ]+)@)?([0-9A-Za-z_.:-]+)"
)
# Scanners and guessers told to look for SSH; the word that says so is what is cited.
_TOOL = (
    "^(?:[^ ]*/)?(masscan|zmap|zgrab2?|pnscan|hydra|medusa|ncrack|patator|brutespray|crowbar|haiduc|spirit|ssh_?scan|"
    "sshbrute)(?: .*)?(?: -p ?T?:?22| --ports? ?=?22| -p[0-9,-]*22|ssh://| ssh( |$)|ssh_login|:22( |$)| 22( |$))"
)


class OutboundGuessing(Detection):
    """A machine tries SSH servers all over, as those do that spread from it.

    What it sees.
    Connections to SSH ports (22, 222, 2200, 2222, 10022) by one process, or by one machine where nothing names the
    process; launches of `ssh` by one parent; launches of scanners and guessers for SSH.

    Why it matters.
    Outlaw, 8220's `spirit`, RapperBot and Kinsing's spread script use the machine that mines to find the next ones.
    Others see it first: this is what abuse reports are about.

    How it decides.
    At least 15 different addresses within an hour by one process or one parent's `ssh` commands (knowledge of the
    field: Kinsing's and Outlaw's scanners try thousands, administration from one process seldom more than a dozen), 30
    by a machine as a whole. Inventories lie in few networks, guesses everywhere: 10 networks of /16 with 15 public
    addresses give the ratio 4.5 by process, 3.5 by launches and 3.0 by machine (12 of them if more than half of the
    addresses answered, as they do who are administered: then it is 1.5). In private or few networks it is 2.5 when at
    most a quarter of the addresses answered by process, and nothing otherwise. `ssh` under three names or more at five
    targets is guessing wherever they lie: 4.0. A scanner's or guesser's launch gives 3.0.

    What it misses.
    Slow scans; other ports; scanners that send raw packets and so own no socket (flow records see those).

    What looks like it and is not.
    Ansible, pssh and CI, which start one `ssh` for each host of an inventory in a few networks; monitoring that asks
    SSH's banner; a bastion; a penetration test.

    What to do.
    Cut the machine's way out on these ports; look for the scanner's word lists and results beside it; tell those who
    were tried.

    References.
    https://attack.mitre.org/techniques/T1110/
    https://attack.mitre.org/techniques/T1021/004/
    """

    meta = DetectionMeta(
        uid="outbound_guessing",
        title="SSH servers elsewhere are tried from here",
        group="wire",
        stage="follow_on",
        severity=Severity.HIGH,
        techniques=(
            Technique("T1110", "Brute Force"),
            Technique("T1595.001", "Active Scanning: Scanning IP Blocks"),
            Technique("T1021.004", "Remote Services: SSH"),
        ),
        reads=("socket_usage", "network_activity", "process_activity"),
        references=(
            "https://attack.mitre.org/techniques/T1110/",
            "https://attack.mitre.org/techniques/T1021/004/",
        ),
    )
    params: ClassVar[Mapping[str, object]] = {
        "not_public": NOT_PUBLIC,
        "ssh_target": _SSH_TARGET,
        "tool": _TOOL,
        "targets_count": 15,
        "machine_targets_count": 30,
        "rows_count": 50,
    }
    networks_count, guessed_targets_count = 10, 5
    spread_llrs: ClassVar[Mapping[str, float]] = {"process": 4.5, "launches": 3.5, "machine": 3.0}
    answered_llr, unanswered_llr, guessed_llr, tool_llr = 1.5, 2.5, 4.0, 3.0

    def could_look(self, facts: Facts) -> str:
        """Any of the three will do."""
        if any(facts.has_rows(name) for name in self.meta.reads):
            return ""
        return "no socket_usage, network_activity or process_activity evidence"

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding for a process, a parent or a machine."""
        for first, rows in candidates(candidates_rows, "how", "asset", "process_pid", "process_started_at"):
            if (llr := self._llr(first)) > 0:
                yield self._finding(first, rows, llr)

    def _llr(self, row: Row) -> float:
        how, targets_count = str(row["how"]), whole_of(row, "targets_count")
        if how == "tool":
            return self.tool_llr
        if whole_of(row, "guessed_count") >= self.guessed_targets_count:
            return self.guessed_llr
        spread = whole_of(row, "networks_count") >= self.networks_count and whole_of(row, "public_count") >= 15
        answered_ratio = whole_of(row, "answered_count") / max(1, targets_count)
        if spread:
            return self.answered_llr if answered_ratio > 0.5 else self.spread_llrs[how]
        return self.unanswered_llr if how == "process" and answered_ratio <= 0.25 else 0.0

    def _finding(self, first: Row, rows: Sequence[Row], llr: float) -> Finding:
        how, asset = str(first["how"]), AssetRef("host", str(first["asset"]))
        who = {
            "process": f"process {first['process_pid']} ({first['process_name']})",
            "launches": f"commands started by process {first['process_pid']}",
            "tool": f"process {first['process_pid']}",
        }.get(how, "the machine")
        tried = (
            f"is a scanner or guesser for SSH: {first['target']}"
            if how == "tool"
            else f"tried {first['targets_count']} SSH servers in an hour, in {first['networks_count']} public networks"
        )
        by_process = how in ("process", "tool")
        return build_finding(
            self.meta,
            fact_key=how,
            assets=(asset, process_asset(first)) if by_process else (asset,),
            because=f"{who} on {asset.name} {tried}",
            first_seen=instant(first["first_at"]),
            last_seen=instant(first["last_at"]),
            llr=llr,
            confidence=Confidence.HIGH if llr >= 4 else Confidence.MEDIUM if llr >= 2 else Confidence.LOW,
            severity=None if llr >= 3 else Severity.MEDIUM,
            evidence=evidence_of(rows, (*EVIDENCE_COLUMNS, "target")),
            evidence_count=whole_of(first, "targets_count"),
            observables=process_observables(first) if by_process else (),
        )
