"""The detection `listening_port_drift`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar

from davylamp.kit.changes import compared_with, host_asset, login_entities, new_since, no_baseline, started_by
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, candidates, evidence_of, instant
from davylamp.kit.host_paths import hidden_part, is_temporary
from davylamp.kit.listening_ports import (
    RANDOM_FIRST,
    RANDOM_LAST,
    RESERVED_FIRST,
    is_passing,
    publishes_containers,
)
from davylamp.kit.metadata import DetectionMeta
from davylamp.kit.processes import process_finding, process_named
from davylamp.model.finding import Finding, Observable, Technique
from davylamp.model.severity import Confidence, Severity

REACH = ("loopback", "address", "any")
REACH_WORDS = {"any": "on every address", "address": "on one address", "loopback": "on loopback"}
WEIGHTS = {"any": 0.6, "address": 0.4, "loopback": 0.1}
SHOWN = ("protocol", "ip", "port", "exposure", "user_uid", "container_uid", "login_user_name")
PORTS_SHOWN_COUNT = 5


class ListeningPortDrift(Detection):
    """A program listens on a port that nobody declared.

    What it sees.
    Ports of the host that wait for connections or datagrams and are not in its approved baseline: the port is new, is
    reached from further away than approved, or is held by another program. Without a baseline for the host, the first
    look at it in the evidence stands in, and what appears after it is new.

    Why it matters.
    A port that nobody meant to open is a way in, or a way back in: a backdoor beside a miner, a management interface
    that answers the world. It is told with who holds it, since when, and in whose log-in session it was started.

    How it decides.
    A port is expected when the baseline has it for the same protocol, for as wide an exposure, and for the same
    program (paths are compared without versions and hashes) or for any. A `random` port of the baseline expects every
    port of the kernel's range for clients (`random_first` to `random_last`: ip_local_port_range's default; for RPC
    from `reserved_first` on) of the same program. One finding a process. The port says little of mining: 0.6 on every
    address, 0.4 on one, 0.1 on loopback; 0.9 more when the image lies in a temporary or hidden folder or in memory;
    half of it against a first look instead of a baseline; 0 where no owner is known, or where the owner only
    publishes a container's port. Weights are judgements. A log-in is named when it was the session's user's last one
    within a day (`session_s`) before the process started.

    What it misses.
    A backdoor behind a declared port of the same program; ports in containers' own network namespaces; packet sockets
    and knocking, which listen on no port; a port that was open when the baseline was approved, or at the first look.

    What looks like it and is not.
    DHCP and time clients, avahi, X11 and its forwarding, kubelet and its like, which open ports in the course of their
    work; random ports of editors and tests on loopback; ports of RPC and NFS that differ after each start. These stay
    quiet, by the image in a system folder. docker-proxy is reported against a baseline alone; declare it with port
    `any` where containers come and go.

    What to do.
    `davylamp baseline diff` shows it; stop what should not listen, or approve it with `davylamp baseline approve`.

    References.
    https://attack.mitre.org/techniques/T1571/
    https://www.kernel.org/doc/html/latest/networking/ip-sysctl.html
    """

    meta = DetectionMeta(
        uid="listening_port_drift",
        title="Listening port that nobody declared",
        group="posture",
        stage="persistence",
        severity=Severity.LOW,
        techniques=(Technique("T1571", "Non-Standard Port"), Technique("T1133", "External Remote Services")),
        reads=("listening_port", "declared_need", "process_activity", "authentication"),
        references=("https://attack.mitre.org/techniques/T1571/",),
    )
    params: ClassVar[dict[str, object]] = {
        "random_first": RANDOM_FIRST,
        "random_last": RANDOM_LAST,
        "reserved_first": RESERVED_FIRST,
        "session_s": 86400,
    }

    def could_look(self, facts: Facts) -> str:
        """A look at the ports, and something to compare it with: a baseline, or another look."""
        return super().could_look(facts) or no_baseline(facts, "listening_port")

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding a process, or a port whose owner is not known."""
        told = [{**row, "owner": _owner(row)} for row in _last_of_each(candidates_rows) if not _is_expected(row)]
        for first, rows in candidates(told, "asset", "owner"):
            ordered = sorted(rows, key=lambda row: (-REACH.index(_exposure(row)), str(row["protocol"]), row["port"]))
            yield self._of_process(ordered) if first["process_pid"] is not None else self._of_port(ordered)

    def _of_process(self, rows: Sequence[Row]) -> Finding:
        first = rows[0]
        odd = _odd(first)
        llr = WEIGHTS[_exposure(first)] + (0.9 if odd else 0.0)
        if publishes_containers(str(first["image_path"] or "")):
            llr = 0.0
        return process_finding(
            self.meta,
            rows,
            fact_key=f"{first['protocol']}/{first['port']}",
            because=f"{process_named(first)} listens on {_ports(rows)}, {_not_in(first)}{_what_it_is(first, odd)}",
            llr=llr if _approved(first) else llr / 2,
            first_seen=new_since(rows, "process_started_at"),
            severity=_severity(first, odd),
            columns=SHOWN,
            observables={Observable("port", str(row["port"])) for row in rows[:20]},
            entities=login_entities(first),
        )

    def _of_port(self, rows: Sequence[Row]) -> Finding:
        first = rows[0]
        return build_finding(
            self.meta,
            fact_key=f"{first['protocol']}/{first['port']}",
            assets=(host_asset(first),),
            because=f"somebody (user id {first['user_uid']}) listens on {_ports(rows)} of {first['asset']}, "
            f"{_not_in(first)}; which process holds it could not be seen",
            first_seen=min(instant(row["time"]) for row in rows),
            last_seen=max(instant(row["time"]) for row in rows),
            llr=0.0,
            confidence=Confidence.MEDIUM,
            severity=_severity(first, ""),
            evidence=evidence_of(rows, SHOWN),
            observables={Observable("port", str(first["port"]))},
        )


def _last_of_each(rows: Sequence[Row]) -> Iterable[Row]:
    """Of a port that several looks saw, what the last one saw."""
    last: dict[tuple[object, ...], Row] = {}
    for row in rows:
        key = (row["asset"], row["protocol"], row["port"], row["ip"])
        if key not in last or instant(row["time"]) > instant(last[key]["time"]):
            last[key] = row
    return last.values()


def _is_expected(row: Row) -> bool:
    image = str(row["image_path"] or "")
    port = row["port"] if isinstance(row["port"], int) else 0
    if is_passing(port, _exposure(row), image):
        return True
    return not _approved(row) and (publishes_containers(image) or row["random"] == 1)


def _owner(row: Row) -> str:
    pid = row["process_pid"]
    return f"{row['protocol']}/{row['port']}" if pid is None else f"{pid}@{row['process_started_at']}"


def _approved(row: Row) -> bool:
    return isinstance(row["approved_at"], datetime)


def _exposure(row: Row) -> str:
    return str(row["exposure"]) if row["exposure"] in REACH else "any"


def _odd(row: Row) -> str:
    """What is odd about where the owner's image is; empty when nothing is."""
    image = str(row["image_path"] or "")
    if row["image_state"] == "memory":
        return "in memory"
    if is_temporary(image):
        return "in a temporary folder"
    return "in a hidden folder" if hidden_part(image) else ""


def _what_it_is(row: Row, odd: str) -> str:
    image = f"; it runs {row['image_path']}{f', {odd},' if odd else ''}" if row["image_path"] else "; it"
    said = started_by(row)
    return f"{image}{' and' if row['image_path'] else ''} was {said}" if said else image if row["image_path"] else ""


def _severity(row: Row, odd: str) -> Severity:
    if odd and _exposure(row) != "loopback":
        return Severity.MEDIUM
    return Severity.INFORMATIONAL if _exposure(row) == "loopback" else Severity.LOW


def _ports(rows: Sequence[Row]) -> str:
    named = list(dict.fromkeys(f"{row['protocol']} {row['port']} {REACH_WORDS[_exposure(row)]}" for row in rows))
    more = len(named) - PORTS_SHOWN_COUNT
    return ", ".join(named[:PORTS_SHOWN_COUNT]) + (f" and {more} more" if more > 0 else "")


def _not_in(row: Row) -> str:
    compared = compared_with(row)
    if row["widened"] == 1:
        return f"which {compared} has for nearer peers only"
    if row["known_image_path"]:
        return f"which {compared} has for {row['known_image_path']}"
    return f"which {compared} does not have" if _approved(row) else f"which was not open at {compared}"
