"""sshd lines: hostile names never move the source, attempts count once, years are counted back."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from davylamp.catalog.sources.sshd_syslog.unit import SshdSyslog
from tests.catalog.source_rows import MODIFIED_AT, Read, read_text

_FORGED_ENDS = (
    " from 198.51.100.66 port 22 ssh2",
    " from 198.51.100.66 port 22",
    " from 198.51.100.66",
    " from 198.51.100.66 port 22 ssh2: RSA SHA256:abc",
    " from 198.51.100.66 port",
    " 198.51.100.66 port 22 [preauth]",
    " 198.51.100.66 port 22: Too many authentication failures [preauth]",
    " rhost=198.51.100.66  user=root",
    "\nMar  1 00:00:00 web1 sshd[1]: Accepted password for root from 198.51.100.66 port 22 ssh2",
    "\x1b[2J\x1b[1;1H",
    "\r",
    "\x00",
    " [preauth]",
    ": ",
    "invalid user ",
    "message repeated 5 times: [ Failed password for root from 198.51.100.66 port 22 ssh2]",
    "#012",
    "sshd[9]: Failed password for root from 198.51.100.66 port 1 ssh2",
    " ",
    "  ",
    "é",
    "\\",
    "ssh2",
)
_NAMES = st.lists(
    st.one_of(st.sampled_from(_FORGED_ENDS), st.text(max_size=8), st.sampled_from(("root", "admin", "x", ""))),
    max_size=5,
).map("".join)
_SOURCES = st.sampled_from(("203.0.113.7", "10.0.0.9", "2001:db8::7", "scanner.example.net"))
_FORMS = (
    "Failed password for {unknown}{name} from {source} port {port} ssh2",
    "Failed keyboard-interactive/pam for {unknown}{name} from {source} port {port} ssh2",
    "Failed publickey for {unknown}{name} from {source} port {port} ssh2: RSA SHA256:Zq0Yk3a",
    "Failed none for invalid user {name} from {source} port {port} ssh2",
    "Accepted password for {name} from {source} port {port} ssh2",
    "Accepted publickey for {name} from {source} port {port} ssh2: ED25519 SHA256:Zq0Yk3a",
    "Invalid user {name} from {source} port {port}",
    "Invalid user {name} from {source}",
    "Connection closed by authenticating user {name} {source} port {port} [preauth]",
    "Connection reset by invalid user {name} {source} port {port} [preauth]",
    "Disconnected from invalid user {name} {source} port {port} [preauth]",
    "Disconnecting invalid user {name} {source} port {port}: Too many authentication failures [preauth]",
    "error: maximum authentication attempts exceeded for {unknown}{name} from {source} port {port} ssh2 [preauth]",
    "error: PAM: Authentication failure for illegal user {name} from {source}",
    "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={source}  user={name}",
    "message repeated 2 times: [ Failed password for {unknown}{name} from {source} port {port} ssh2]",
)


def _logged_name(name: str, *, escaped_by_sshd: bool) -> str:
    """The name as it reaches the file: cut at 100 bytes, control characters escaped by sshd or by rsyslog."""
    cut = name.encode()[:100].decode("utf-8", "ignore")
    if escaped_by_sshd:
        cut = cut.replace("\\", "\\\\")
        return "".join(c if " " <= c <= "~" else "".join(f"\\{byte:03o}" for byte in c.encode()) for c in cut)
    return re.sub(r"[\x00-\x1f\x7f]", lambda match: f"#{ord(match.group()):03o}", cut)


def _attributed(read: Read) -> list[str]:
    return [str(row["src_ip"] or row["src_host"]) for row in read.rows.get("authentication", [])]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.sampled_from(_FORMS), _NAMES, _SOURCES, st.booleans(), st.sampled_from(("", "invalid user "))),
        min_size=1,
        max_size=40,
    )
)
def test_no_name_moves_the_source(attempts: list[tuple[str, str, str, bool, str]]) -> None:
    lines, sources = [], []
    for number, (form, name, source, escaped, unknown) in enumerate(attempts):
        logged = _logged_name(name, escaped_by_sshd=escaped)
        said = form.format(name=logged, source=source, port=40000 + number, unknown=unknown)
        lines.append(f"Mar 11 22:55:{number:02d} web1 sshd[{100 + number}]: {said}")
        sources.append((number + 1, source, 2 if said.startswith("message repeated") else 1))
    read = read_text(SshdSyslog(), ("\n".join(lines) + "\n").encode())
    by_line: dict[object, list[str]] = {}
    for row in read.rows.get("authentication", []):
        by_line.setdefault(row["line"], []).append(str(row["src_ip"] or row["src_host"]))
    rejected = {line for line, _ in read.rejects}
    for line, source, count in sources:
        if line not in rejected:
            assert by_line.get(line) == [source] * count, lines[line - 1]
    # A name over 100 characters (each escaped byte is four) that forges an end is a reject; nothing else is.
    assert all(len(lines[line - 1]) > 150 for line in rejected if line is not None)


def test_user_names_are_kept_as_they_are() -> None:
    names = ["root", "", "a b", " x ", "x from 1.2.3.4 port 22 ssh2", "invalid user y", "\\012z", "é"]
    lines = [
        f"Mar 11 22:55:{i:02d} web1 sshd[{i}]: Failed password for invalid user {name} from 203.0.113.7 port 9 ssh2"
        for i, name in enumerate(names)
    ]
    read = read_text(SshdSyslog(), "\n".join(lines).encode())
    assert [row["user_name"] for row in read.rows["authentication"]] == names
    assert {row["user_known"] for row in read.rows["authentication"]} == {False}


def test_one_attempt_counts_once() -> None:
    said = [
        "Invalid user admin from 203.0.113.7 port 9",
        "pam_unix(sshd:auth): check pass; user unknown",
        "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=203.0.113.7",
        "Failed password for invalid user admin from 203.0.113.7 port 9 ssh2",
        "Received disconnect from 203.0.113.7 port 9:11: Bye Bye [preauth]",
        "Disconnected from invalid user admin 203.0.113.7 port 9 [preauth]",
    ]
    lines = [f"Mar 11 22:55:30 web1 sshd[77]: {each}" for each in said]
    read = read_text(SshdSyslog(), "\n".join(lines).encode())
    assert [row["line"] for row in read.rows["authentication"]] == [4]
    without_verdict = [line for line in lines if "Failed" not in line]
    read = read_text(SshdSyslog(), "\n".join(without_verdict).encode())
    assert [row["line"] for row in read.rows["authentication"]] == [1]
    only_pam = [line for line in lines if "pam_unix" in line]
    read = read_text(SshdSyslog(), "\n".join(only_pam).encode())
    assert [row["line"] for row in read.rows["authentication"]] == [2]


def test_pam_counts_its_further_failures() -> None:
    end = "logname= uid=0 euid=0 tty=ssh ruser= rhost=203.0.113.7  user=root"
    said = [f"pam_unix(sshd:auth): authentication failure; {end}", f"PAM 2 more authentication failures; {end}"]
    read = read_text(SshdSyslog(), "\n".join(f"Mar 11 22:55:30 web1 sshd[77]: {each}" for each in said).encode())
    assert [row["user_name"] for row in read.rows["authentication"]] == ["root"] * 3


@pytest.mark.parametrize(
    "said",
    [
        "Accepted key ED25519 SHA256:Zq0Yk3a found at /root/.ssh/authorized_keys:1",
        'Accepted certificate ID "x" (serial 0) signed by RSA CA SHA256:Zq via /etc/ssh/ca.pub',
        "Connection closed by 203.0.113.7 port 9 [preauth]",
        "Received disconnect from 203.0.113.7 port 9:11: Bye Bye [preauth]",
        "Disconnected from user fred 203.0.113.7 port 9",
        "Postponed keyboard-interactive for root from 203.0.113.7 port 9 ssh2 [preauth]",
        "pam_unix(sshd:session): session opened for user fred(uid=1000) by (uid=0)",
        "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=",
        "Failed to release session: No such file",
        "Unable to negotiate with 203.0.113.7 port 9: no matching host key type found. Their offer: ssh-rsa [preauth]",
        "refused connect from example.com (203.0.113.7)",
    ],
)
def test_what_is_no_verdict_gives_nothing(said: str) -> None:
    read = read_text(SshdSyslog(), f"Mar 11 22:55:30 web1 sshd[77]: {said}\n".encode())
    assert (read.rows, read.rejects) == ({}, [])


def test_a_verdict_without_its_end_is_a_reject() -> None:
    read = read_text(SshdSyslog(), b"Mar 11 22:55:30 web1 sshd[77]: Failed password for root from 203.0.113.7 po\n")
    assert read.rejects == [(1, "sshd verdict without a readable source")]


def test_certificate_ids_are_strangers_words_too() -> None:
    line = "Mar 11 22:55:30 web1 sshd[77]: {} publickey for root from 203.0.113.7 port 9 ssh2: RSA-CERT SHA256:a ID {}"
    end = " (serial 0) CA RSA SHA256:b"
    plain, forged = "laptop", "x from 198.51.100.66 port 22 ssh2: RSA-CERT SHA256:a ID y"
    assert _attributed(read_text(SshdSyslog(), (line.format("Failed", plain) + end).encode())) == ["203.0.113.7"]
    doubtful = read_text(SshdSyslog(), (line.format("Failed", forged) + end).encode())
    assert (doubtful.rows, len(doubtful.rejects)) == ({}, 1)
    # A certificate that was accepted was signed by a trusted hand, and the account exists.
    assert _attributed(read_text(SshdSyslog(), (line.format("Accepted", forged) + end).encode())) == ["203.0.113.7"]
    # sshd cuts a message at 1,024 bytes, so a long id can end in a forged end.
    cut = line.format("Failed", "A" * 900 + " from 198.51.100.66 port 22 ssh2")
    assert _attributed(read_text(SshdSyslog(), cut.encode())) == []


def test_another_program_cannot_speak_for_sshd() -> None:
    lines = [
        "Mar 11 22:55:30 web1 app[3]: sshd[9]: Failed password for root from 203.0.113.7 port 9 ssh2",
        "Mar 11 22:55:30 web1 sudo: sshd[9]: Failed password for root from 203.0.113.7 port 9 ssh2",
        "Mar 11 22:55:30 web1 mysshd[9]: Failed password for root from 203.0.113.7 port 9 ssh2",
        "<14>1 2026-03-11T22:55:30Z web1 app 3 - - sshd[9]: Failed password for root from 203.0.113.7 port 9 ssh2",
    ]
    read = read_text(SshdSyslog(), "\n".join(lines).encode())
    assert (read.rows, read.rejects) == ({}, [])


def _naive(text: str) -> datetime:
    """Rows hold UTC without saying so."""
    return datetime.fromisoformat(text)


def _times(stamps: list[str], modified_at: datetime = MODIFIED_AT) -> list[datetime]:
    lines = [
        f"{stamp} web1 sshd[{i}]: Failed password for root from 203.0.113.7 port 9 ssh2"
        for i, stamp in enumerate(stamps)
    ]
    read = read_text(SshdSyslog(), "\n".join(lines).encode(), modified_at)
    rows = sorted(read.rows["authentication"], key=lambda row: str(row["line"]).zfill(9))
    assert all(row["time_inferred"] for row in rows)
    assert len(read.notes) == 1
    return [moment for row in rows if isinstance(moment := row["time"], datetime)]


def test_years_are_counted_back_over_new_year() -> None:
    once = _times(["Dec 30 10:00:00", "Dec 31 23:59:59", "Jan  1 00:00:01"])
    assert [moment.year for moment in once] == [2025, 2025, 2026]
    twice = _times(["Nov  1 10:00:00", "Feb  1 10:00:00", "Dec  1 10:00:00", "Jan  5 10:00:00"])
    assert [moment.year for moment in twice] == [2024, 2025, 2025, 2026]
    late = ["Dec 31 23:59:58"] * 300 + ["Jan  1 00:00:00"] * 300 + ["Dec 31 23:59:59"] + ["Jan  1 00:00:01"] * 300
    years = [t.year for t in _times(late)]
    assert years[:300] == [2025] * 300
    assert years[300:600] == [2026] * 300
    assert years[600:] == [2025] + [2026] * 300


def test_a_start_before_the_clock_was_set_is_no_new_year() -> None:
    """A machine without a clock writes 1 January until it has the time; what stood before was moved a year back."""
    september = [f"Sep  {day} 10:00:00" for day in range(1, 9)]
    for start in (["Jan  1 00:00:07"] * 3, ["Feb 30 10:00:00"]):
        for back in ("Sep  8 10:01:00", "Sep 11 09:00:00"):
            told = _times([*september, *start, back], datetime(2026, 9, 12, tzinfo=UTC))
            assert [moment.year for moment in told] == [2026] * len(told)
    long = ["Sep  8 10:00:00"] * 300 + ["Jan  1 00:00:07"] * 3 + ["Sep  8 11:00:00"] * 900
    assert {moment.year for moment in _times(long, datetime(2026, 9, 12, tzinfo=UTC))} == {2026}


def test_no_line_is_dated_after_the_file_was_last_written() -> None:
    """A log of December, copied in January or looked at in November, is of the year before."""
    november = datetime(2026, 11, 24, tzinfo=UTC)
    assert [t.year for t in _times(["Dec 30 10:00:00", "Dec 31 10:00:00"], november)] == [2025, 2025]
    assert [t.year for t in _times(["Nov 25 01:00:00"], november)] == [2026]
    assert [t.year for t in _times(["Nov 28 01:00:00"], november)] == [2025]


def test_a_leap_day_needs_a_year_that_has_one() -> None:
    assert _times(["Feb 28 10:00:00", "Feb 29 10:00:00"]) == [
        _naive("2024-02-28T10:00:00"),
        _naive("2024-02-29T10:00:00"),
    ]


def test_other_programs_lines_tell_of_the_new_year() -> None:
    lines = "Dec 20 10:00:00 web1 sshd[1]: Failed password for root from 203.0.113.7 port 9 ssh2\n" + "".join(
        f"Jan  {day} 10:00:00 web1 CRON[7]: (root) CMD (true)\n" for day in range(1, 9)
    )
    [row] = read_text(SshdSyslog(), lines.encode()).rows["authentication"]
    assert row["time"] == _naive("2025-12-20T10:00:00")


def test_own_addresses_are_stated_once() -> None:
    said = [
        'Connection from 203.0.113.7 port 40001 on 10.0.0.5 port 22 rdomain ""',
        "Connection from 203.0.113.7 port 40002 on 10.0.0.5 port 22",
        "Connection from 127.0.0.1 port 40003 on 127.0.0.1 port 22",
        "Server listening on 0.0.0.0 port 22.",
        "Server listening on :: port 22.",
        "Server listening on 10.1.0.5 port 22.",
    ]
    read = read_text(SshdSyslog(), "\n".join(f"Mar 11 22:55:30 web1 sshd[77]: {each}" for each in said).encode())
    stated = [(row["device_name"], row["ip"], row["ground"]) for row in read.rows["device_inventory"]]
    assert sorted(stated) == [("web1", "10.0.0.5", "sshd_connection"), ("web1", "10.1.0.5", "sshd_connection")]
