"""The source `auditd_log` in what single cases do not show: every order of records, damage, and odd addresses."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from davylamp.app.saved_case import opened_events
from davylamp.app.scan import ScanRequest, scan
from davylamp.catalog.sources.auditd_log.unit import AuditdLog
from davylamp.kit import registry
from tests.catalog.source_rows import read_text

CASES = registry.folder_of(AuditdLog()) / "cases"
HEAD = "type={} msg=audit(1772510706.101:{}): {}"
CALL = (
    "arch=c000003e syscall={} success=yes exit=0 a0=3 a1=0 a2=0 a3=0 items=1 ppid=8 pid=9 auid=0 uid=0 euid=0 "
    'tty=pts0 ses=1 comm="x" exe="/usr/bin/x" key=(null)'
)


def plain_rows(name: str, data: bytes) -> list[dict[str, object]]:
    rows = read_text(AuditdLog(), data).rows.get(name, [])
    return [{key: value for key, value in row.items() if key not in ("line", "byte_offset")} for row in rows]


@pytest.mark.parametrize("seed", range(3))
def test_records_may_come_in_any_order(seed: int) -> None:
    data = (CASES / "fires_on_harmless_commands.log").read_bytes()
    lines = data.splitlines(keepends=True)
    random.Random(seed).shuffle(lines)
    for name in ("process_activity", "file_activity", "network_activity", "socket_usage"):
        expected = sorted(map(repr, plain_rows(name, data)))
        assert expected
        assert sorted(map(repr, plain_rows(name, b"".join(lines)))) == expected


def test_every_line_cut_anywhere_is_read_or_rejected_and_nothing_breaks() -> None:
    lines = (CASES / "fires_on_enriched_records.log").read_bytes().splitlines()
    cut = [line[: random.Random(place).randrange(len(line))] for place, line in enumerate(lines)]
    read = read_text(AuditdLog(), b"\n".join(lines[:1] + cut))
    assert len(read.rejects) <= len(lines)


@pytest.mark.parametrize(
    ("saddr", "address"),
    [
        ("02000D05C6336407", "198.51.100.7"),
        ("02000D05C63364070000000000000000", "198.51.100.7"),
        ("0A000D050000000000000000000000000000000000000001", "::1"),
        ("0A000D05000000000000000000000000" + "0000FFFFC6336407", "198.51.100.7"),
        ("0A000D050000000020010DB8000000010000000000000001", "2001:db8:0:1::1"),
        ("0A000D0500000000FE800000000000000000000000000000" + "02000000", "fe80::"),
        ("0A000D050000000020010DB8000100020003000400050006", "2001:db8:1:2:3:4:5:6"),
    ],
)
def test_socket_addresses_read_as_people_write_them(saddr: str, address: str) -> None:
    text = HEAD.format("SYSCALL", 7, CALL.format(42)) + "\n" + HEAD.format("SOCKADDR", 7, f"saddr={saddr}") + "\n"
    (row,) = plain_rows("socket_usage", text.encode())
    assert (row["dst_ip"], row["dst_port"], row["process_pid"]) == (address, 3333, 9)


@pytest.mark.parametrize("saddr", ["", "0200", "0100" + "2F" * 20, "02000000C6336407", "0200ZZZZC6336407", "0A00"])
def test_other_socket_addresses_are_no_connection(saddr: str) -> None:
    text = HEAD.format("SYSCALL", 7, CALL.format(42)) + "\n" + HEAD.format("SOCKADDR", 7, f"saddr={saddr}") + "\n"
    assert plain_rows("network_activity", text.encode()) == []


def test_programs_whose_caller_was_lost_are_kept_and_counted() -> None:
    text = HEAD.format("EXECVE", 7, 'argc=2 a0="id" a1=2D75')
    read = read_text(AuditdLog(), text.encode())
    (row,) = read.rows["process_activity"]
    assert (row["command_line"], row["process_pid"]) == ("id -u", None)
    assert read.notes == ("1 programs executed without the record that says by whom: records were lost",)


def test_a_files_own_name_cannot_carry_a_field(tmp_path: Path) -> None:
    name = b"x pid=1 comm=sshd".hex().upper()
    text = (
        HEAD.format("SYSCALL", 7, CALL.format(87))
        + "\n"
        + HEAD.format("PATH", 7, f"item=0 name={name} nametype=DELETE")
    )
    (row,) = plain_rows("file_activity", text.encode())
    assert (row["file_path"], row["process_pid"], row["activity"]) == ("x pid=1 comm=sshd", 9, "delete")


AUTHENTICATED = """\
type=USER_AUTH msg=audit(1772510700.100:1): pid=900 uid=0 auid=4294967295 ses=4294967295 msg='op=PAM:authentication \
grantors=? acct="bob" exe="/usr/sbin/sshd" hostname=198.51.100.7 addr=198.51.100.7 terminal=ssh res=failed'
type=USER_AUTH msg=audit(1772510701.100:2): pid=900 uid=0 auid=4294967295 ses=4294967295 msg='op=password acct="bob" \
exe="/usr/sbin/sshd" hostname=? addr=198.51.100.7 terminal=ssh res=failed'
type=USER_AUTH msg=audit(1772510702.100:3): pid=900 uid=0 auid=4294967295 ses=4294967295 msg='op=PAM:authentication \
grantors=pam_unix acct="bob" exe="/usr/sbin/sshd" hostname=198.51.100.7 addr=198.51.100.7 terminal=ssh res=success'
type=USER_LOGIN msg=audit(1772510702.300:5): pid=900 uid=0 auid=1000 ses=3 msg='op=login id=1000 exe="/usr/sbin/sshd" \
hostname=198.51.100.7 addr=198.51.100.7 terminal=/dev/pts/1 res=success'
type=USER_LOGIN msg=audit(1772510705.818:6): pid=901 uid=0 auid=4294967295 ses=4294967295 msg='op=login \
acct=28696E76616C6964207573657229 exe="/usr/sbin/sshd" hostname=? addr=198.51.100.8 terminal=sshd res=failed'
type=USER_AUTH msg=audit(1772510706.119:7): pid=902 uid=0 auid=4294967295 ses=4294967295 msg='op=pubkey acct="root" \
exe="/usr/sbin/sshd" hostname=? addr=198.51.100.9 terminal=ssh res=failed'
type=USER_AUTH msg=audit(1772510707.100:8): pid=903 uid=0 auid=1000 ses=3 msg='op=PAM:authentication acct="root" \
exe="/usr/bin/su" hostname=web1 addr=? terminal=pts/1 res=failed'
"""


def test_of_the_records_of_one_attempt_the_one_that_tells_most_counts() -> None:
    rows = plain_rows("authentication", AUTHENTICATED.encode())
    told = [(row["src_ip"], row["status"], row["user_name"], row["user_known"], row["auth_method"]) for row in rows]
    assert told == [
        ("198.51.100.7", "failure", "bob", None, "password"),
        ("198.51.100.7", "success", "bob", None, "password"),
        ("198.51.100.8", "failure", None, False, None),
    ]


def test_an_attempt_that_syslog_tells_as_well_counts_once(tmp_path: Path) -> None:
    (tmp_path / "audit.log").write_text(AUTHENTICATED, encoding="utf-8")
    (tmp_path / "auth.log").write_text(
        "2026-03-03T05:05:00.200000+01:00 web1 sshd[900]: Failed password for bob from 198.51.100.7 port 40000 ssh2\n"
        "2026-03-03T05:05:02.200000+01:00 web1 sshd[900]: Accepted password for bob from 198.51.100.7 port 4 ssh2\n",
        encoding="utf-8",
    )
    result = scan(ScanRequest(paths=(str(tmp_path),), case_folder=tmp_path / "case", units=frozenset()))
    assert result.failures == ()
    with opened_events(result.case_folder) as engine:
        rows = engine.rows("SELECT process_pid, status, outcome_detail FROM authentication ORDER BY time")
    assert [tuple(row.values()) for row in rows] == [
        (900, "failure", None),
        (900, "success", None),
        (901, "failure", "audit record USER_LOGIN"),
    ]
