"""The source for AWS CloudTrail."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import ClassVar

from davylamp.kit.addresses import with_address
from davylamp.kit.metadata import SourceMeta
from davylamp.kit.sample import Sample
from davylamp.kit.source import SqlPlan, SqlSource

_PLAIN = "WITH texts AS (SELECT text, line, byte_offset FROM records),\n"
_LISTS = ("Events", "logEvents", "events", "QueryResultRows")
_CARRIERS = ("event", "detail", "message", "CloudTrailEvent", "eventJson", "original")
# Possessive, so that a head of nothing but blanks takes linear time.
_LEAD = re.compile(r'\s*+(?:\{\s*+"(?:[Rr]ecords|[Ee]vents)"\s*+:\s*+)?\[?\s*+(?=\{)')
_BETWEEN = re.compile(r"[\s,]*+")
_LOOKED_AT_COUNT = 20
_SURE, _LIKELY = 0.95, 0.7


class AwsCloudtrail(SqlSource):
    """Reads AWS CloudTrail events, however they were delivered.

    What it reads.
    Log files as CloudTrail delivers them (`{"Records": [...]}`), arrays, JSON lines, single events, and events inside
    what carries them: EventBridge (`detail`), CloudWatch Logs (`message`, `logEvents`), the answer of
    `aws cloudtrail lookup-events` (`CloudTrailEvent`), rows of a CloudTrail Lake query for `eventJson`, exports of
    CloudWatch Logs (a time stamp before each event), and stores of other tools (`event`, `event.original`).

    What it gives.
    `api_activity`: one row an event. `actor` is the identity's ARN, which for an assumed role names role and session;
    where an event has no ARN it is put together from the session's issuer. `resources` holds the ARNs that the event
    lists and the instance ids of request and answer. `device_inventory`: one row for each address of each instance
    that a RunInstances answer names, and one for each instance that a TerminateInstances answer names. `src_ip` is what
    the event says: services stand there by their names, and stores that hide addresses write some that are none
    (`035.249.253.232`), which takes nothing from the call itself.

    What it leaves out.
    Insight events (a statement about a rate of calls) and digest files (they vouch for log files) are no calls: a note
    says so, and among events they are rejects. Console sign-ins are calls of `signin.amazonaws.com` here, not
    authentications. Instances launched in ways whose answer names none (a fleet request) are known only from their own
    RunInstances.

    References.
    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-examples.html
    """

    meta: ClassVar[SourceMeta] = SourceMeta(
        uid="aws_cloudtrail",
        title="AWS CloudTrail",
        formats=("Records array", "JSON lines", "JSON", "lookup-events answer", "EventBridge", "CloudWatch Logs"),
        event_classes=("api_activity", "device_inventory"),
        references=(
            "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html",
        ),
    )

    def recognize(self, sample: Sample) -> float:
        """Sure when one of the first records is an event; likely when the text of a cut record looks like one."""
        if not sample.starts_json:
            return 0.0
        records = list(_first_records(sample))
        if any(_is_ours(event) for record in records for event in (record, *_carried(record))):
            return _SURE
        # A first record longer than the sample, or a damaged one, shows only its text. The answer to a query of
        # CloudTrail Lake is one such record, with the events as JSON in strings.
        text = sample.text
        return _LIKELY if not records and (_shows_event(text) or _shows_event(text.replace('\\"', '"'))) else 0.0

    def plan(self, sample: Sample, modified_at: datetime) -> SqlPlan:
        """The plan: events are parsed once into `staged`, which feeds both classes."""
        records = list(_first_records(sample))
        bare = any(map(_is_ours, records)) if records else _shows_event(sample.text)
        asides = tuple(note for note, is_said in _ASIDES.items() if records and all(map(is_said, records)))
        return SqlPlan(
            relation="json_records",
            staged=(_PLAIN if bare else _sql("wrapped")) + _sql("staged") + (_WITHOUT_ASIDES if asides else ""),
            notes=asides,
            staged_class="api_activity",
            selects={"device_inventory": with_address(_sql("device_inventory"))},
        )


def _is_digest(record: Mapping[str, object]) -> bool:
    return "digestStartTime" in record and "logFiles" in record


def _is_insight(record: Mapping[str, object]) -> bool:
    return record.get("eventType") == "AwsCloudTrailInsight"


# What CloudTrail delivers beside its events, in files of their own; among events they are rejects.
_ASIDES = {
    "a digest of CloudTrail vouches for log files and holds no event": _is_digest,
    "insight events of CloudTrail state a rate of calls and are no calls": _is_insight,
}
_WITHOUT_ASIDES = """WHERE event IS NULL OR (event.digestStartTime IS NULL
  AND coalesce(event.eventCategory, '') <> 'Insight' AND coalesce(event.eventType, '') <> 'AwsCloudTrailInsight')
"""


def _is_ours(record: Mapping[str, object]) -> bool:
    if _is_digest(record) or _is_insight(record):
        return True
    source = record.get("eventSource")
    # Notifications of S3 and records of streams have the same keys; their source is `aws:s3`, not a host name.
    return "eventName" in record and isinstance(source, str) and "." in source and not source.startswith("aws:")


def _shows_event(text: str) -> bool:
    shown = '"eventName"' in text and '"userIdentity"' in text
    return shown and re.search(r'"eventSource"\s*:\s*"[^":]+\.com"', text) is not None


def _first_records(sample: Sample) -> Iterator[dict[str, object]]:
    text = sample.text
    lead = _LEAD.match(text)
    records = list(_decoded(text, lead.end(), _LOOKED_AT_COUNT)) if lead else []
    # Later lines speak for JSON lines whose first line is damaged.
    for line in sample.lines[1:_LOOKED_AT_COUNT] if len(records) < 2 else ():
        records += _decoded(line)
    yield from (record for record in records if isinstance(record, dict))


def _decoded(text: str, begin: int = 0, most_count: int = 1) -> Iterator[object]:
    """The JSON objects that stand one after another in a text, as many as are whole."""
    for _ in range(most_count):
        if not text.startswith("{", begin):
            return
        try:
            found, end = json.JSONDecoder().raw_decode(text, begin)
        except (ValueError, RecursionError):
            return
        yield found
        after = _BETWEEN.match(text, end)
        begin = after.end() if after else end


def _carried(record: Mapping[str, object]) -> Iterator[dict[str, object]]:
    """The events that a record of another kind carries, as objects or as JSON text."""
    members = [record.get(name) for name in _CARRIERS]
    for name in _LISTS:
        items = record.get(name)
        if isinstance(items, list):
            first = items[0] if items and isinstance(items[0], list) else items[:1]
            members += [item.get(key) for item in first if isinstance(item, dict) for key in _CARRIERS]
    members += [member.get("original") for member in members if isinstance(member, dict)]
    for member in members:
        event = next(_decoded(member), None) if isinstance(member, str) else member
        if isinstance(event, dict):
            yield event


@cache
def _sql(name: str) -> str:
    return (Path(__file__).parent / f"{name}.sql").read_text(encoding="utf-8")
