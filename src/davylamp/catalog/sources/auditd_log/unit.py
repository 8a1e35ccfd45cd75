"""Linux audit records: what programs were executed, which files they changed, and where they connected to."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import ClassVar

from davylamp.catalog.sources.auditd_log import event_rows, laurel_records, raw_records
from davylamp.kit.metadata import SourceMeta
from davylamp.kit.sample import Sample
from davylamp.kit.source import SqlPlan, SqlSource

_RAW = re.compile(raw_records.RECORD)
_RELAYED = re.compile(raw_records.RELAYED_RECORD)
_LAUREL_ID = re.compile(r"^\d{1,12}\.\d{3}:\d{1,10}$", re.ASCII)
_LOST = """SELECT count(*) || ' programs executed without the record that says by whom: records were lost' AS sentence
    FROM staged WHERE reject IS NULL AND type IS NULL AND arguments IS NOT NULL HAVING count(*) > 0"""


class AuditdLog(SqlSource):
    """Reads the records of the kernel's audit, joined by their serial number.

    What it reads.
    Lines `type=SYSCALL msg=audit(1684329817.579:2995): ...` of auditd, raw or enriched (names after the group
    separator, also where a copy has lost it), with or without `node=`; the same behind syslog headers, as the kernel
    writes them when no auditd runs (`kernel: audit: type=1300 audit(...)`) and as relays do; laurel's JSON. Records of
    one event may be interleaved with others, in any order, and serial numbers may wrap. Hexadecimal strings are
    decoded, arguments that come in parts over several records are put together and cut at 8,192 characters. Calls are
    named from the tables of x86-64, i386 and the generic one (arm64, riscv64, loongarch64), or by the enriched record.

    What it gives.
    `process_activity`: programs executed (not those that could not be), and commands that sudo says it ran. The start
    of the process is not in an audit record; the instant of execution names it. `file_activity`: files made, changed,
    renamed, removed, given other permissions; opened for reading alone as `read`. `network_activity` and, with the
    process, `socket_usage`: connect() to an internet address, without counters. `authentication`: what sshd reported
    (USER_LOGIN, USER_AUTH, USER_ACCT), one row an attempt. sshd tells syslog of the same attempts: where the case holds
    a row of auth.log or the journal for the same process and source, the audit's is not counted.

    What it leaves out.
    Keys offered and not taken. Calls other than these; AppArmor's and SELinux's own records. The journal's short lines
    (`audit[1]: SYSCALL arch=...`) have no serial number and give nothing. A line of an audit log whose head cannot be
    read is a reject. Programs executed whose SYSCALL record was lost are rows without a pid, and the coverage row
    counts them. A host that the records do not name takes its name from the declared assets.

    References.
    https://github.com/linux-audit/audit-documentation/wiki/SPEC-Writing-Good-Events
    https://github.com/threathunters-io/laurel
    """

    meta: ClassVar[SourceMeta] = SourceMeta(
        uid="auditd_log",
        shares_files=True,
        title="Linux audit records",
        formats=("auditd raw", "auditd enriched", "audit records in syslog", "laurel JSON"),
        event_classes=("authentication", "process_activity", "file_activity", "network_activity", "socket_usage"),
        references=(
            "https://github.com/linux-audit/audit-documentation/wiki/SPEC-Writing-Good-Events",
            "https://github.com/threathunters-io/laurel",
        ),
    )

    def recognize(self, sample: Sample) -> float:
        """Sure when most lines are records; likely for a syslog that has any."""
        lines = [line for line in sample.lines[:400] if line.strip()]
        if not lines or b"\x00" in sample.head[:4096]:
            return 0.0
        if sample.starts_json:
            return 0.95 if _is_laurel(lines[0]) else 0.0
        if _are_records(lines):
            return 0.95
        relayed = any(_RELAYED.match(line[:400]) for line in sample.lines if "audit(" in line)
        return 0.6 if relayed else 0.0

    def plan(self, sample: Sample, modified_at: datetime) -> SqlPlan:
        """Records joined to events once; a SELECT over them for each class."""
        relayed = not _are_records([line for line in sample.lines[:400] if line.strip()])
        return SqlPlan(
            relation="json_records" if sample.starts_json else "lines",
            staged=laurel_records.events() if sample.starts_json else raw_records.events(relayed),
            selects={
                "authentication": event_rows.authentication(),
                "process_activity": event_rows.process_activity(),
                "file_activity": event_rows.file_activity(),
                "network_activity": event_rows.network_activity(),
                "socket_usage": event_rows.socket_usage(),
            },
            notes_select=_LOST,
        )


def _are_records(lines: list[str]) -> bool:
    """Whether this is an audit log itself, and no log in which records stand among others."""
    return sum(1 for line in lines if _RAW.match(line[:300])) * 2 >= len(lines)


def _is_laurel(line: str) -> bool:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(entry, dict) and bool(_LAUREL_ID.match(str(entry.get("ID", ""))))
