"""The detection `audit_trail_impaired`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from davylamp.catalog.detections.audit_trail_impaired.blinding import Blinding, blinding_of
from davylamp.kit.audit import (
    audit_finding,
    called_by,
    failed,
    first_text,
    listed,
    request,
    response,
    spells,
    text_of,
    texts,
)
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import candidates, instant
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import Finding, Technique
from davylamp.model.severity import Severity

TEARDOWN = timedelta(hours=1)
MAKING = frozenset({"CreateTrail", "CreateFlowLogs", "CreateDetector"})
_ABSENT = re.compile(r"NoSuch|NotFound|DoesNotExist|InvalidTrailName|InvalidFlowLogId")


class AuditTrailImpaired(Detection):
    """Somebody closed an eye: audit trail, threat detector, flow or DNS log, recorder, cost alarm.

    What it sees.
    Calls that stop, delete or narrow what records and watches an account: CloudTrail (stop, delete, fewer events or
    regions, trails that expire within a week), GuardDuty (detector off or deleted, members let go, findings
    archived by a filter, trusted addresses), VPC flow logs, Route 53 query logs, access logs of buckets, AWS
    Config, audit log groups, alarms and budgets on cost and CPU, Security Hub, Macie, leaving the organisation. One
    finding per account, principal and eye.

    Why it matters.
    After it, absence of evidence is no evidence of absence: this tool sees less too. Miners close the eyes that
    would count machines or watch names looked up.

    How it decides.
    Every such call is reported, calls more than a day apart each on their own. The likelihood ratio (natural log)
    is a judgement per call, between 1.5 (the log of one bucket) and 4.5 (the detector), written in a table beside
    this page: these are generic acts of intruders and rare acts of owners. 1.5 less when every call was refused;
    what is left below 0.5 (`least_llr`) is not reported. 2.5 less for flow and DNS logs when the principal deleted
    a network (DeleteVpc) within an hour (`TEARDOWN`), and 1 less when CloudFormation called: teardown of a stack
    takes its logs with it. 3 less when the principal itself had made what it took away (trail, flow log, detector):
    what was not there before it came never watched it. +0.5 for three eyes closed by one principal. UpdateTrail,
    PutEventSelectors, UpdateDetector, UpdateMacieSession, PutBucketLogging, filters, log groups and alarms count
    only when the request narrows, switches off, pauses, archives, or names audit records or cost.

    A call refused because the thing did not exist closed nothing and is not reported.

    What it misses.
    Eyes closed from another account (an organisation's administrator); encryption of the bucket with a key one
    cannot use; changes before the evidence begins; trails that never were.

    What looks like it and is not.
    Creating or widening a trail; tearing down a network or a test stack; moving GuardDuty to a new administrator
    account.

    What to do.
    Switch it on again first. Then look at everything the principal did since, in sources that do not depend on it.

    References.
    https://attack.mitre.org/techniques/T1562/008/
    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_StopLogging.html
    """

    meta = DetectionMeta(
        uid="audit_trail_impaired",
        title="Audit or watch impaired",
        group="audit",
        stage="impairment",
        severity=Severity.HIGH,
        techniques=(
            Technique("T1562.008", "Impair Defenses: Disable or Modify Cloud Logs"),
            Technique("T1562.001", "Impair Defenses: Disable or Modify Tools"),
        ),
        reads=("api_activity",),
        references=("https://attack.mitre.org/techniques/T1562/008/",),
    )
    params: ClassVar[Mapping[str, object]] = {"rows_count": 100}
    least_llr = 0.5

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per account, principal, eye closed and spell of doing so."""
        for _, rows in candidates(candidates_rows, "account", "principal"):
            by_eye: dict[str, list[tuple[Row, Blinding]]] = {}
            for row in rows:
                blinding = blinding_of(row)
                if blinding is not None and not _ABSENT.search(text_of(row, "error_code")):
                    by_eye.setdefault(blinding.eye, []).append((row, blinding))
            torn = [row for row in rows if row["operation"] == "DeleteVpc" and not failed(row)]
            own = _made(rows)
            closed = {eye for eye, acts in by_eye.items() if not _undone(acts, own)}
            for eye in sorted(by_eye):
                for index, acts in enumerate(spells(sorted(by_eye[eye], key=_acted_at), _acted_at)):
                    llr = _llr(eye, acts, torn, many=len(closed) >= 3) - (0.0 if eye in closed else 3.0)
                    if llr >= self.least_llr:
                        yield self._finding(eye, f"{eye}|{index}" if index else eye, acts, llr)

    def _finding(self, eye: str, fact_key: str, acts: Sequence[tuple[Row, Blinding]], llr: float) -> Finding:
        rows = [row for row, _ in acts]
        done = [pair for pair in acts if not failed(pair[0])]
        acted = listed(blinding.did for _, blinding in done or acts)
        named = listed(_target(row) for row in rows)
        refused = listed(text_of(row, "error_code") for row in rows if failed(row))
        tried = "" if done else "tried this and was refused: "
        return audit_finding(
            self.meta,
            rows,
            fact_key=fact_key,
            title=f"Impaired: {eye}",
            because=f"{called_by(rows[0])} {tried}{acted}"
            + (f": {named}" if named else "")
            + (f" ({len(rows) - len(done)} of {len(rows)} calls refused: {refused})" if refused else "")
            + ".",
            llr=llr,
            severity=Severity.MEDIUM if not done or llr < 3 else None,
        )


def _acted_at(act: tuple[Row, Blinding]) -> datetime:
    return instant(act[0]["time"])


def _llr(eye: str, acts: Sequence[tuple[Row, Blinding]], torn: Sequence[Row], many: bool) -> float:
    rows = [row for row, _ in acts]
    done = [pair for pair in acts if not failed(pair[0])]
    llr = max(blinding.llr for _, blinding in done or acts)
    llr -= 0.0 if done else 1.5
    llr -= 2.5 if eye in ("flow logs", "DNS query log") and _torn_down(rows, torn) else 0.0
    llr -= 1.0 if all(text_of(row, "src_ip") == "cloudformation.amazonaws.com" for row in rows) else 0.0
    return llr + (0.5 if many and done else 0.0)


def _torn_down(rows: Sequence[Row], torn: Sequence[Row]) -> bool:
    return all(any(abs(instant(row["time"]) - instant(vpc["time"])) <= TEARDOWN for vpc in torn) for row in rows)


def _made(rows: Sequence[Row]) -> set[str]:
    """Names and ids of trails, flow logs and detectors that the principal made."""
    made: set[str] = set()
    for row in rows:
        if text_of(row, "operation") in MAKING and not failed(row):
            made |= set(texts(request(row), "name"))
            made |= set(texts(response(row), "trailARN", "item", "flowLogId", "flowLogIds", "detectorId"))
    return made


def _undone(acts: Sequence[tuple[Row, Blinding]], own: set[str]) -> bool:
    """Whether every act took away what the principal had made itself."""
    named = [set(texts(request(row), "name", "flowLogId", "content", "detectorId")) for row, _ in acts]
    return bool(own) and all(targets and targets <= own for targets in named)


def _target(row: Row) -> str:
    names = ("name", "trailName", "detectorId", "flowLogId", "resolverQueryLogConfigId", "logGroupName", "alarmNames")
    named = first_text(request(row), *names, "budgetName", "bucketName", "configurationRecorderName")
    return named.rpartition("/")[2] if named.startswith("arn:") else named
