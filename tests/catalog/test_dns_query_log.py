"""Query logs: a name in a question, however odd, never changes who asked."""

from __future__ import annotations

import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from davylamp.catalog.sources.dns_query_log.unit import DnsQueryLog
from tests.catalog.source_rows import read_text

_NAMES = st.lists(
    st.one_of(
        st.sampled_from(
            (
                " from 198.51.100.66",
                " is 198.51.100.66",
                "query[A] x from 198.51.100.66",
                ": query: y IN A + (198.51.100.66)",
                "#53 (",
                "pool.example",
                " ",
                ".",
                "]",
            )
        ),
        st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=4,
).map("".join)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_NAMES, min_size=1, max_size=30))
def test_no_name_changes_who_asked(names: list[str]) -> None:
    lines, expected = [], []
    for number, name in enumerate(names):
        # BIND writes blanks and parentheses in names as escapes.
        escaped = re.sub(r"[ ()]", lambda match: f"\\{ord(match.group()):03d}", name)
        asker = f"192.168.1.{number + 1}"
        lines.append(f"2026-03-01T10:00:{number:02d}Z router dnsmasq[1]: query[A] {name} from {asker}")
        lines.append(
            f"2026-03-01T10:00:{number:02d}Z ns named[2]: client @0x7f {asker}#5353 ({escaped}): "
            f"query: {escaped} IN A +E(0)K (10.0.0.2)"
        )
        expected += [asker, asker]
    read = read_text(DnsQueryLog(), "\n".join(lines).encode())
    rows = sorted(read.rows["dns_activity"], key=lambda row: int(str(row["line"])))
    assert read.rejects == []
    assert [row["src_ip"] for row in rows] == expected
    assert [str(row["query_name"]) for row in rows[::2]] == [name.lower().removesuffix(".") or name for name in names]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_NAMES, min_size=1, max_size=30, unique_by=lambda name: name.lower().removesuffix(".")))
def test_no_name_changes_what_was_answered(names: list[str]) -> None:
    lines, expected = [], []
    for number, name in enumerate(names):
        # `log-queries=extra` gives lines a serial number; a name without blanks is read by a quicker expression.
        extra = f"{number + 7} 192.168.1.9/4000 " if number % 2 else ""
        stamp = f"Mar  1 10:00:{number:02d} router dnsmasq[1]: {extra}"
        lines.append(f"{stamp}query[A] {name} from 192.168.1.9")
        lines.append(f"{stamp}reply {name} is 192.0.2.{number}")
        expected.append([f"192.0.2.{number}"])
    read = read_text(DnsQueryLog(), "\n".join(lines).encode())
    rows = sorted(read.rows["dns_activity"], key=lambda row: int(str(row["line"])))
    assert read.rejects == []
    assert [row["answers"] for row in rows] == expected


def test_answers_go_to_the_latest_question_of_their_name_and_family() -> None:
    said = [
        "query[A] pool.example from 192.168.1.1",
        "query[AAAA] pool.example from 192.168.1.1",
        "query[A] other.example from 192.168.1.2",
        "reply pool.example is 2001:db8::5",
        "reply other.example is 203.0.113.9",
        "reply pool.example is 203.0.113.5",
        "cached unasked.example is 203.0.113.7",
    ]
    lines = [f"2026-03-01T10:00:00Z router dnsmasq[1]: {each}" for each in said]
    rows = read_text(DnsQueryLog(), "\n".join(lines).encode()).rows["dns_activity"]
    assert [row["answers"] for row in rows] == [["203.0.113.5"], ["2001:db8::5"], ["203.0.113.9"]]
