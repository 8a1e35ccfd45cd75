"""The source for Route 53 Resolver query logs."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import ClassVar

from davylamp.kit.addresses import with_address
from davylamp.kit.metadata import SourceMeta
from davylamp.kit.sample import Sample
from davylamp.kit.source import SqlPlan, SqlSource

_PLAIN = "WITH texts AS (SELECT text, line, byte_offset FROM records),\n"
# Inside a message of CloudWatch Logs the same keys are written with escaped quotation marks.
_KEY = r'\\?"{}\\?"\s*:'
_NEEDED = tuple(re.compile(_KEY.format(key)) for key in ("query_timestamp", "query_name", "query_type", "vpc_id"))
_CARRIED = re.compile(r'\\"query_timestamp\\"\s*:')
_SURE = 0.95


class AwsRoute53Resolver(SqlSource):
    """Reads the query logs of Amazon Route 53 Resolver.

    What it reads.
    JSON lines as the resolver writes them to S3 or Firehose, arrays and single records, and records inside the
    messages of CloudWatch Logs exports and subscriptions; with the fields of DNS Firewall where a rule spoke.

    What it gives.
    `dns_activity`: one row a question, with the answers (aliases first, in the order of the chain), the response
    code, who asked (address, instance, network) and what the firewall did. `device_inventory`: for each instance
    the addresses it asked from, from its first question on.

    What it leaves out.
    The resolver's own address is not in the log, so `resolver_ip` is null. The resolver logs no question that it
    answers from its cache, so counts of questions are lower bounds. For a question through an inbound endpoint the
    asking machine is known by its address alone. A record with an address or port that is none is a reject.

    References.
    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resolver-query-logs-format.html
    """

    meta: ClassVar[SourceMeta] = SourceMeta(
        uid="aws_route53_resolver",
        title="Route 53 Resolver query logs",
        formats=("JSON lines", "JSON", "CloudWatch Logs"),
        event_classes=("dns_activity", "device_inventory"),
        references=("https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resolver-query-logs-format.html",),
    )

    def recognize(self, sample: Sample) -> float:
        """Sure when the keys that every record of this log has are there."""
        if not sample.starts_json:
            return 0.0
        return _SURE if all(key.search(sample.text) for key in _NEEDED) else 0.0

    def plan(self, sample: Sample, modified_at: datetime) -> SqlPlan:
        """The plan: records are parsed once into `staged`, which feeds both classes."""
        texts = _sql("wrapped") if _CARRIED.search(sample.text) else _PLAIN
        return SqlPlan(
            relation="json_records",
            staged=texts + with_address(_sql("staged")),
            staged_class="dns_activity",
            selects={"device_inventory": _sql("device_inventory")},
        )


@cache
def _sql(name: str) -> str:
    return (Path(__file__).parent / f"{name}.sql").read_text(encoding="utf-8")
