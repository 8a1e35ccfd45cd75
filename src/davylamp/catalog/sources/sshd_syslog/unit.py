"""Authentication verdicts of sshd in syslog files."""

from __future__ import annotations

import re
from datetime import datetime
from typing import ClassVar

from davylamp.kit import sshd_messages, syslog_lines
from davylamp.kit.metadata import SourceMeta
from davylamp.kit.sample import Sample
from davylamp.kit.source import SqlPlan, SqlSource

_YEARLESS = re.compile(r"^(?:<\d{1,3}>)?[A-Z][a-z]{2} {1,2}\d{1,2} \d{2}:")
# Host and program, or a program alone: what makes a stamped line a syslog line and no CSV or web log. RFC 5424 has a
# process and a message id after them, and structured data.
_SYSLOG = re.compile(
    rf"{syslog_lines.STAMP}(?:Z|[+-]\d{{2}}:?\d{{2}})?:? {{1,2}}(?:<[^>]*> )?"
    r"(?:(?:[^ ]+ ){0,2}[^ ,;\"{}]+(?::| -|$)|(?:[^ ,;\"{}]+ ){4}(?:-|\[))"
)
_SSHD = re.compile(rf"{syslog_lines.STAMP}[^ ]* {{1,2}}(?:[^ ]+ ){{0,2}}(?:[^ ]*/)?sshd(?:-session|-auth)?[\[(: ]")
_SPACED = re.compile(r"^\d{4}-\d\d-\d\d \d\d:")
_PROGRAM = "sshd(?:-session|-auth)?"
# macOS and the BSDs put the process title between name and pid: `sshd-session: root [priv][7]:`.
# The title has one word and a pid must follow, so no message can be taken for a title.
_TAG = r"(?:\(pam_unix\))?(?:: [A-Za-z0-9._@-]* \[[a-z]+\])?(?:\[([0-9]+)\])?"
_CARRIED = (
    "line, byte_offset, is_stamped, has_year, month, day, year, stamped_at, device_name, process_pid, header_reject"
)


class SshdSyslog(SqlSource):
    """Reads sshd's verdicts, accepted and failed, out of auth.log, secure, messages and any other syslog file.

    What it reads.
    Lines of `sshd`, `sshd-session` and `sshd-auth` with RFC 3164, RFC 5424 or ISO stamps, with or without `<PRI>`, as
    syslogd, rsyslog, syslog-ng, busybox, logread, journald's text forms, the BSDs, macOS and Solaris write them, and as
    CloudWatch Logs exports them: its own stamp before the line stands in for one without year and zone. A stamp without
    a year gets one by counting back from the year of the file's modification time; the coverage row says so, and
    `time_inferred` is true in each such row. A stamp without a zone is taken for UTC; so is one whose zone is an
    abbreviation, and the coverage row says that too.

    What it gives.
    `authentication`: one row an attempt. Accepted and Failed lines are verdicts. For a connection (host, process,
    source) that has none, the next best witness stands in: PAM's refusal as sshd reports it, `Invalid user`, a user
    whom sshd's own lists allow no login, the connection's end while authenticating (also `Failed none` and too many
    attempts), and last PAM's own failure line. So no attempt counts twice, also where PAM names the source by its host
    name and the verdict by its address. `message repeated N times` becomes N rows, at most 100, which share their line.
    `device_inventory`: the host's own address from `Connection from A port B on C port D` and `Server listening on`,
    unless it is a wildcard or loopback address, and from EC2's own host names, which hold the address (`ip-10-0-0-5`)
    or the instance id; one row per host and address.
    User names are opaque: a name that contains ` from 1.2.3.4 port 22 ssh2` never moves the source, because the end of
    the line decides. Where a certificate's free key id makes two readings possible the line is a reject, not a guess.

    What it leaves out.
    Handshakes that fail (`Unable to negotiate`, `refused connect`): nobody tried a password, so there is no attempt.
    Lines of other programs give no event and are no rejects. Lines without any stamp are rejects, and so are those
    with an impossible address (`10.0.0.999`) or port; a host's name in the place of an address stays. `last message
    repeated N times`, which names no program, is not expanded. A plain syslog file cannot prove who wrote a line: a
    local user with `logger -t sshd` can forge one; the journal's export can tell. Logs wrapped in CSV or container
    JSON are not read.

    References.
    OpenSSH auth.c and packet.c (wording of the messages), log.c (escaping), RFC 3164, RFC 5424; fail2ban pull
    request 1479 and issue 3724 (wrong offenders by injected user names).
    """

    meta: ClassVar[SourceMeta] = SourceMeta(
        uid="sshd_syslog",
        shares_files=True,
        title="sshd lines in syslog files",
        formats=("RFC 3164", "RFC 5424", "syslog with ISO stamps"),
        event_classes=("authentication", "device_inventory"),
        references=("https://www.rfc-editor.org/rfc/rfc3164", "https://www.rfc-editor.org/rfc/rfc5424"),
    )

    def recognize(self, sample: Sample) -> float:
        """Sure when sshd speaks in the head; likely for any other syslog, whose sshd lines may come later."""
        lines = [syslog_lines.usual(line) for line in sample.lines[:400] if line.strip()]
        if not lines or sample.starts_json:
            return 0.0
        syslog_count = sum(1 for line in lines if _SYSLOG.match(line[:300]))
        if syslog_count * 2 < len(lines):
            return 0.0
        if any(_SSHD.match(syslog_lines.usual(line[:300])) for line in sample.lines if "sshd" in line):
            return 0.9
        # Package managers and applications write the day and the hour apart; syslog daemons do not.
        return 0.0 if all(_SPACED.match(line) for line in lines) else 0.55

    def plan(self, sample: Sample, modified_at: datetime) -> SqlPlan:
        """Header off every line that mentions sshd, then one expression for each kind of message."""
        yearless = any(_YEARLESS.match(line) for line in sample.lines)
        records = syslog_lines.as_usual(sample.lines)
        headed = syslog_lines.headed("contains(text, 'sshd')", _PROGRAM, _TAG, records)
        kept = f"""(SELECT *, CASE
                WHEN NOT is_stamped AND NOT is_blank THEN 'line without a recognisable time stamp'
                WHEN message IS NOT NULL AND {syslog_lines.no_such_day()} THEN 'time stamp names no instant'
            END AS header_reject
            FROM ({headed}) AS headed
            WHERE is_needed OR NOT is_stamped OR {syslog_lines.marks_year()})"""
        rows = f"""SELECT * EXCLUDE (reject, header_reject), coalesce(header_reject, reject) AS reject
            FROM ({sshd_messages.parsed(kept, _CARRIED)}) AS said"""
        dated = f"({syslog_lines.dated('staged', modified_at)})"
        return SqlPlan(
            relation="lines",
            staged=rows,
            selects={
                "authentication": sshd_messages.attempts(dated),
                "device_inventory": sshd_messages.inventory(dated),
            },
            notes=((syslog_lines.year_note(modified_at),) if yearless else ())
            + ((syslog_lines.ZONE_NOTE,) if any(map(syslog_lines.names_a_zone, sample.lines)) else ()),
        )
