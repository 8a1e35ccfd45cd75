"""The AWS sources: what a small case file cannot hold (long series, hostile heads, one record in many formats)."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from davylamp.app.scan import ScanRequest, ScanResult, scan
from davylamp.catalog.sources.aws_vpc_flow.fields import canonical, header_fields
from davylamp.catalog.sources.metric_series.header import read_table, says_cpu
from davylamp.kit import registry
from davylamp.kit.sample import SAMPLE_BYTES, Sample

UNITS = ("aws_cloudtrail", "aws_route53_resolver", "aws_vpc_flow", "metric_series")


def _scanned(file: Path) -> ScanResult:
    return scan(ScanRequest(paths=(str(file),), case_folder=file.parent / "case", assets_file=None, units=frozenset()))


def test_one_damaged_sample_does_not_cost_a_series(tmp_path: Path) -> None:
    file = tmp_path / "cpu.csv"
    rows = (f"{1740830400 + 300 * index},{65535 if index == 600 else 10 + index % 7}\n" for index in range(1100))
    file.write_text("timestamp,value\n" + "".join(rows))
    [row] = _scanned(file).document["coverage"]
    assert row["event_classes"] == {"resource_usage": 1099}
    assert [reject["line"] for reject in row["rejects"]] == [602]


@pytest.mark.parametrize("form", ["lookup-events", "lookup-events, indented", "filter-log-events", "CloudTrail Lake"])
def test_an_answer_longer_than_what_recognition_sees_is_read(tmp_path: Path, form: str) -> None:
    events = [_event(index) for index in range(400)]
    texts = [json.dumps(event) for event in events]
    answer: dict[str, object]
    if form == "filter-log-events":
        answer = {"events": [{"timestamp": 1, "message": text} for text in texts], "nextToken": "t"}
    elif form == "CloudTrail Lake":
        answer = {"QueryStatus": "FINISHED", "QueryResultRows": [[{"eventJson": text}] for text in texts]}
    else:
        answer = {"Events": [{"EventName": "RunInstances", "CloudTrailEvent": text} for text in texts]}
    file = tmp_path / "answer.json"
    file.write_text(json.dumps(answer, indent=4 if form.endswith("indented") else None))
    assert file.stat().st_size > SAMPLE_BYTES
    [row] = _scanned(file).document["coverage"]
    assert (row["source"], row["rejected_count"]) == ("aws_cloudtrail", 0)
    assert row["event_classes"] == {"api_activity": 400}


def _event(index: int) -> dict[str, object]:
    return {
        "eventVersion": "1.09",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/a", "accountId": "111122223333"},
        "eventTime": f"2026-01-02T03:{index // 60 % 60:02d}:{index % 60:02d}Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": "DescribeInstances",
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "198.51.100.7",
        "requestParameters": {"maxResults": index},
        "eventID": f"e-{index}",
    }


def test_a_series_of_bytes_that_is_mostly_small_is_no_cpu(tmp_path: Path) -> None:
    file = tmp_path / "disk.csv"
    rows = (f"{1740830400 + 300 * index},{5e8 if index % 50 == 7 else 0.0}\n" for index in range(1000))
    file.write_text("timestamp,value\n" + "".join(rows))
    [row] = _scanned(file).document["coverage"]
    assert row["event_classes"].get("resource_usage", 0) == 0
    assert row["rejected_count"] == 0
    assert "1000 samples were left out" in row["reason"]


def test_a_series_of_ratios_is_told_to_look_like_one(tmp_path: Path) -> None:
    file = tmp_path / "web1.csv"
    file.write_text("time,cpu_usage\n" + "".join(f"{1740830400 + 300 * index},0.{index:03d}\n" for index in range(900)))
    [row] = _scanned(file).document["coverage"]
    assert row["event_classes"] == {"resource_usage": 900}
    assert "no sample exceeds 1" in row["reason"]


def test_lost_records_show_in_the_coverage(tmp_path: Path) -> None:
    file = tmp_path / "flows"
    file.write_text("2 1 eni-1 - - - - - - - 1740830520 1740830580 - SKIPDATA\n" * 3)
    [row] = _scanned(file).document["coverage"]
    assert row["source"] == "aws_vpc_flow"
    assert row["rejected_count"] == 3
    assert row["rejects"][0]["reason"].startswith("SKIPDATA")


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("CPUUtilization", True),
        ("accounting-db CPUUtilization", True),
        ("i-0aaaaaaaaaaaaaaa1 CPU Utilization (template host)", True),
        ("CPUCreditBalance", False),
        ("CPUSurplusCreditsCharged", False),
        ("cpu_usage_idle", False),
        ("NetworkIn", False),
    ],
)
def test_labels_say_cpu(label: str, expected: bool) -> None:
    assert says_cpu(label) is expected


@pytest.mark.parametrize("label", ["AWS/EC2 CPUUtilization Average", "cpu", "cpu_percent", "CPU usage"])
def test_a_label_that_only_names_the_metric_names_no_series(label: str) -> None:
    table = read_table([f"time,{label}", "2025-03-01T12:00:00Z,1.5"])
    assert table is not None
    assert table.values[0].series == ""


def test_field_names_of_every_writer_are_one() -> None:
    assert {canonical(name) for name in ("${srcaddr}", "srcaddr", "SrcAddr", "sourceaddress")} == {"srcaddr"}
    assert header_fields("version srcaddr dstaddr start end pkt_srcaddr new-field")[-2:] == ("pkt-srcaddr", "new-field")
    assert header_fields("the srcaddr and dstaddr fields of a flow log name who talked") == ()


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(
    "head",
    [
        b" " * SAMPLE_BYTES + b"[",
        b'{"Records":' + b" " * SAMPLE_BYTES,
        b"[" * SAMPLE_BYTES,
        b'{"a":' * 12000,
        b'{"message"' * 6000,
        b"time," + b"cpu_" * 15000 + b"\n2025-03-01 12:00:00,1\n",
        b"time,cpu" + b"_" * 60000 + b"\n2025-03-01 12:00:00,1\n",
        b'"' * SAMPLE_BYTES,
        b"srcaddr " * 8000 + b"\n",
        b'{"eventSource": "' + b"a." * 30000,
    ],
    ids=range(10),
)
def test_recognition_is_quick_on_hostile_heads(unit: str, head: bytes) -> None:
    [source] = [each for each in registry.sources() if each.meta.uid == unit]
    began_s = time.process_time()
    for whole in (True, False):
        source.recognize(Sample("x", head[:SAMPLE_BYTES], whole=whole))
    # Linear work on 64 KiB takes milliseconds; quadratic work took minutes.
    assert time.process_time() - began_s < 2


def test_the_same_call_reads_alike_however_it_was_delivered(tmp_path: Path) -> None:
    event = {
        "eventVersion": "1.10",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/a", "accountId": "111122223333"},
        "eventTime": "2025-03-01T12:00:00Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": "RunInstances",
        "awsRegion": "eu-west-1",
    }
    deliveries: dict[str, object] = {
        "records": {"Records": [event]},
        "array": [event],
        "single": event,
        "bridge": {"detail-type": "AWS API Call via CloudTrail", "detail": event},
        "lookup": {"Events": [{"CloudTrailEvent": json.dumps(event)}]},
        "logs": {"logEvents": [{"message": json.dumps(event)}]},
        "store": {"event": event, "expected": True},
    }
    for name, document in deliveries.items():
        for indent in (None, 2):
            folder = tmp_path / f"{name}{indent}"
            folder.mkdir()
            file = folder / "evidence"
            file.write_text(json.dumps(document, indent=indent))
            [row] = _scanned(file).document["coverage"]
            assert (row["source"], row["event_classes"], row["rejected_count"]) == (
                "aws_cloudtrail",
                {"api_activity": 1},
                0,
            ), (name, indent, row)
