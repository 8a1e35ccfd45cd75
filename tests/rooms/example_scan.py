"""Two intrusions, one hint and a coverage with gaps, as model values and as a scan document."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from davylamp.model.asset import Asset
from davylamp.model.coverage import FileCoverage, Look, Reject
from davylamp.model.finding import AssetRef, Evidence, Finding, Observable, Series, Technique
from davylamp.model.incident import Incident, Statement, StoryLine
from davylamp.model.money import Cost
from davylamp.model.severity import Confidence, Severity
from davylamp.report.document import Run, document

NIGHT = datetime(2026, 3, 14, 2, 0, tzinfo=UTC)
WEB1, DB1, ACCOUNT = AssetRef("host", "web1"), AssetRef("host", "db1"), AssetRef("account", "123456789012")
BRUTE_FORCE = Technique("T1110.001", "Brute Force: Password Guessing")
VALID_ACCOUNTS = Technique("T1078", "Valid Accounts")
HIJACKING = Technique("T1496.001", "Resource Hijacking: Compute Hijacking")
CREATE_INSTANCE = Technique("T1578.002", "Modify Cloud Compute Infrastructure: Create Cloud Instance")


def _at(minutes: float) -> datetime:
    return NIGHT + timedelta(minutes=minutes)


def finding(
    uid: str, unit: str, title: str, group: str, stage: str, severity: Severity, llr: float, asset: AssetRef,
    start_min: float, end_min: float, because: str, evidence: list[Evidence], *, evidence_count: int | None = None,
    technique: Technique = HIJACKING, observables: tuple[Observable, ...] = (), fact: bool = False,
    confidence: Confidence = Confidence.HIGH, series: tuple[Series, ...] = (),
) -> Finding:  # fmt: skip
    return Finding(
        uid=uid, unit=unit, title=title, group=group, severity=severity, confidence=confidence, llr=llr,
        stage=stage, fact=fact, techniques=(technique,), assets=(asset,), observables=observables,
        first_seen=_at(start_min), last_seen=_at(end_min), because=because, evidence=tuple(evidence),
        evidence_count=len(evidence) if evidence_count is None else evidence_count, series=series,
    )  # fmt: skip


def _failure(line: int, user: str) -> Evidence:
    columns = {"time": _at(9 + line / 60), "status": "failure", "user_name": user, "src_ip": "203.0.113.7"}
    return Evidence("evidence/auth.log", line=line, columns=columns)


def _rhythm() -> Series:
    """Jobs pushed at odd moments and small answers after each share."""
    x: list[float] = []
    y: list[float] = []
    moment = 0.0
    for turn in range(60):
        gap = 2.0 + 11.0 * (math.sin(turn * 12.9898) * 43758.5453 % 1.0)
        moment += gap
        x.append(round(moment, 2))
        y.append(187.0 + turn % 3)
        x.append(round(moment + 0.14, 2))
        y.append(-64.0)
        if turn % 4 == 0:
            moment += 1.5
            x.append(round(moment, 2))
            y.append(-402.0)
    return Series("rhythm", tuple(x), tuple(y))


def _cpu() -> Series:
    """A day with idle valleys, until a miner fills them."""
    x: list[float] = []
    y: list[float] = []
    for step in range(168):
        minutes = -1080 + step * 10
        load = 0.09 + 0.07 * math.sin(step / 23) ** 2 + 0.05 * (math.sin(step * 78.233) * 43758.5453 % 1.0)
        taken = 0.62 if minutes >= 40 else 0.0
        x.append(_at(minutes).timestamp())
        y.append(round(min(1.0, load + taken), 4))
    return Series("cpu_floor", tuple(x), tuple(y), {"floor_before": 0.11, "floor_after": 0.72})


def example_findings() -> list[Finding]:
    """Two intrusions and one hint."""
    pool = (Observable("domain", "xmr.pool.example"),)
    remote = (Observable("ip", "198.51.100.9"), Observable("port", "3333"))
    source = (Observable("ip", "203.0.113.7"), Observable("user_name", "deploy"))
    launch = {"time": _at(310), "operation": "RunInstances", "region": "eu-north-1", "instance_type": "g5.12xlarge"}
    login = {"message": "accepted password", "user_name": "deploy", "src_ip": "203.0.113.7", "src_port": 51122}
    stratum = b'{"id":1,"method":"login","params":{"login":"48\xff..."}}\n'
    return [
        finding("4d2f8c1be0a97653", "ssh_guessing_campaign", "Passwords were guessed over SSH", "auth",
              "reconnaissance", Severity.MEDIUM, 3.1, WEB1, 9, 27, "203.0.113.7 failed 412 times for 38 user names in "
              "18 min; the host's usual rate is 3 failures an hour.", [_failure(118 + n, f"user{n}") for n in range(8)],
              evidence_count=412, technique=BRUTE_FORCE, observables=source[:1]),
        finding("9b1c77d0535e2aa4", "ssh_login_after_guessing", "A guessed password let somebody in", "auth", "access",
              Severity.HIGH, 8.2, WEB1, 28, 28, "deploy logged in by password from 203.0.113.7, which had failed "
              "412 times in the 18 min before.", [Evidence("evidence/auth.log", line=531, columns=login)],
              technique=VALID_ACCOUNTS, observables=source, fact=True),
        finding("0c8e5519f2d3b6a1", "pool_domain_lookup", "A mining pool's name was looked up", "name", "mining",
              Severity.HIGH, 6.4, WEB1, 36, 200, "web1 asked 14 times for xmr.pool.example, listed as a pool endpoint.",
              [Evidence("evidence/dns.log.gz", line=88214 + 61 * n,
                        columns={"query_name": "xmr.pool.example", "query_type": "A", "answers": ["198.51.100.9"]})
               for n in range(4)], evidence_count=14, observables=pool),
        finding("e7a4402c9d61f8b3", "mining_dialogue", "A miner talked to its pool in clear text", "wire", "mining",
              Severity.CRITICAL, 9.0, WEB1, 37, 219, "login, job and submit in the order of the CryptoNote dialogue "
              "with 198.51.100.9:3333; 61 shares were accepted.",
              [Evidence("evidence/web1.pcap", frame=2041, columns={"dst_ip": "198.51.100.9", "dst_port": 3333,
                                                                   "first_payload": stratum}),
               Evidence("evidence/web1.pcap", frame=2044, columns={"dst_ip": "198.51.100.9", "answer": "job"})],
              evidence_count=312, observables=remote, fact=True, series=(_rhythm(),)),
        finding("b35d0f6a18c24e97", "cpu_floor_raised", "The machine stopped being idle", "cost", "impact",
              Severity.HIGH, 4.8, WEB1, 40, 590, "the floor of CPU use rose from 11 % to 72 % and stayed there.",
              [Evidence("evidence/cpu_web1.csv", line=109, byte_offset=3310, columns={"used_ratio": 0.72}),
               Evidence("evidence/cpu_web1.parquet", byte_offset=0, columns={"price_usd": Decimal("0.34")})],
              evidence_count=56, series=(_cpu(),), confidence=Confidence.MEDIUM),
        finding("51f09ad3c7e8b264", "compute_launch_burst", "Many machines were launched at once", "audit", "mining",
              Severity.CRITICAL, 8.0, ACCOUNT, 310, 318, "access key AKIAEXAMPLE000000001 launched 6 g5.12xlarge in "
              "eu-north-1 in 8 min; the account had launched 2 machines in 30 days.",
              [Evidence("evidence/cloudtrail.json.gz", line=n, byte_offset=n * 900, columns=launch)
               for n in (7, 9, 12)], evidence_count=6, technique=CREATE_INSTANCE,
              observables=(Observable("access_key", "AKIAEXAMPLE000000001"), Observable("ip", "203.0.113.99"))),
        finding("7722ce94af00d185", "unused_region_or_family", "A region never used before was used", "audit",
              "preparation", Severity.MEDIUM, 3.4, ACCOUNT, 304, 318, "no call to eu-north-1 was seen in the "
              "30 days before; the first was DescribeInstanceTypes, then RunInstances.",
              [Evidence("evidence/cloudtrail.json.gz", line=3, columns={"operation": "DescribeInstanceTypes"})],
              technique=Technique("T1535", "Unused/Unsupported Cloud Regions")),
        finding("c06b7d31e5f9a842", "pool_like_name", "A name shaped like a mining pool's was looked up", "name",
              "mining", Severity.LOW, 1.8, DB1, 95, 95, "db1 asked once for eu1-solo.rvn.example: a region, solo and "
              "a coin's ticker in one name. No indicator lists it.",
              [Evidence("evidence/dns.log.gz", line=91002, columns={"query_name": "eu1-solo.rvn.example"})],
              observables=(Observable("domain", "eu1-solo.rvn.example"),), confidence=Confidence.LOW),
    ]  # fmt: skip


def _host_incident() -> Incident:
    return Incident(
        uid="a19f3c60d7b2e584",
        title="Mining on web1 after an SSH break-in",
        probability=0.9998,
        severity=Severity.CRITICAL,
        assets=(WEB1,),
        findings=("4d2f8c1be0a97653", "9b1c77d0535e2aa4", "0c8e5519f2d3b6a1", "e7a4402c9d61f8b3", "b35d0f6a18c24e97"),
        first_seen=_at(9),
        last_seen=_at(590),
        story=(
            StoryLine(_at(9), "reconnaissance", "203.0.113.7 began to guess SSH passwords: 412 failures in 18 min.",
                      "4d2f8c1be0a97653"),
            StoryLine(_at(28), "access", "deploy logged in by password from the same address.", "9b1c77d0535e2aa4"),
            StoryLine(_at(36), "mining", "web1 looked up xmr.pool.example, a mining pool.", "0c8e5519f2d3b6a1"),
            StoryLine(_at(37), "mining", "A miner logged in to its pool at 198.51.100.9:3333 and was given work.",
                      "e7a4402c9d61f8b3"),
            StoryLine(_at(40), "impact", "The floor of CPU use rose from 11 % to 72 %.", "b35d0f6a18c24e97"),
        ),
        entry_point=Statement("Password login as deploy from 203.0.113.7 over SSH, after 412 failures.",
                              "9b1c77d0535e2aa4"),
        follow_on=(),
        cost=Cost(0.0, 1.9012, 0.2074, 4.9776, 1.58, 2.21, (
            "c5.2xlarge in us-east-1 at $0.34 per hour, on demand, Linux, list price of 2026-03-01.",
            "61 % of the machine was taken from 02:40 to 11:50 UTC (CPU floor 72 % against 11 % before: x6.5, +550 %).",
            "The machine runs at a flat price: the bill does not rise, the loss is stolen capacity.",
        )),
        next_steps=(
            "Isolate web1: allow only your own address in its security group, and keep its disk as evidence.",
            "Lock the user deploy and revoke its sessions and keys; the password is known.",
            "Block 198.51.100.9 and xmr.pool.example at the egress of the whole network.",
            "Turn off password login in sshd_config: PasswordAuthentication no.",
        ),
    )  # fmt: skip


def _account_incident() -> Incident:
    return Incident(
        uid="f3870b2c45d1ea96",
        title="GPU machines launched in account 123456789012 with a stolen key",
        probability=0.94,
        severity=Severity.CRITICAL,
        assets=(ACCOUNT,),
        findings=("7722ce94af00d185", "51f09ad3c7e8b264"),
        first_seen=_at(304),
        last_seen=_at(318),
        story=(
            StoryLine(_at(304), "preparation", "eu-north-1 was used for the first time in 30 days.",
                      "7722ce94af00d185"),
            StoryLine(_at(310), "mining", "AKIAEXAMPLE000000001 launched 6 g5.12xlarge in 8 min.", "51f09ad3c7e8b264"),
        ),
        entry_point=None,
        follow_on=(Statement("The same key made a new access key for the user backup.", "51f09ad3c7e8b264"),),
        cost=Cost(164.5, 0.0, 36.87, 884.88, 158.2, 170.9, (
            "6 x g5.12xlarge in eu-north-1 at $6.145 per hour each, on demand, Linux, list price of 2026-03-01.",
            "Launched by the attacker: all of it is billed.",
        )),
        next_steps=(
            "Deactivate access key AKIAEXAMPLE000000001 and look up every call it made.",
            "Stop the 6 instances in eu-north-1; look for termination protection first.",
        ),
    )  # fmt: skip


def example_coverage() -> list[FileCoverage]:
    """Files that were read, in part, and not at all."""
    rejects = tuple(Reject(4096 + 80 * n, 77 + n, "no time stamp at the start of the line") for n in range(3))
    return [
        FileCoverage("evidence/web1.pcap", "pcap", "read", event_classes={"network_activity": 4, "dns_activity": 2}),
        FileCoverage("evidence/auth.log", "sshd_syslog", "read", "year 2026 taken from the file's time",
                     {"authentication": 18233}, 3, rejects),
        FileCoverage("evidence/cloudtrail.json.gz", "aws_cloudtrail", "read", event_classes={"api_activity": 4120}),
        FileCoverage("evidence/dns.log.gz", "dns_query_log", "partial", "the gzip stream ends early, after 41.2 MB",
                     {"dns_activity": 130071}, 1, (Reject(41_200_113, 130_074, "the line is cut"),)),
        FileCoverage("evidence/cpu_web1.csv", "metric_series", "read", event_classes={"resource_usage": 168}),
        FileCoverage("evidence/notes.docx", None, "unrecognized", "no source knows this content"),
        FileCoverage("evidence/secure.1", None, "unreadable", "permission denied"),
    ]  # fmt: skip


def example_document() -> dict[str, Any]:
    """The example as a document; lists are handed over out of order on purpose."""
    looks = [
        Look("ssh_login_after_guessing", "yes"),
        Look("pool_domain_lookup", "yes"),
        Look("audit_trail_impaired", "no"),
        Look("connection_without_answer", "could_not_look", "no dns_activity evidence for asset db1"),
        Look("container_task_at_full_size", "no"),
        Look("mining_flow_candidate", "could_not_look", "no network_activity evidence from flow logs"),
    ]
    assets = [
        Asset("web1", addresses=("10.0.0.5",), host_names=("web1",), instance_id="i-0abc", instance_type="c5.2xlarge",
              region="us-east-1", account="123456789012", price_model="on_demand",
              grounds=("declared in davylamp.toml", "10.0.0.5: interface of i-0abc in the flow log")),
        Asset("db1", host_names=("db1",), grounds=("db1: host name in dns.log.gz",)),
        Asset("123456789012", "account", grounds=("recipientAccountId in cloudtrail.json.gz",)),
    ]  # fmt: skip
    run = Run("0.1.0", datetime(2026, 3, 14, 14, 2, 11, tzinfo=UTC), 2.417, 152598, 61_204_331, 318_767_104)
    return document(
        run,
        reversed(example_coverage()),
        looks,
        reversed(example_findings()),
        [_account_incident(), _host_incident()],
        reversed(assets),
    )
