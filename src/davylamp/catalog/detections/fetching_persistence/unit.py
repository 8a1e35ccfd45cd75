"""The detection `fetching_persistence`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from davylamp.catalog.detections.fetching_persistence.traits import (
    Trait,
    hosts,
    often,
    place_trait,
    traits,
)
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, candidates, evidence_of, instant, is_address, whole_of
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import AssetRef, Finding, Observable, Technique
from davylamp.model.severity import Confidence, Severity

SHOWN = ("kind", "name", "command", "schedule", "user_name", "file_path", "file_line", "program_package_state")
SHOWN_COUNT = 300
TECHNIQUES = {
    "cron": Technique("T1053.003", "Scheduled Task/Job: Cron"),
    "at": Technique("T1053.002", "Scheduled Task/Job: At"),
    "systemd": Technique("T1543.002", "Create or Modify System Process: Systemd Service"),
    "timer": Technique("T1053.006", "Scheduled Task/Job: Systemd Timers"),
    "init": Technique("T1037.004", "Boot or Logon Initialization Scripts: RC Scripts"),
    "profile": Technique("T1546.004", "Event Triggered Execution: Unix Shell Configuration Modification"),
}


class FetchingPersistence(Detection):
    """Something that starts by itself fetches a program, hides it, or bears a miner's name.

    What it sees.
    Entries that start by themselves (cron of every kind, at, systemd units, timers and drop-ins, init scripts, shell
    profiles, udev, PAM, message of the day, other programs' hooks), and the scripts they run, whose text fetches a
    script and runs it, decodes a text and runs it, runs a file from a folder that anybody may write to or from a
    hidden one (also through a link), ends other miners, holds a miner's arguments or wallet, or bears a name that
    miners' items bear.

    Why it matters.
    Ending a miner without ending this brings it back within the minute; and it stays when the miner is gone for now.
    The entry tells since when, as whom, and where the rest comes from.

    How it decides.
    Each thing seen has a weight: a miner's arguments or wallet 6.0; a reported name 5.0; a script fetched from an
    address, an onion service or a paste site and run 4.5 (3.0 from a private network's address, which is how
    companies provision; 2.0 by HTTPS from a name, which is how installers are documented; 3.0 by anything else);
    decoded and run 4.0; fetched into a temporary or hidden place and run 4.0; ending other miners 3.5; run from a
    temporary folder 3.0, hidden there 4.5; run from a hidden folder outside homes 3.5, in a home 1.0. The strongest
    counts in full, others of another sort at 0.4; +1.0 when it runs at least every five minutes or, hidden in a home,
    at every boot (Kinsing: every minute; React2Shell: every five); -0.5 when a unit is not enabled, -1.5 for units
    that live in /run only until the next boot, which build systems make. Reported from 1.8 on (`least_llr`), at
    most 6.5. Files that a package brought and nobody changed are left out. Weights are judgements from reports; of
    1,125 shell scripts and units of a Debian 12 machine, judged as if no package owned them, one reached 1.8: bzexe,
    which unpacks into /tmp and runs from there.

    What it misses.
    A plain copy of a miner under an ordinary name in /usr/local/bin, started by an ordinary unit (its process is what
    other detections see); names and addresses put together by the script as it runs; binaries that fetch.

    What looks like it and is not.
    certbot, apt, sysstat, logrotate, ansible-pull and docker compose from cron; acme.sh and language version managers
    in hidden folders of homes; `find /tmp -delete`, locks and logs in /tmp; health checks that fetch and print; a
    company's own bootstrap that pipes curl into a shell does the same thing as an intruder's, and is reported low.

    What to do.
    Keep a copy of the entry and of what it fetches, then remove the entry (for a unit, disable and mask it) before
    ending the process, and look for other entries changed in the same minutes.

    References.
    https://attack.mitre.org/techniques/T1053/003/
    https://attack.mitre.org/techniques/T1543/002/
    """

    meta = DetectionMeta(
        uid="fetching_persistence",
        title="Something that starts by itself fetches or hides a program",
        group="host_identity",
        stage="persistence",
        severity=Severity.HIGH,
        techniques=tuple(sorted(TECHNIQUES.values())),
        reads=("startup_item",),
        references=("https://attack.mitre.org/techniques/T1053/003/", "https://attack.mitre.org/techniques/T1543/002/"),
    )
    params: ClassVar[Mapping[str, object]] = {}
    least_llr = 1.8

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding an entry: a unit with its timer, a table's owner, a user's profile."""
        keyed = [{**row, "entry": _entry(row)} for row in candidates_rows]
        for first, rows in candidates(keyed, "asset", "entry", "user_name"):
            seen = [_Seen(row, trait) for row in rows for trait in _traits(row)]
            llr = _llr(seen)
            if llr >= self.least_llr:
                yield self._finding(first, seen, llr)

    def _finding(self, first: Row, seen: Sequence[_Seen], llr: float) -> Finding:
        strongest = sorted(seen, key=lambda each: (-each.trait.llr, str(each.row["path"]), whole_of(each.row, "line")))
        lead = strongest[0].row
        words = list(dict.fromkeys(each.trait.words for each in strongest))
        where = f"{lead['file_path']}:{_line_of(strongest[0])}" if lead["file_line"] is not None else lead["file_path"]
        user = f" as {first['user_name']}" if first["user_name"] else ""
        when = f", {_schedule(lead)}" if lead["schedule"] else ""
        named = [host for each in strongest for host in hosts(str(each.row["command"]))]
        paths = sorted({str(each.row["file_path"]) for each in seen if each.row["file_path"]})
        return build_finding(
            self.meta,
            fact_key=f"{first['entry']}\x1f{first['user_name']}",
            assets=(AssetRef("host", str(first["asset"])),),
            because=f"{where} starts {_what(lead)}{user}{when}: {'; '.join(words[:3])}",
            first_seen=_since(strongest),
            last_seen=max(instant(each.row["time"]) for each in seen),
            llr=llr,
            confidence=Confidence.HIGH if llr >= 4 else Confidence.MEDIUM if llr >= 2.5 else Confidence.LOW,
            severity=None if llr >= 4 else Severity.MEDIUM if llr >= 2.5 else Severity.LOW,
            evidence=evidence_of(_cited(strongest), SHOWN),
            evidence_count=len({(each.row["path"], each.row["line"]) for each in seen}),
            observables=[
                *(Observable("ip" if is_address(host) else "domain", host) for host in named),
                *(Observable("file_name", path) for path in paths),
            ],
            entities=[f"ip:{host}" for host in named if is_address(host)],
        )


@dataclass(frozen=True)
class _Seen:
    row: Row
    trait: Trait


def _entry(row: Row) -> str:
    """A unit and its timer are one entry; so is a table of cron with the scripts it runs."""
    kind, name = str(row["kind"]), str(row["name"] or "")
    if kind.startswith("systemd_"):
        return f"systemd {name.rpartition('.')[0] or name}"
    return f"{kind} {name}"


def _traits(row: Row) -> list[Trait]:
    kind, schedule = str(row["kind"]), str(row["schedule"] or "")
    found = traits(str(row["command"]), kind)
    if row["program_path"]:  # where a link or a bare name led
        found += place_trait(str(row["program_path"]), kind)
    named = traits(str(row["name"] or ""), "name")
    found += [Trait(each.llr, each.name, each.words) for each in named if each.name == "name"]
    file_path = str(row["file_path"] or "")
    change = -0.5 if row["enabled"] is False else 0.0
    change += -1.5 if file_path.startswith(("/run/systemd/transient/", "/run/user/")) else 0.0
    hidden_home = [each for each in found if each.name == "place" and each.llr <= 1.0]
    change += 1.0 if found and (often(kind, schedule) or (hidden_home and schedule == "@reboot")) else 0.0
    return [Trait(each.llr + change, each.name, each.words, each.place) for each in found]


def _llr(seen: Sequence[_Seen]) -> float:
    strongest: dict[str, float] = {}
    for each in seen:
        strongest[each.trait.name] = max(each.trait.llr, strongest.get(each.trait.name, -9.0))
    ordered = sorted(strongest.values(), reverse=True)
    return round(min(6.5, ordered[0] + 0.4 * sum(max(each, 0.0) for each in ordered[1:])), 2) if ordered else 0.0


def _cited(seen: Sequence[_Seen]) -> list[Row]:
    """Each record once, its text cut to the line that was judged."""
    cited: dict[tuple[object, object], Row] = {}
    for each in seen:
        text = str(each.row["command"])
        begin = text.rfind("\n", 0, each.trait.place) + 1
        line = text[begin:].split("\n", 1)[0]
        skipped = max(0, each.trait.place - begin - SHOWN_COUNT // 3)
        shown = {**each.row, "command": line[skipped : skipped + SHOWN_COUNT], "file_line": _line_of(each)}
        cited.setdefault((each.row["path"], each.row["line"]), shown)
    return list(cited.values())


def _line_of(each: _Seen) -> int | None:
    line = each.row["file_line"]
    return line + str(each.row["command"]).count("\n", 0, each.trait.place) if isinstance(line, int) else None


def _what(row: Row) -> str:
    kind = {"profile": "at log-in", "cron": "by cron", "at": "by at", "init": "at boot", "motd": "at log-in"}.get(
        str(row["kind"]), "by itself"
    )
    return f"a program {kind}"


def _schedule(row: Row) -> str:
    schedule = " ".join(str(row["schedule"]).split())[:60]
    return {"* * * * *": "every minute", "@reboot": "at every boot"}.get(schedule, f"at {schedule}")


def _since(seen: Sequence[_Seen]) -> datetime:
    """When the strongest entry's file changed last; the look's own instant where that is not known, or is later."""
    changed, looked = seen[0].row["changed_at"], instant(seen[0].row["time"])
    return min(instant(changed), looked) if isinstance(changed, datetime) else looked
