"""The headers of syslog lines as SQL text, for every source that reads lines syslog wrote.

Three families: RFC 3164 (`Mar  1 12:00:00 host sshd[1]: ...`, no year, the host's own clock),
RFC 5424 (`<38>1 2026-03-01T12:00:00Z host sshd 1 - - ...`) and rsyslog's ISO stamps
(`2026-03-01T12:00:00.123+01:00 host sshd[1]: ...`), each with or without `<PRI>`.

Everything is anchored at the start of the line: text that looks like a header further in is some
program's message, and no event.
"""

from __future__ import annotations

from datetime import datetime

from davylamp.kit.engine import literal

_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_PRI = "(?:<[0-9]{1,3}>)?"
_CLOCK = "[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.][0-9]+)?"
# Brackets belong to programs (`sshd[1]:`), never to host names, so a line without a host cannot
# pass its program for one.
_HOST = r"(?:([^ \[\]]+) )?"
_LEVEL = "(?:(?:EMERG|ALERT|CRIT|ERR|ERROR|WARNING|NOTICE|INFO|DEBUG) )?"
_AFTER_TAG = r"(?: <[^>]*>)?: *"
# Solaris repeats facility and severity before the text: `sshd[1]: [ID 800047 auth.info] Accepted ...`.
_MESSAGE_ID = r"^\[ID [0-9]+ [a-z0-9.]+\] "
_ELEMENTS = r'(?:-|(?:\[(?:[^\]\\"]|\\.|"(?:[^"\\]|\\.)*")*\])+)'
# A line of every 64 carries its day along so that a new year can be seen in programs' lines that
# give no event; around new year, and in short files, every line does.
_MARKED = "(line < 10000 OR line % 64 = 0 OR month IN (1, 12))"
# Files whose months run backwards more often than this are not in time order at all.
_NEW_YEARS_MAX_COUNT = 50
# Days as month * 32 + day. Relays deliver a few lines of 30 and 31 December after the first of January.
_NEW_YEAR_KEY = 34
_YEAR_END_KEY = 414
_LATE_LINES_COUNT = 100_000

STAMP = rf"^{_PRI}(?:{_MONTH} {{1,2}}[0-9]{{1,2}}(?: [0-9]{{4}})? |(?:1 )?[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ]){_CLOCK}"


def headed(needle: str, program: str, tagged: str = r"(?:\[([0-9]+)\])?", relation: str = "records") -> str:
    """A SELECT that takes the header off the lines of some programs.

    Args:
        needle: SQL condition over `text`, cheap, true for every line that could matter.
        program: regular expression of the program's name, without groups.
        tagged: what may follow the name, with one group for the process id.
        relation: lines as text, line, byte_offset.

    Returns:
        SQL for `line`, `byte_offset`, `is_blank`, `is_stamped`, `has_year`, `month`, `day`, `year`,
        `clock`, `stamped_at`, `device_name`, `program`, `process_pid`, `message` (null for other
        programs).
    """
    tag = rf"(?:[^ ]*/)?({program}){tagged}{_AFTER_TAG}"
    classic = rf"^({_PRI}{_MONTH} {{1,2}}[0-9]{{1,2}}(?: ([0-9]{{4}}))? ({_CLOCK}):? (?:<[^>]*> )?{_HOST}{tag})"
    zone = r"(Z|[+-][0-9]{2}:?[0-9]{2})?"
    iso = rf"^({_PRI}([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ]{_CLOCK}){zone} {_LEVEL}{_HOST}{tag})"
    structured = (
        rf"^({_PRI}1 ([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_CLOCK}){zone} ([^ ]+) (?:[^ ]*/)?({program}) ([^ ]+) [^ ]+ "
        rf"{_ELEMENTS} ?(?:\x{{FEFF}})?)"
    )
    # The common shapes again without options: an expression that never has to choose runs five times faster.
    plain_tag = rf"([^ \[\]]+) ({program})\[([0-9]+)\]: "
    plain = rf"^([A-Z][a-z]{{2}} [ 0-9][0-9]() ([0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}) {plain_tag})"
    plain_iso = (
        rf"^(([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T[0-9:]{{8}}(?:\.[0-9]+)?)(Z|[+-][0-9]{{2}}:?[0-9]{{2}}) {plain_tag})"
    )
    starts = f"""SELECT line, byte_offset, text, {needle} AS is_needed,
        regexp_matches(text, {literal(STAMP)}) AS is_stamped,
        CASE WHEN starts_with(text, '<') THEN regexp_replace(text, '^<[0-9]{{1,3}}>', '') ELSE text END AS body
        FROM {relation} AS raw_lines"""
    days = f"""SELECT line, byte_offset, text, is_stamped, is_needed AND is_stamped AS is_needed, body,
        CASE WHEN is_stamped AND body >= 'A' THEN (strpos({literal(_MONTHS)}, substr(body, 1, 3)) + 2) // 3 END AS month
        FROM ({starts}) AS starts"""
    plain_heads = f"""SELECT *, CASE WHEN NOT is_needed THEN NULL WHEN month IS NOT NULL THEN {_extract(plain)}
            ELSE {_extract(plain_iso)} END AS plain_head FROM ({days}) AS days"""
    heads = f"""SELECT line, byte_offset, text, is_stamped, month,
        CASE WHEN month IS NOT NULL THEN TRY_CAST(substr(body, 5, 2) AS INTEGER) END AS day,
        month IS NULL OR NOT contains(substr(body, 9, 2), ':') AS has_year,
        CASE WHEN NOT is_needed THEN NULL WHEN plain_head.whole <> '' THEN plain_head
            WHEN month IS NOT NULL THEN {_extract(classic)}
            WHEN starts_with(body, '1 ') THEN {_extract(structured)} ELSE {_extract(iso)} END AS head
        FROM ({plain_heads}) AS plain_heads"""
    return f"""SELECT line, byte_offset, is_stamped, has_year, month, day,
        CASE WHEN NOT is_stamped THEN trim(text) = '' ELSE FALSE END AS is_blank,
        CASE WHEN month IS NOT NULL THEN TRY_CAST(head.first AS INTEGER) END AS year,
        CASE WHEN month IS NOT NULL THEN head.second END AS clock,
        CASE WHEN month IS NULL AND head.whole <> '' THEN {_instant("head.first", "head.second")} END AS stamped_at,
        nullif(nullif(head.host, ''), '-') AS device_name, nullif(head.program, '') AS program,
        TRY_CAST(head.pid AS BIGINT) AS process_pid,
        CASE WHEN head.whole IS NULL OR head.whole = '' THEN NULL WHEN starts_with(body, '[ID ')
            THEN regexp_replace(body, {literal(_MESSAGE_ID)}, '') ELSE body END AS message
        FROM (SELECT *, substr(text, length(head.whole) + 1) AS body FROM ({heads}) AS heads) AS bodies"""


def _extract(pattern: str) -> str:
    return f"regexp_extract(text, {literal(pattern)}, ['whole', 'first', 'second', 'host', 'program', 'pid'])"


def _instant(clock: str, zone: str) -> str:
    offset_minutes = (
        f"CASE WHEN {zone} IN ('', 'Z') THEN 0 ELSE (CASE WHEN starts_with({zone}, '-') THEN -1 ELSE 1 END)"
        f" * (TRY_CAST(substr({zone}, 2, 2) AS INTEGER) * 60 + TRY_CAST(right({zone}, 2) AS INTEGER)) END"
    )
    return f"TRY_CAST({clock} AS TIMESTAMP) - to_minutes({offset_minutes})"


def marks_year() -> str:
    """A SQL condition over `headed()`: the line helps to see where a year begins."""
    return f"(NOT has_year AND is_stamped AND {_MARKED})"


def no_such_day() -> str:
    """A SQL condition over `headed()`: the stamp has the right shape and names no instant."""
    return """(CASE WHEN month IS NOT NULL THEN TRY_CAST(concat(coalesce(year, 2024), '-', month, '-', day, ' ', clock)
        AS TIMESTAMP) IS NULL ELSE stamped_at IS NULL END)"""


def dated(relation: str, modified_at: datetime) -> str:
    """A SELECT that adds `time` and `time_inferred` to rows of `headed()`.

    Stamps without a year are dated backwards from the file's last line, which is given the latest
    year in which it is not after the file's modification time (with two days for zones and clocks);
    where the day of the year falls back by more than half a year, a year begins. 29 February moves
    the whole file to a year that has one.
    """
    modified_key = modified_at.month * 32 + modified_at.day + 2
    return f"""
    WITH blocks AS (SELECT line // 256 AS block, month * 32 + day AS day_key, min(line) AS first_line
        FROM {relation} AS stamped WHERE NOT has_year AND month > 0 GROUP BY 1, 2),
    days_in_order AS (SELECT first_line, day_key, coalesce(min(day_key) OVER (ORDER BY first_line
            ROWS BETWEEN 8 PRECEDING AND 1 PRECEDING), 999) <= {_NEW_YEAR_KEY} AND day_key >= {_YEAR_END_KEY} AS is_late
        FROM blocks),
    steps AS (SELECT first_line, day_key - lag(day_key) OVER (ORDER BY first_line) AS moved_days
        FROM days_in_order WHERE NOT is_late),
    new_years AS (SELECT first_line FROM steps WHERE moved_days < -192 ORDER BY first_line
        LIMIT {_NEW_YEARS_MAX_COUNT}),
    turns AS (SELECT coalesce(list(first_line), []) AS new_year_lines FROM new_years),
    ends AS (SELECT {modified_at.year} - CASE WHEN coalesce(arg_max(day_key, first_line), 0) > {modified_key}
        THEN 1 ELSE 0 END AS last_year FROM days_in_order WHERE NOT is_late),
    undated AS (SELECT rows.*, last_year - coalesce(list_sum(list_transform(new_year_lines,
            lambda first_line: CASE WHEN line < first_line OR (month * 32 + day >= {_YEAR_END_KEY}
                AND line < first_line + {_LATE_LINES_COUNT}) THEN 1 ELSE 0 END)), 0) AS near_year
        FROM {relation} AS rows CROSS JOIN turns CROSS JOIN ends),
    leap AS (SELECT coalesce(max(CASE WHEN NOT has_year AND month = 2 AND day = 29 THEN near_year % 4 END), 0)
        AS years_back FROM undated)
    SELECT undated.*, coalesce(stamped_at, TRY_CAST(concat(coalesce(year, near_year - years_back), '-', month, '-', day,
            ' ', clock) AS TIMESTAMP)) AS time,
        NOT has_year AS time_inferred
    FROM undated CROSS JOIN leap"""


def year_note(modified_at: datetime) -> str:
    """The sentence for the coverage row of a file whose stamps have no year."""
    return (
        "stamps have no year and no zone: the last line is given the latest year in which it is not after the file's "
        f"modification on {modified_at:%Y-%m-%d}, earlier years by counting back over new year, and all times UTC"
    )
