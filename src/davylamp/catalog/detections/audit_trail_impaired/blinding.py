"""Which call blinds which eye, and how telling that is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from davylamp.kit.audit import first_text, number, request, text_of, texts, walk
from davylamp.kit.detection import Row

_AUDIT_NAME = re.compile(
    r"cloudtrail|trail|flow|resolver|route53|guardduty|audit|secur|waf|/eks/|authpriv|syslog", re.I
)
_WATCHING_NAME = re.compile(r"bill|cost|charge|spend|budget|cpu|secur|unauth|root|iam|guardduty|trail", re.I)


@dataclass(frozen=True, slots=True)
class Blinding:
    """What a call does to an eye.

    Args:
        eye: what stops seeing; calls on the same eye make one finding.
        did: what was done, for the sentence.
        llr: natural log of the likelihood ratio when the call succeeds.
    """

    eye: str
    did: str
    llr: float


def _narrowed_trail(row: Row) -> bool:
    asked = request(row)
    narrowing = ("includeGlobalServiceEvents", "isMultiRegionTrail", "enableLogFileValidation")
    return any(first_text(asked, name) == "false" for name in narrowing)


def _narrowed_selectors(row: Row) -> bool:
    asked = request(row)
    if "false" in texts(asked, "includeManagementEvents") and "true" not in texts(asked, "includeManagementEvents"):
        return True
    kinds = texts(asked, "readWriteType")
    return bool(kinds) and "All" not in kinds and "WriteOnly" not in kinds


def _detector_off(row: Row) -> bool:
    return first_text(request(row), "enable") == "false"


def _archives(row: Row) -> bool:
    return first_text(request(row), "action").upper() == "ARCHIVE"


def _trusted_addresses(row: Row) -> bool:
    return "guardduty" in text_of(row, "service") and first_text(request(row), "activate") != "false"


def _audit_log(row: Row) -> bool:
    return _AUDIT_NAME.search(first_text(request(row), "logGroupName")) is not None


def _watching_alarm(row: Row) -> bool:
    return any(_WATCHING_NAME.search(name) for name in texts(request(row), "alarmNames", "alarms"))


def _expires_trail(row: Row) -> bool:
    """Seven days: shorter than any response, and than the delay of most bills."""
    asked = request(row)
    days = [number(text) for text in texts(asked, "days") if number(text)]
    return bool(days) and min(days) <= 7 and _AUDIT_NAME.search(first_text(asked, "bucketName")) is not None


def _bucket_log_off(row: Row) -> bool:
    """A status without a target bucket switches the log off; a request without any status says nothing."""
    keys = {key for key, _ in walk(request(row))}
    return "BucketLoggingStatus" in keys and "LoggingEnabled" not in keys


def _paused(row: Row) -> bool:
    return first_text(request(row), "status").upper() == "PAUSED"


def _always(row: Row) -> bool:
    return True


_Rule = tuple[str, Blinding, Callable[[Row], bool]]


def _rule(service: str, eye: str, did: str, llr: float, when: Callable[[Row], bool] = _always) -> _Rule:
    return service, Blinding(eye, did, llr), when


RULES: Mapping[str, _Rule] = {
    "StopLogging": _rule("cloudtrail", "audit trail", "stopped the audit trail", 4.0),
    "DeleteTrail": _rule("cloudtrail", "audit trail", "deleted the audit trail", 4.0),
    "UpdateTrail": _rule("cloudtrail", "audit trail", "narrowed the audit trail", 3.0, _narrowed_trail),
    "PutEventSelectors": _rule("cloudtrail", "audit trail", "narrowed what is recorded", 3.0, _narrowed_selectors),
    "DeleteEventDataStore": _rule("cloudtrail", "audit trail", "deleted the event store", 3.5),
    "StopEventDataStoreIngestion": _rule("cloudtrail", "audit trail", "stopped the event store", 3.5),
    "PutBucketLifecycle": _rule("s3", "audit trail", "let stored trails expire within days", 3.0, _expires_trail),
    "PutBucketLifecycleConfiguration": _rule(
        "s3", "audit trail", "let stored trails expire within days", 3.0, _expires_trail
    ),
    "PutBucketLogging": _rule("s3", "bucket log", "switched a bucket's access log off", 1.5, _bucket_log_off),
    "DeleteFlowLogs": _rule("ec2", "flow logs", "deleted flow logs", 3.5),
    "DeleteDetector": _rule("guardduty", "threat detector", "deleted the threat detector", 4.5),
    "UpdateDetector": _rule("guardduty", "threat detector", "switched the threat detector off", 4.5, _detector_off),
    "CreateFilter": _rule("guardduty", "threat detector", "filtered findings away", 3.0, _archives),
    "UpdateFilter": _rule("guardduty", "threat detector", "filtered findings away", 3.0, _archives),
    "CreateIPSet": _rule("guardduty", "threat detector", "declared addresses trusted", 2.0, _trusted_addresses),
    "DisassociateFromAdministratorAccount": _rule("guardduty", "threat detector", "left the watching account", 4.0),
    "DisassociateFromMasterAccount": _rule("guardduty", "threat detector", "left the watching account", 4.0),
    "DisassociateMembers": _rule("guardduty", "threat detector", "let watched accounts go", 3.5),
    "DeleteMembers": _rule("guardduty", "threat detector", "let watched accounts go", 3.5),
    "StopMonitoringMembers": _rule("guardduty", "threat detector", "stopped watching member accounts", 4.0),
    "DisableOrganizationAdminAccount": _rule("guardduty", "threat detector", "removed the watching account", 4.0),
    "DeletePublishingDestination": _rule("guardduty", "threat detector", "cut the findings' way out", 3.0),
    "DeleteResolverQueryLogConfig": _rule("route53resolver", "DNS query log", "deleted the DNS query log", 4.0),
    "DisassociateResolverQueryLogConfig": _rule("route53resolver", "DNS query log", "cut off the DNS query log", 3.5),
    "StopConfigurationRecorder": _rule("config", "configuration recorder", "stopped the recorder", 3.0),
    "DeleteConfigurationRecorder": _rule("config", "configuration recorder", "deleted the recorder", 3.0),
    "DeleteDeliveryChannel": _rule("config", "configuration recorder", "deleted the recorder's channel", 3.0),
    "DeleteLogGroup": _rule("logs", "log store", "deleted a log group of audit records", 2.5, _audit_log),
    "DeleteLogStream": _rule("logs", "log store", "deleted a log stream of audit records", 2.5, _audit_log),
    "DeleteAlarms": _rule(
        "monitoring", "alarms", "deleted alarms that watch cost, CPU or access", 2.0, _watching_alarm
    ),
    "DisableAlarmActions": _rule(
        "monitoring", "alarms", "silenced alarms on cost, CPU or access", 2.0, _watching_alarm
    ),
    "DeleteBudget": _rule("budgets", "cost alarms", "deleted a budget", 2.5),
    "DeleteAnomalyMonitor": _rule("ce", "cost alarms", "deleted the cost monitor", 3.0),
    "DeleteAnomalySubscription": _rule("ce", "cost alarms", "deleted the cost monitor's subscription", 3.0),
    "DisableSecurityHub": _rule("securityhub", "security hub", "switched Security Hub off", 3.0),
    "BatchDisableStandards": _rule("securityhub", "security hub", "switched security standards off", 2.0),
    "DeleteAnalyzer": _rule("access-analyzer", "access analyser", "deleted the access analyser", 2.5),
    "DisableMacie": _rule("macie", "data watch", "switched Macie off", 2.5),
    "UpdateMacieSession": _rule("macie", "data watch", "paused Macie", 2.5, _paused),
    "LeaveOrganization": _rule("organizations", "organisation", "took the account out of its organisation", 4.0),
}


def blinding_of(row: Row) -> Blinding | None:
    """What the call does to an eye, None when it leaves every eye open."""
    rule = RULES.get(text_of(row, "operation"))
    if rule is None:
        return None
    service, blinding, when = rule
    return blinding if text_of(row, "service").startswith(service) and when(row) else None
