"""The headers of syslog lines as SQL text, for every source that reads lines syslog wrote.

Three families: RFC 3164 (`Mar  1 12:00:00 host sshd[1]: ...`, no year, the host's own clock),
RFC 5424 (`<38>1 2026-03-01T12:00:00Z host sshd 1 - - ...`) and rsyslog's ISO stamps
(`2026-03-01T12:00:00.123+01:00 host sshd[1]: ...`), each with or without `<PRI>`.

Everything is anchored at the start of the line: text that looks like a header further in is some
program's message, and no event.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from davylamp.kit.engine import literal

_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_PRI = "(?:<[0-9]{1,3}>)?"
_CLOCK = "[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.][0-9]+)?"
# Brackets belong to programs (`sshd[1]:`), never to host names, so a line without a host cannot
# pass its program for one.
_HOST = r"(?:([^ \[\]]+) )?"
_PLAIN_GROUPS = ("stamp", "host", "program", "pid")
_LEVEL = "(?:(?:EMERG|ALERT|CRIT|ERR|ERROR|WARNING|NOTICE|INFO|DEBUG) )?"
# busybox's syslogd puts facility and level after the host: `alpine auth.info sshd[1]: `.
_FACILITY = r"(?:[a-z]+[0-7]?\.(?:emerg|panic|alert|crit|err|error|warn|warning|notice|info|debug) )?"
_AFTER_TAG = r"(?: <[^>]*>)?: *"
# Solaris repeats facility and severity before the text: `sshd[1]: [ID 800047 auth.info] Accepted ...`.
_MESSAGE_ID = r"^\[ID [0-9]+ [a-z0-9.]+\] "
_ELEMENTS = r'(?:-|(?:\[(?:[^\]\\"]|\\.|"(?:[^"\\]|\\.)*")*\])+)'
# What journalctl writes between and around lines: `-- Boot 5c1d... --`, `-- Journal begins at ...; ends at ... --`.
_BANNER = "^-- [A-Z].* --$"
# A line of every 64 carries its day along so that a new year can be seen in programs' lines that
# give no event; around new year, and in short files, every line does.
_MARKED = "(line < 10000 OR line % 64 = 0 OR month IN (1, 12))"
# Files whose months run backwards more often than this are not in time order at all.
_NEW_YEARS_MAX_COUNT = 50
# Days as month * 32 + day. Relays deliver a few lines of 30 and 31 December after the first of January.
_NEW_YEAR_KEY = 34
_YEAR_END_KEY = 414
_LATE_LINES_COUNT = 100_000
_LONG_BACK, _SOON_AFTER = 192, 8
"""Half a year, and a week, of such days."""
_LEAP_YEAR = 2024
_NEAR_YEAR = f"""(last_year - coalesce(list_sum(list_transform(new_year_lines, lambda first_line:
    CASE WHEN line < first_line OR (month * 32 + day >= {_YEAR_END_KEY} AND line < first_line + {_LATE_LINES_COUNT})
    THEN 1 ELSE 0 END)), 0))"""

STAMP = rf"^{_PRI}(?:{_MONTH} {{1,2}}[0-9]{{1,2}}(?: [0-9]{{4}})? |(?:1 )?[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ]){_CLOCK}"


# `Mon Mar  3 04:05:06 2025 auth.info sshd[1]: ` (OpenWrt's logread) and `Mon 2025-03-03 04:05:06 CET web1 sshd[1]: `
# (journalctl -o short-full) as the stamps that everybody else writes.
_WEEKDAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) "
_LOGREAD = rf"^{_WEEKDAY}({_MONTH} [ 0-9][0-9]) ({_CLOCK}) ([0-9]{{4}}) (?:[a-z]+[0-7]?\.[a-z]+ )?"
_FULL = rf"^{_WEEKDAY}([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}) ({_CLOCK}) (?:([A-Z]{{2,5}})|([+-][0-9]{{2,4}})) "
_BEGINS_WITH_WEEKDAY, _NAMES_A_ZONE = re.compile(f"{_LOGREAD}|{_FULL}"), re.compile(_FULL)
# CloudWatch Logs writes an event's instant before each line it exports. A stamp without year and zone gives way to it;
# one that has both is the host's own word and stays.
_EXPORT_STAMP = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"
_EXPORTED_CLASSIC = re.compile(rf"^({_EXPORT_STAMP}) {_PRI}{_MONTH} {{1,2}}[0-9]{{1,2}} {_CLOCK} ")
_EXPORTED_ISO = re.compile(rf"^{_EXPORT_STAMP} ((?:{_PRI}(?:1 )?[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ]{_CLOCK}))")
_EXPORTED = re.compile(f"{_EXPORTED_CLASSIC.pattern}|{_EXPORTED_ISO.pattern}")
ZONE_NOTE = "stamps name their zone by an abbreviation, which several zones share: times are taken for UTC"


def begins_with_weekday(text: str) -> bool:
    """Whether a line has one of the two stamps that begin with the day of the week."""
    return text[3:4] == " " and _BEGINS_WITH_WEEKDAY.match(text) is not None


def names_a_zone(text: str) -> bool:
    """Whether a line's stamp ends in an abbreviation that is not UTC's."""
    found = _NAMES_A_ZONE.match(text) if text[3:4] == " " else None
    return found is not None and found.group(3) not in (None, "UTC", "GMT")


def is_exported(text: str) -> bool:
    """Whether CloudWatch Logs put its own stamp before a line that has one."""
    return text[10:11] == "T" and _EXPORTED.match(text) is not None


def usual(text: str) -> str:
    """The line with its stamp as `STAMP` knows it; other lines as they are."""
    if is_exported(text):
        return _EXPORTED_ISO.sub(r"\1", _EXPORTED_CLASSIC.sub(r"\1 ", text))
    if begins_with_weekday(text):
        return re.sub(_FULL, r"\1T\2 ", re.sub(_LOGREAD, r"\1 \3 \2 ", text))
    return text


def as_usual(lines: Iterable[str]) -> str:
    """The same as a relation over `records`; `lines` are the file's first, and say whether there is anything to do."""
    lines = tuple(lines)
    records = "records"
    if any(map(is_exported, lines)):
        records = f"""(SELECT line, byte_offset, regexp_replace(regexp_replace(text,
            {literal(_EXPORTED_CLASSIC.pattern)}, '\\1 '),
            {literal(_EXPORTED_ISO.pattern)}, '\\1') AS text FROM records)"""
    if any(map(begins_with_weekday, lines)):
        logread = f"regexp_replace(text, {literal(_LOGREAD)}, '\\1 \\3 \\2 ')"
        records = f"""(SELECT line, byte_offset, CASE WHEN substr(text, 4, 1) <> ' ' THEN text
            WHEN substr(text, 5, 1) >= 'A' THEN {logread}
            ELSE regexp_replace(text, {literal(_FULL)}, '\\1T\\2\\4 ') END AS text FROM {records} AS exported)"""
    return records


def headed(needle: str, program: str, tagged: str = r"(?:\[([0-9]+)\])?", relation: str = "records") -> str:
    """A SELECT that takes the header off the lines of some programs.

    Args:
        needle: SQL condition over `text`, cheap, true for every line that could matter.
        program: regular expression of the program's name, without groups.
        tagged: what may follow the name, with one group for the process id.
        relation: lines as text, line, byte_offset.

    Returns:
        SQL for `line`, `byte_offset`, `is_needed`, `is_blank`, `is_stamped`, `has_year`, `month`, `day`, `year`,
        `stamped_at` (of a stamp without a year: in a leap year, for `dated()`), `device_name`, `program`,
        `process_pid`, `message` (null for other programs).
    """
    plain = f"""SELECT line, byte_offset, text, is_needed, {_plain_head(program)} AS plain
        FROM (SELECT line, byte_offset, text, {needle} AS is_needed FROM {relation} AS raw_lines) AS needed"""
    starts = f"""SELECT *, CASE WHEN is_plain THEN TRUE ELSE regexp_matches(text, {literal(STAMP)}) END AS is_stamped,
        CASE WHEN starts_with(text, '<') THEN regexp_replace(text, '^<[0-9]{{1,3}}>', '') ELSE text END AS body
        FROM (SELECT *, coalesce(plain.pid <> '' AND (text < 'A'
            OR strpos({literal(_MONTHS)}, substr(text, 1, 3)) % 3 = 1), FALSE) AS is_plain
            FROM ({plain}) AS plain_heads) AS marked"""
    days = f"""SELECT *,
        CASE WHEN is_stamped AND body >= 'A' THEN (strpos({literal(_MONTHS)}, substr(body, 1, 3)) + 2) // 3 END AS month
        FROM ({starts}) AS starts"""
    heads = f"""SELECT line, byte_offset, text, is_needed, is_stamped, month, plain, is_plain,
        CASE WHEN month IS NOT NULL THEN TRY_CAST(substr(body, 5, 2) AS INTEGER) END AS day,
        month IS NULL OR NOT contains(substr(body, 9, 2), ':') AS has_year, {_head(program, tagged)} AS head
        FROM ({days}) AS days"""
    bodies = f"""SELECT *, CASE WHEN is_plain THEN substr(text, length(plain.stamp) + length(plain.host)
                + length(plain.program) + length(plain.pid) + 7)
            WHEN head.whole <> '' THEN substr(text, length(head.whole) + 1) END AS body
            FROM ({heads}) AS heads"""
    return f"""SELECT * EXCLUDE (clock) REPLACE (CASE WHEN month IS NULL THEN stamped_at WHEN message IS NOT NULL THEN
            TRY_CAST(concat(coalesce(year, {_LEAP_YEAR}), '-', month, '-', day, ' ', clock) AS TIMESTAMP) END
            AS stamped_at)
        FROM (SELECT {_HEADED} FROM ({bodies}) AS bodies) AS headed"""


def _plain_head(program: str) -> str:
    """The header's parts where a needed line has one of the two common shapes.

    With at most four groups and nothing to choose between, RE2 reads them in one pass, four times faster than the
    general ones. What they take is a subset of STAMP.
    """
    tag = rf"([^ \[\]]+) ({program})\[([0-9]+)\]: "
    classic = rf"^([A-Z][a-z]{{2}} [ 0-9][0-9] [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}) {tag}"
    iso = (
        rf"^([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(?:\.[0-9]+)?(?:Z|[+-][0-9]{{2}}:?[0-9]{{2}}))"
        rf" {tag}"
    )
    return f"""CASE WHEN NOT is_needed THEN NULL
            WHEN text >= 'A' THEN {_extract(classic, _PLAIN_GROUPS)}
            ELSE {_extract(iso, _PLAIN_GROUPS)} END"""


def _head(program: str, tagged: str) -> str:
    """The header's parts, in one of the three families, of a needed line of any other shape."""
    tag = rf"(?:[^ ]*/)?({program}){tagged}{_AFTER_TAG}"
    classic = (
        rf"^({_PRI}{_MONTH} {{1,2}}[0-9]{{1,2}}(?: ([0-9]{{4}}))? ({_CLOCK}):? (?:<[^>]*> )?{_HOST}{_FACILITY}{tag})"
    )
    zone = r"(Z|[+-][0-9]{2}:?[0-9]{2})?"
    iso = rf"^({_PRI}([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ]{_CLOCK}){zone} {{1,2}}{_LEVEL}{_HOST}{_FACILITY}{tag})"
    structured = (
        rf"^({_PRI}1 ([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_CLOCK}){zone} ([^ ]+) (?:[^ ]*/)?({program}) ([^ ]+) [^ ]+ "
        rf"{_ELEMENTS} ?(?:\x{{FEFF}})?)"
    )
    return f"""CASE WHEN is_plain OR NOT is_needed OR NOT is_stamped THEN NULL
            WHEN month IS NOT NULL THEN {_extract(classic)}
            WHEN starts_with(body, '1 ') THEN {_extract(structured)} ELSE {_extract(iso)} END"""


def _extract(pattern: str, names: tuple[str, ...] = ("whole", "first", "second", "host", "program", "pid")) -> str:
    return f"regexp_extract(text, {literal(pattern)}, [{', '.join(literal(name) for name in names)}])"


def _instant(clock: str, zone: str) -> str:
    offset_minutes = (
        f"CASE WHEN {zone} IN ('', 'Z') THEN 0 ELSE (CASE WHEN starts_with({zone}, '-') THEN -1 ELSE 1 END)"
        f" * (TRY_CAST(substr({zone}, 2, 2) AS INTEGER) * 60 + TRY_CAST(right({zone}, 2) AS INTEGER)) END"
    )
    return f"TRY_CAST({clock} AS TIMESTAMP) - to_minutes({offset_minutes})"


_PLAIN_INSTANT = f"""CASE WHEN ends_with(plain.stamp, 'Z') OR ends_with(plain.stamp, '+00:00')
            THEN TRY_CAST(plain.stamp AS TIMESTAMP)
        WHEN substr(plain.stamp, -3, 1) = ':' THEN {_instant("left(plain.stamp, -6)", "right(plain.stamp, 6)")}
        ELSE {_instant("left(plain.stamp, -5)", "right(plain.stamp, 5)")} END"""
_HEADED = f"""line, byte_offset, is_needed, is_stamped, has_year, month, day,
        CASE WHEN is_stamped THEN FALSE
            ELSE trim(text) = '' OR regexp_matches(text, {literal(_BANNER)}) END AS is_blank,
        CASE WHEN month IS NOT NULL THEN TRY_CAST(head.first AS INTEGER) END AS year,
        CASE WHEN month IS NULL THEN NULL WHEN is_plain THEN substr(plain.stamp, 8) ELSE head.second END AS clock,
        CASE WHEN month IS NOT NULL THEN NULL WHEN is_plain THEN {_PLAIN_INSTANT}
            WHEN head.whole <> '' THEN {_instant("head.first", "head.second")} END AS stamped_at,
        CASE WHEN is_plain THEN nullif(plain.host, '-') ELSE nullif(nullif(head.host, ''), '-') END AS device_name,
        CASE WHEN is_plain THEN plain.program ELSE nullif(head.program, '') END AS program,
        TRY_CAST(CASE WHEN is_plain THEN plain.pid ELSE head.pid END AS BIGINT) AS process_pid,
        CASE WHEN body IS NULL THEN NULL WHEN starts_with(body, '[ID ')
            THEN regexp_replace(body, {literal(_MESSAGE_ID)}, '') ELSE body END AS message"""
"""What `headed()` says of a line, from the parts of its header."""


def marks_year() -> str:
    """A SQL condition over `headed()`: the line helps to see where a year begins."""
    return f"(NOT has_year AND is_stamped AND {_MARKED})"


def no_such_day() -> str:
    """A SQL condition over `headed()`, of lines with a message: the stamp has the right shape and names no instant."""
    return "stamped_at IS NULL"


def dated(relation: str, modified_at: datetime) -> str:
    """A SELECT that adds `time` and `time_inferred` to rows of `headed()`.

    Stamps without a year are dated backwards from the file's last line, which is given the latest
    year in which it is not after the file's modification time (with two days for zones and clocks);
    where the day of the year falls back by more than half a year, a year begins. 29 February moves
    the whole file to a year that has one.
    """
    modified_key = modified_at.month * 32 + modified_at.day + 2
    return f"""
    WITH blocks AS (SELECT line // 256 AS block, month * 32 + day AS day_key, min(line) AS first_line,
            max(line) AS final_line
        FROM {relation} AS stamped WHERE NOT has_year AND month > 0 GROUP BY 1, 2),
    neighbours AS (SELECT *, lag(day_key) OVER (ORDER BY first_line) AS key_before,
            lag(final_line) OVER (ORDER BY first_line) AS line_before,
            lead(day_key) OVER (ORDER BY first_line) AS key_after
        FROM blocks),
    -- A day alone, from which the log returns to where it was: a machine without a clock starts on 1 January.
    settled AS (SELECT first_line, day_key FROM neighbours WHERE NOT coalesce(
        key_before - day_key > {_LONG_BACK} AND NOT (key_before >= {_YEAR_END_KEY} AND day_key <= {_NEW_YEAR_KEY})
        AND (line_before > first_line OR key_after BETWEEN key_before AND key_before + {_SOON_AFTER}), false)),
    days_in_order AS (SELECT first_line, day_key, coalesce(min(day_key) OVER (ORDER BY first_line
            ROWS BETWEEN 8 PRECEDING AND 1 PRECEDING), 999) <= {_NEW_YEAR_KEY} AND day_key >= {_YEAR_END_KEY} AS is_late
        FROM settled),
    steps AS (SELECT first_line, day_key - lag(day_key) OVER (ORDER BY first_line) AS moved_days
        FROM days_in_order WHERE NOT is_late),
    new_years AS (SELECT first_line FROM steps WHERE moved_days < -{_LONG_BACK} ORDER BY first_line
        LIMIT {_NEW_YEARS_MAX_COUNT}),
    turns AS (SELECT coalesce(list(first_line), []) AS new_year_lines FROM new_years),
    ends AS (SELECT {modified_at.year} - CASE WHEN coalesce(arg_max(day_key, first_line), 0) > {modified_key}
        THEN 1 ELSE 0 END AS last_year FROM days_in_order WHERE NOT is_late),
    leap AS (SELECT coalesce(max({_NEAR_YEAR} % 4), 0) AS years_back FROM {relation} AS rows CROSS JOIN turns
        CROSS JOIN ends WHERE NOT has_year AND month = 2 AND day = 29)
    SELECT rows.*, CASE WHEN stamped_at IS NULL OR month IS NULL OR year IS NOT NULL THEN stamped_at
            -- The day first: the year before last may have no 29 February.
            ELSE TRY(make_date(CAST({_NEAR_YEAR} - years_back AS BIGINT), month, day))
                + (stamped_at - make_date({_LEAP_YEAR}, month, day)) END AS time,
        NOT has_year AS time_inferred
    FROM {relation} AS rows CROSS JOIN turns CROSS JOIN ends CROSS JOIN leap"""


def year_note(modified_at: datetime) -> str:
    """The sentence for the coverage row of a file whose stamps have no year."""
    return (
        "stamps have no year and no zone: the last line is given the latest year in which it is not after the file's "
        f"modification on {modified_at:%Y-%m-%d}, earlier years by counting back over new year, and all times UTC"
    )
