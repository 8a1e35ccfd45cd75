"""The detection `tampered_package_file`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, candidates, evidence_of, instant
from davylamp.kit.metadata import DetectionMeta
from davylamp.kit.processes import process_assets, process_observables
from davylamp.model.finding import AssetRef, Finding, Observable, Technique
from davylamp.model.severity import Confidence, Severity

SHOWN = (
    "process_pid", "parent_process_pid", "process_name", "image_path", "command_line", "user_name", "kind",
    "file", "package",
)  # fmt: skip
# Tools that show or guard what runs, and are replaced so that they do not (perfctl, Skidmap, Rocke).
WATCHERS = frozenset(
    {
        "ps", "top", "htop", "ls", "ss", "netstat", "lsof", "find", "crontab", "ldd", "strace", "chattr",
        "lsattr", "who", "w", "last", "lsmod", "kill", "pkill", "pgrep", "pstree", "rm", "cat", "stat", "sshd",
        "ssh", "sudo", "su", "login", "passwd", "curl", "wget", "bash", "sh", "dash", "systemctl", "systemd",
        "init", "cron", "crond", "auditd",
    }
)  # fmt: skip
UNIT_SUFFIXES = (".service", ".timer", ".path", ".socket", ".conf", ".desktop", ".rules")


class TamperedPackageFile(Detection):
    """A file that runs, or starts something, is not as its package brought it.

    What it sees.
    Images of running processes, programs that startup items run, log-in modules and entries themselves whose content
    differs from the digest their package states (dpkg, rpm, apk, pacman). Configuration files, which are there to be
    changed, do not count.

    Why it matters.
    Replacing `ps`, `top`, `crontab`, `sshd` or `pam_unix.so` hides a miner or keeps a door open (perfctl, Skidmap).
    A program that differs from its package came from somewhere else.

    How it decides.
    The digest is a fact; what it means depends on the file. A log-in module or a tool that shows or guards what runs
    (`WATCHERS`): 4.5. Another program: 2.5. A script in a language's own folder, a unit file or another text that
    administrators do edit in place: 1.0. Weights are judgements.

    What it misses.
    Files changed together with their digest in the package database; programs no package owns (other detections);
    libraries; a database that keeps no digest of the file; what was replaced and put back.

    What looks like it and is not.
    Units edited in place instead of by a drop-in; `pip` or `npm` that replaced its packaged self; images whose
    build patched a binary; a package upgraded while the look went on.

    What to do.
    Compare with the package (`dpkg --verify PACKAGE`, `rpm -V PACKAGE`), keep the file, then install the package
    again. Until then do not believe what the tool says.

    References.
    https://attack.mitre.org/techniques/T1554/
    https://attack.mitre.org/techniques/T1556/003/
    """

    meta = DetectionMeta(
        uid="tampered_package_file",
        title="A file differs from its package",
        group="host_identity",
        stage="impairment",
        severity=Severity.HIGH,
        techniques=(
            Technique("T1554", "Compromise Host Software Binary"),
            Technique("T1556.003", "Modify Authentication Process: Pluggable Authentication Modules"),
        ),
        reads=("startup_item", "process_activity"),
        references=("https://attack.mitre.org/techniques/T1554/",),
    )
    params: ClassVar[Mapping[str, object]] = {}

    def could_look(self, facts: Facts) -> str:
        """Needs startup items or processes."""
        seen = facts.has_rows("startup_item") or facts.has_rows("process_activity")
        return "" if seen else "no startup_item and no process_activity evidence"

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding a host and file."""
        for first, rows in candidates(candidates_rows, "asset", "file"):
            path = str(first["file"])
            llr = _llr(path)
            processes = {
                (row["process_pid"], row["process_started_at"]): row for row in rows if row["what"] == "process"
            }
            only = next(iter(processes.values())) if len(processes) == 1 else None
            assets = process_assets(only) if only else (AssetRef("host", str(first["asset"])),)
            package = next((f" of the package {row['package']}" for row in rows if row["package"]), " of its package")
            yield build_finding(
                self.meta,
                fact_key=path,
                assets=assets,
                because=f"{path} differs from the file{package}{_role(rows, len(processes))}",
                first_seen=_since(rows),
                last_seen=max(instant(row["time"]) for row in rows),
                llr=llr,
                confidence=Confidence.HIGH if llr >= 4 else Confidence.MEDIUM if llr >= 2 else Confidence.LOW,
                severity=None if llr >= 4 else Severity.MEDIUM if llr >= 2 else Severity.LOW,
                evidence=evidence_of(rows, SHOWN),
                evidence_count=len(rows),
                observables={Observable("file_name", path), *(process_observables(only) if only else ())},
            )


def _llr(path: str) -> float:
    name = path.rpartition("/")[2]
    if "/security/pam_" in path or name in WATCHERS:
        return 4.5
    text = name.endswith(UNIT_SUFFIXES) or "python3/dist-packages" in path or "node_modules" in path
    return 1.0 if text or path.startswith("/etc/") or name.startswith(("pip", "npm", "npx", "corepack")) else 2.5


def _role(rows: Sequence[Row], processes_count: int) -> str:
    if processes_count:
        plural = "es" if processes_count > 1 else ""
        return f"; {processes_count} process{plural} of the host run{'' if plural else 's'} it"
    kinds = sorted({str(row["kind"]) for row in rows if row["kind"]})
    return f"; it starts by itself ({', '.join(kinds)})"


def _since(rows: Sequence[Row]) -> datetime:
    """When the file's inode changed last, where that is known; else the first look that saw it."""
    looked = min(instant(row["time"]) for row in rows)
    changed = [instant(row["changed_at"]) for row in rows if isinstance(row["changed_at"], datetime)]
    return min([*changed, looked])
