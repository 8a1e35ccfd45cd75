"""The detection `resolver_drift`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from davylamp.kit.changes import changed_by, compared_with, host_asset, login_entities, new_since, started_by
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, candidates, evidence_of, instant
from davylamp.kit.metadata import DetectionMeta
from davylamp.kit.processes import process_finding, process_named
from davylamp.kit.resolvers import asks_openly, reach_of, unusual_modules
from davylamp.model.finding import Finding, Observable, Technique
from davylamp.model.severity import Confidence, Severity

SHOWN = ("need", "name", "value", "file_path", "resolver_name")
BYPASS_LLR = 1.5
VALUES_SHOWN_COUNT, VALUE_SHOWN_COUNT = 4, 120


@dataclass(frozen=True)
class _Told:
    row: Row
    weight: float
    words: str
    severity: Severity


class ResolverDrift(Detection):
    """Names are asked somewhere else than declared.

    What it sees.
    Resolvers, the order of name sources (nsswitch `hosts`) and routes that steer names or everything (default routes,
    halves of the address space, routes to a resolver alone) that are not in the host's approved baseline, or, without
    one, were not there at the first look; a public resolver that nobody knows and that DHCP did not give, on a host
    that has leases; processes that speak TLS to port 853, or HTTPS to a known public resolver that is not the host's.

    Why it matters.
    Hildegard, a miner's worm, rewrote the resolvers so that DNS monitoring saw nothing (ATT&CK S0601); a resolver of
    somebody else's can send any name anywhere; DNS over HTTPS hides the pool's name from every log of the site.

    How it decides.
    By value, against the baseline or the first look. A public resolver that nobody knows counts 1.0, a known public
    one 0.7, a private one 0.2, one that DHCP gave 0; a module of nsswitch that no distribution ships 1.0, any other
    change 0.3; a route to a resolver alone 0.7, half of the address space or all of it 0.3. Against a first look half
    of it. A resolver that no lease gave and nobody knows counts 0.7. A process that asks past the host's resolver
    counts 1.5, as in `foreign_resolver_use`, with which it shares its group. A log-in is named when it was the last one
    within ten minutes (`near_s`, as in `authorized_keys_rewritten`) before the file changed. Weights are judgements.

    What it misses.
    DNS over HTTPS to a server that nobody knows; a resolver behind the declared address; rewriting of packets by the
    firewall; settings inside containers; what was so when the baseline was approved, or at the first look.

    What looks like it and is not.
    Stubs on the host (127.0.0.53 and the like), a DHCP renewal, a laptop that moves: quiet without a baseline. A VPN
    brings private resolvers and halves of the address space: informational. Browsers and resolver daemons in system
    folders ask over HTTPS openly, and a program that upgrades to HTTPS at the host's own resolver hides nothing.

    What to do.
    Compare with what the host should ask, restore the file, and see what wrote it. `davylamp baseline diff` shows it.

    References.
    https://attack.mitre.org/software/S0601/
    https://attack.mitre.org/techniques/T1071/004/
    https://attack.mitre.org/techniques/T1572/
    """

    meta = DetectionMeta(
        uid="resolver_drift",
        title="Names asked elsewhere than declared",
        group="name",
        stage="impairment",
        severity=Severity.LOW,
        techniques=(
            Technique("T1071.004", "Application Layer Protocol: DNS"),
            Technique("T1572", "Protocol Tunneling"),
        ),
        reads=(
            "host_setting",
            "socket_usage",
            "declared_need",
            "process_activity",
            "file_activity",
            "authentication",
        ),
        references=("https://attack.mitre.org/software/S0601/",),
    )
    params: ClassVar[Mapping[str, object]] = {"near_s": 600}

    def could_look(self, facts: Facts) -> str:
        """One look is enough for resolvers that no lease gave, and for processes that ask past the host's own."""
        if facts.has_rows("host_setting") or facts.has_rows("socket_usage"):
            return ""
        return "no host_setting and no socket_usage evidence"

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding a host and sort of setting, and one a process that asks past the host's resolver."""
        for _, rows in candidates([row for row in candidates_rows if row["fact"] != "bypass"], "asset", "need"):
            told = [each for row in _last_of_each(rows) if (each := _told(row)) is not None]
            if told:
                yield self._of_setting(sorted(told, key=lambda each: (-each.weight, str(each.row["value"]))))
        asking = [row for row in candidates_rows if row["fact"] == "bypass"]
        for first, rows in candidates(asking, "asset", "process_pid", "process_started_at"):
            if not asks_openly(str(first["image_path"] or ""), str(first["process_name"] or "")):
                yield self._of_process(rows)

    def _of_setting(self, told: Sequence[_Told]) -> Finding:
        row = told[0].row
        rows = [each.row for each in told]
        shown = "; ".join(each.words for each in told[:VALUES_SHOWN_COUNT])
        more = f" and {len(told) - VALUES_SHOWN_COUNT} more" if len(told) > VALUES_SHOWN_COUNT else ""
        changed = changed_by(row, str(row["file_path"]))
        return build_finding(
            self.meta,
            fact_key=str(row["need"]),
            assets=(host_asset(row),),
            because=f"{row['asset']}: {shown}{more}; {_against(row)}" + (f"; {changed}" if changed else ""),
            first_seen=new_since(rows, "changed_at"),
            last_seen=max(instant(each["time"]) for each in rows),
            llr=round(told[0].weight, 2),
            confidence=Confidence.MEDIUM if isinstance(row["approved_at"], datetime) else Confidence.LOW,
            severity=max(each.severity for each in told),
            evidence=evidence_of(rows, SHOWN),
            observables={
                Observable("ip", str(each["value"]))
                for each in rows
                if each["need"] == "resolver" and reach_of(str(each["value"])) in ("public", "private")
            },
            entities=login_entities(row),
        )

    def _of_process(self, rows: Sequence[Row]) -> Finding:
        first = rows[0]
        asked = sorted({f"{row['value']} ({row['name']})" if row["name"] else str(row["value"]) for row in rows})
        ways = " and ".join(sorted({str(row["need"]) for row in rows}))
        said = started_by(first)
        return process_finding(
            self.meta,
            rows,
            fact_key="bypass",
            because=f"{process_named(first)} speaks {ways} to {', '.join(asked[:VALUES_SHOWN_COUNT])}, past the host's "
            "own resolver" + (f"; it was {said}" if said else ""),
            llr=BYPASS_LLR,
            columns=("need", "value", "resolver_name"),
            observables={Observable("ip", str(row["value"])) for row in rows},
            title="Resolver asked past the host's own",
        )


def _last_of_each(rows: Sequence[Row]) -> Iterable[Row]:
    last: dict[tuple[object, ...], Row] = {}
    for row in rows:
        key = (row["name"], row["value"])
        if key not in last or instant(row["time"]) > instant(last[key]["time"]):
            last[key] = row
    return last.values()


def _told(row: Row) -> _Told | None:
    """What a changed setting says; None for what changes by itself."""
    judged = {"resolver": _resolver, "name_source": _name_source}.get(str(row["need"]), _route)(row)
    if judged is None:
        return None
    weight, words, severity = judged
    return _Told(row, weight / 2 if row["fact"] == "new" else weight, words, severity)


def _resolver(row: Row) -> tuple[float, str, Severity] | None:
    address, reach = str(row["value"]), reach_of(str(row["value"]))
    if reach == "stub" or (row["fact"] == "new" and row["leased"] == 1):
        return None
    if row["fact"] == "unleased":
        return (0.7, f"resolver {address}", Severity.LOW) if reach == "public" else None
    if row["leased"] == 1:
        return 0.0, f"resolver {address}, given by DHCP", Severity.INFORMATIONAL
    if row["resolver_name"]:
        return 0.7, f"resolver {address} ({row['resolver_name']})", Severity.LOW
    if reach == "public":
        return 1.0, f"resolver {address}, no known public one", Severity.MEDIUM
    return 0.2, f"resolver {address}", Severity.INFORMATIONAL


def _name_source(row: Row) -> tuple[float, str, Severity] | None:
    if row["name"] != "hosts":
        return 0.0, f"{row['name']} {row['value']}", Severity.INFORMATIONAL
    value = str(row["value"])[:VALUE_SHOWN_COUNT]
    odd = unusual_modules(str(row["value"]))
    if odd:
        said = f"names are asked of {value}, and no distribution ships {odd[0][:VALUE_SHOWN_COUNT]}"
        return 1.0, said, Severity.MEDIUM
    return 0.3, f"names are asked of {value}", Severity.LOW


def _route(row: Row) -> tuple[float, str, Severity] | None:
    name, words = str(row["name"]), f"route {row['name']} {str(row['value'])[:VALUE_SHOWN_COUNT]}"
    if name.endswith("/0"):
        return None if row["fact"] == "new" else (0.3, words, Severity.LOW)
    if name.endswith("/1"):
        return 0.3, words, Severity.INFORMATIONAL
    return 0.7, f"{words}, to a resolver alone", Severity.LOW


def _against(row: Row) -> str:
    if row["fact"] == "unleased":
        return "no lease of DHCP gave it, and nobody knows it"
    lacks = "does not have" if isinstance(row["approved_at"], datetime) else "did not show"
    return f"{compared_with(row)} {lacks} it"
