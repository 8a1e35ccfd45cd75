"""Questions in the query logs of dnsmasq, unbound and BIND."""

from __future__ import annotations

import re
from datetime import datetime
from typing import ClassVar

from davylamp.catalog.sources.dns_query_log import event_rows, grammar
from davylamp.kit import syslog_lines
from davylamp.kit.metadata import SourceMeta
from davylamp.kit.sample import Sample
from davylamp.kit.source import SqlPlan, SqlSource

_TAG = r"(?:\[([0-9]+)\])?"
_CARRIED = (
    "line, byte_offset, is_stamped, has_year, month, day, year, stamped_at, device_name, process_pid, header_reject"
)
_YEARLESS = re.compile(r"^[A-Z][a-z]{2} {1,2}\d{1,2} \d{2}:")
# Between a program's name and its message: a process in RFC 3164, process, message id and elements in RFC 5424.
_AFTER = r"(?:(?:\[\d+(?::[0-9a-f]+)?\])?:?| \S+ \S+ (?:-|\[[^\]]*\])) "
_SPOKEN = re.compile(
    r"(?:dnsmasq(?:-dhcp)?|pihole-FTL)" + _AFTER + r"(?:\d+ \S+ |\d+ (?=DHCP))?"
    r"(?:query\[|reply |cached |forwarded |config |DHCPACK\()"
    r"|client (?:@0x[0-9a-f]+ )?[0-9a-fA-F.:%]+#\d+(?:/key \S+)?(?: \(.*\))?: "
    r"(?:view \S+: )?query(?:: | \(cache\) '| ')"
    r"|unbound" + _AFTER + r"(?:\[\d+:[0-9a-f]+\] )?"
    r"(?:info|query|reply): (?:(?:query|reply): )?[0-9a-fA-F.:]+(?:@\d+)? \S+ [A-Z0-9]+ (?:IN|CH|HS)"
    r"|dhcpd" + _AFTER + r"DHCPACK on "
)
_LEASED = re.compile(rf" (?:{grammar.LEASED})" + _AFTER + r"(?:.*dhcp4|.*DHCPv4 address|bound to|\S+: leased) ")
_STAMPED = re.compile(syslog_lines.STAMP + r"|^\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d\.\d{3} |^\[\d{9,10}\] unbound\[")


class DnsQueryLog(SqlSource):
    """Reads who asked which name from the query logs of dnsmasq (and Pi-hole), unbound and BIND.

    What it reads.
    dnsmasq's `log-queries` (also `extra`), unbound's `log-queries` and `log-replies` (also with `log-tag-queryreply`),
    BIND's `queries` category and its denied queries, each through syslog or in the program's own file, and the DHCPACK
    lines of dnsmasq and ISC dhcpd, and what dhclient, dhcpcd, systemd-networkd and NetworkManager say of the address
    that their own machine got. Stamps without a year are dated as in `sshd_syslog`, and stamps without a zone taken
    for UTC; the coverage row says so.

    What it gives.
    `dns_activity`: one row a question. dnsmasq's reply, cached and config lines become `answers` and `rcode` of the
    latest question for that name and family; Pi-hole's and other lists' blocks become `action` block. A question that
    unbound logs again as reply is one row, with the reply's code. `device_name` is set only for questions from the
    machine itself (loopback): the host in the stamp is the resolver, not the asker.
    `device_inventory`: `dhcp_lease` statements, one for each spell in which a hardware address (or, as told by itself,
    a host) held an address.

    What it leaves out.
    BIND and unbound logs hold no answers. Forwarding, cache and other lines of these programs, and lines of other
    programs, give nothing and are no rejects; a line with an address or port that is none is one. Answers more than a
    minute after their question stay unjoined. When a syslog holds both sshd and query lines, the kind that is more
    frequent in its head decides which source reads it.

    References.
    dnsmasq(8) `--log-queries`, unbound.conf(5) `log-queries`, BIND 9 Administrator Reference Manual, category queries.
    """

    meta: ClassVar[SourceMeta] = SourceMeta(
        uid="dns_query_log",
        shares_files=True,
        title="Query logs of dnsmasq, unbound and BIND",
        formats=("dnsmasq log", "unbound log", "BIND query log"),
        event_classes=("dns_activity", "device_inventory"),
        references=("https://thekelleys.org.uk/dnsmasq/docs/dnsmasq-man.html",),
    )

    def recognize(self, sample: Sample) -> float:
        """Sure when stamped lines of a name server's questions are in the head, more of them than of sshd's."""
        # unbound's own file opens with `[`, as a JSON array does; the stamps tell.
        stamped = [line[:400] for line in map(syslog_lines.usual, sample.lines[:600]) if _STAMPED.match(line)]
        spoken_count = sum(1 for line in stamped if _SPOKEN.search(line))
        if spoken_count == 0 and any(map(_LEASED.search, stamped)):
            # A machine's own syslog: whoever reads it, the address that it got is read beside.
            return 0.5
        if spoken_count == 0 or len(stamped) * 2 < sum(1 for line in sample.lines[:600] if line.strip()):
            return 0.0
        return 0.92 if spoken_count >= sum(1 for line in stamped if " sshd" in line) else 0.6

    def plan(self, sample: Sample, modified_at: datetime) -> SqlPlan:
        """Own files' stamps into syslog's form, header off, then each program's grammar."""
        usual = syslog_lines.as_usual(sample.lines)
        headed = syslog_lines.headed(grammar.NEEDLE, grammar.PROGRAM, _TAG, grammar.as_syslog(usual))
        kept = f"""(SELECT *, CASE
                WHEN NOT is_stamped AND NOT is_blank THEN 'line without a recognisable time stamp'
                WHEN message IS NOT NULL AND {syslog_lines.no_such_day()} THEN 'time stamp names no instant'
            END AS header_reject
            FROM ({headed}) AS headed)"""
        keep = f"{syslog_lines.marks_year()} OR header_reject IS NOT NULL"
        rows = f"""SELECT * EXCLUDE (reject, header_reject, is_stamped), coalesce(header_reject, reject) AS reject
            FROM ({grammar.parsed(kept, _CARRIED, keep)}) AS said"""
        dated = f"({syslog_lines.dated('staged', modified_at)})"
        yearless = any(_YEARLESS.match(line) for line in sample.lines)
        return SqlPlan(
            relation="lines",
            staged=rows,
            selects={
                "dns_activity": event_rows.questions("staged", dated),
                "device_inventory": event_rows.leases(dated),
            },
            notes=(syslog_lines.year_note(modified_at),) if yearless else (),
        )
