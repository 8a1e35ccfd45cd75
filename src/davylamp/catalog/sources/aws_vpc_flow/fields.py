"""The fields of flow log formats: their names, the names other writers give them, and how to find them."""

from __future__ import annotations

import re
from collections.abc import Sequence

DEFAULT_FORMAT = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
)
_TEXTS = (
    "account-id interface-id instance-id vpc-id region srcaddr dstaddr pkt-srcaddr pkt-dstaddr protocol action"
    " log-status flow-direction tcp-flags"
)
TEXT_FIELDS = tuple(_TEXTS.split())
NUMBER_FIELDS = ("srcport", "dstport", "packets", "bytes", "start", "end")
# Fields that are known, tell a header from prose, and give no column.
_OTHER = (
    "version subnet-id type az-id sublocation-type sublocation-id pkt-src-aws-service pkt-dst-aws-service"
    " traffic-path ecs-cluster-arn ecs-cluster-name ecs-container-instance-arn ecs-container-instance-id"
    " ecs-container-id ecs-second-container-id ecs-service-name ecs-task-definition-arn ecs-task-arn ecs-task-id"
    " reject-reason resource-id encryption-status"
)
KNOWN_FIELDS = frozenset((*TEXT_FIELDS, *NUMBER_FIELDS, *_OTHER.split()))
# Tables made by older Athena and EMR recipes name the columns so.
_ALIASES = {
    "account": "account-id",
    "accountid": "account-id",
    "interfaceid": "interface-id",
    "instanceid": "instance-id",
    "vpcid": "vpc-id",
    "sourceaddress": "srcaddr",
    "destinationaddress": "dstaddr",
    "sourceport": "srcport",
    "destinationport": "dstport",
    "numpackets": "packets",
    "numbytes": "bytes",
    "starttime": "start",
    "start-time": "start",
    "endtime": "end",
    "end-time": "end",
    "logstatus": "log-status",
    "status": "log-status",
    "pktsrcaddr": "pkt-srcaddr",
    "pktdstaddr": "pkt-dstaddr",
    "flowdirection": "flow-direction",
    "tcpflags": "tcp-flags",
    "aws-account-id": "account-id",
    "aws-region": "region",
}
_NAME = re.compile(r"^[a-z][a-z0-9-]*$")
_STAMP = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$")
_ADDRESS = re.compile(r"^(?:-|[0-9a-fA-F:.]{2,45})$")
_ADDRESS_PAIRS = (("srcaddr", "dstaddr"), ("pkt-srcaddr", "pkt-dstaddr"))
_KNOWN_SHARE = 0.5


def canonical(name: str) -> str:
    """The documentation's name of a field, however the file writes it (`${srcaddr}`, `account_id`, `numbytes`)."""
    plain = name.strip().strip("${}").lower().replace("_", "-")
    return _ALIASES.get(plain, plain)


def has_address_pair(names: Sequence[str]) -> bool:
    """Whether records of these fields say who talked to whom."""
    return any(source in names and target in names for source, target in _ADDRESS_PAIRS)


def header_fields(line: str) -> tuple[str, ...]:
    """Canonical fields of a header line; empty when the line is none."""
    names = tuple(canonical(name) for name in line.split())
    if not all(_NAME.match(name) for name in names) or not has_address_pair(names):
        return ()
    known = sum(name in KNOWN_FIELDS for name in names)
    return names if known >= _KNOWN_SHARE * len(names) else ()


def is_stamped(line: str) -> bool:
    """Whether a time stamp of CloudWatch Logs stands before the record."""
    return _STAMP.match(line.partition(" ")[0]) is not None


def is_default_record(line: str) -> bool:
    """Whether a line without any header is a record of the default format."""
    parts = line.split()
    parts = parts[1:] if parts and _STAMP.match(parts[0]) else parts
    if len(parts) != len(DEFAULT_FORMAT.split()) or parts[0] != "2" or not parts[2].startswith("eni-"):
        return False
    numbers = all(part == "-" or part.isdigit() for part in parts[5:10])
    stamps = parts[10].isdigit() and parts[11].isdigit()
    return numbers and stamps and all(_ADDRESS.match(part) for part in parts[3:5])
