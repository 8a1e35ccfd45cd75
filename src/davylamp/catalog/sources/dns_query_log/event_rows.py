"""Event rows from what each message says: dnsmasq's answers are joined to the question they follow.

dnsmasq writes the lines of one answer one after another: the name asked for, `<CNAME>`, the next name, and so on. Such
a run goes to the latest question for its first name (and of its address family, since the lines do not say the type),
or to the question with its serial number.

What is sorted holds numbers alone, since sorting is what costs: names stand there as hashes, and of a line only its
number. Five million lines take a quarter of the time that the same sorts with names and answers took.
"""

from __future__ import annotations

_FAMILY = """CASE WHEN contains(value, ':') OR value = 'NODATA-IPv6' THEN 'AAAA'
            WHEN regexp_full_match(value, '[0-9.]+') OR value = 'NODATA-IPv4' THEN 'A' END"""
_LOGGED_AGAIN = """SELECT line FROM (SELECT line, is_reply,
            lead(is_reply) OVER (PARTITION BY src_ip, name, query_type ORDER BY line) AS reply_follows
            FROM questions WHERE is_reply IS NOT NULL) AS replies
        WHERE NOT is_reply AND reply_follows"""

# The lines of one answer are a run; most answers are one line, and need no grouping. A question between two lines ends
# a run, and so does the other family: no answer has both. What two names with one hash join here, `_RUNS` parts again.
_NEIGHBOURS = """SELECT line, goes_on, is_followed FROM (
            SELECT line, is_answer,
                coalesce(lag(is_alias) OVER w OR lag(name_hash) OVER w = name_hash, FALSE) AS goes_on,
                coalesce(is_alias OR lead(name_hash) OVER w = name_hash, FALSE) AS is_followed
            FROM (
                SELECT process_pid, serial, line, TRUE AS is_answer, value = '<CNAME>' AS is_alias,
                    hash(name, contains(value, ':') OR value = 'NODATA-IPv6') AS name_hash
                FROM answer_lines
                UNION ALL SELECT process_pid, serial, line, FALSE, FALSE, NULL FROM question_lines
                WHERE coalesce(process_pid, -1) IN (SELECT DISTINCT coalesce(process_pid, -1) FROM answer_lines)
            ) AS hashed
            WINDOW w AS (PARTITION BY process_pid, serial ORDER BY line)) AS beside WHERE is_answer"""
_RUN_LINES = "SELECT line, goes_on FROM neighbours WHERE goes_on OR is_followed"
_RUNS = """SELECT *, sum(CASE WHEN goes_on AND (before_value = '<CNAME>' OR before_name = name) THEN 0 ELSE 1 END)
            OVER (PARTITION BY process_pid, serial ORDER BY line ROWS UNBOUNDED PRECEDING) AS run
        FROM (SELECT dated_answers.*, goes_on, lag(value) OVER w AS before_value, lag(name) OVER w AS before_name,
                lead(name) OVER w AS after_name
            FROM dated_answers JOIN run_lines USING (line)
            WINDOW w AS (PARTITION BY process_pid, serial ORDER BY line)) AS beside"""
_RUN_ANSWERS = f"""SELECT *, {_FAMILY} AS family
        FROM (SELECT serial, line, name, given, given[-1] AS value, action, time
            FROM (SELECT serial, min(line) AS line, arg_min(name, line) AS name,
                list(CASE WHEN value = '<CNAME>' THEN after_name ELSE value END ORDER BY line) AS given,
                max(action) AS action, max(time) AS time
                FROM runs GROUP BY process_pid, serial, run) AS grouped) AS last_given"""
_ANSWERS = f"""SELECT serial, line, name, {_FAMILY} AS family, action, time FROM dated_answers
            ANTI JOIN run_lines USING (line)
        UNION ALL SELECT serial, line, name, family, action, time FROM run_answers"""

# What an answer must share with its question beside the name: the serial number; else the family, where it tells one.
# Of a digest, so that nobody can make a name that takes the answers of another; shorter than one, since it is sorted.
_MEANT = """SELECT
            hash(md5_number(concat(CASE WHEN serial IS NOT NULL THEN concat('#', serial) ELSE family END, ' ', name)))
            AS key, line, action IS NOT NULL AS is_blocked, CASE WHEN serial IS NULL THEN time END AS time
        FROM answers"""
_UNSURE = f"SELECT name FROM answer_lines WHERE serial IS NULL AND {_FAMILY} IS NULL"
_ASKED = """SELECT hash(md5_number(concat(shared, ' ', name))) AS key, line, time FROM (
            SELECT query_type AS shared, name, line, time FROM questions
            UNION ALL SELECT '', name, line, time FROM questions SEMI JOIN unsure USING (name)
            UNION ALL SELECT concat('#', serial), name, line, time FROM questions WHERE serial IS NOT NULL) AS shares"""
_PLACED = """SELECT q.line AS question_line, min(a.line) AS line, bool_or(a.is_blocked) AS is_blocked
        FROM meant AS a ASOF JOIN asked AS q ON a.key = q.key AND a.line > q.line
        WHERE a.time IS NULL OR a.time - q.time < INTERVAL 1 MINUTE GROUP BY question_line"""
_TOLD = "SELECT question_line, line, value, is_blocked FROM placed JOIN answer_lines USING (line)"
# Lists come last: kept for a join, one takes many times the room of its text.
_ANSWERED = """SELECT q.* REPLACE (CASE WHEN told.is_blocked THEN 'block' END AS action),
            CASE WHEN run_answers.line IS NOT NULL THEN run_answers.given WHEN told.line IS NOT NULL THEN [told.value]
                END AS given
        FROM questions AS q LEFT JOIN told ON told.question_line = q.line
            LEFT JOIN run_answers ON run_answers.line = told.line"""
_STEPS = {
    "dated_answers": "SELECT * FROM rows WHERE kind = 'answer'",
    "questions": "SELECT * FROM rows WHERE kind = 'question'",
    "logged_again": _LOGGED_AGAIN,
    "neighbours": _NEIGHBOURS,
    "run_lines": _RUN_LINES,
    "runs": _RUNS,
    "run_answers": _RUN_ANSWERS,
    "answers": _ANSWERS,
    "meant": _MEANT,
    "unsure": _UNSURE,
    "asked": _ASKED,
    "placed": _PLACED,
    "told": _TOLD,
    "answered": _ANSWERED,
}
# Kept, all but these would fill the memory; the staged rows are read again where they are needed, each time only the
# columns asked for.
_KEPT = ("run_lines", "run_answers")


def questions(staged: str, relation: str) -> str:
    """A SELECT of `dns_activity` rows, one a question.

    Args:
        staged: rows of `grammar.parsed()`.
        relation: the same with `time`, which costs as much as all else that is read: not every step needs it.
    """
    steps = ",\n    ".join(
        f"{name} AS {'' if name in _KEPT else 'NOT '}MATERIALIZED ({select})" for name, select in _STEPS.items()
    )
    return f"""
    WITH rows AS NOT MATERIALIZED (SELECT * FROM {relation} AS dated WHERE reject IS NULL AND time IS NOT NULL),
    answer_lines AS NOT MATERIALIZED (SELECT * FROM {staged} WHERE kind = 'answer' AND reject IS NULL),
    question_lines AS NOT MATERIALIZED (SELECT * FROM {staged} WHERE kind = 'question' AND reject IS NULL),
    {steps}
    SELECT q.time, q.name AS query_name, q.query_type,
        CASE WHEN q.given IS NOT NULL THEN list_filter(q.given, lambda each:
            each NOT IN ('NXDOMAIN', 'SERVFAIL', 'REFUSED') AND NOT starts_with(each, 'NODATA')
            AND NOT starts_with(each, '<')) END AS answers,
        coalesce(q.rcode, CASE WHEN q.given[-1] IN ('NXDOMAIN', 'SERVFAIL', 'REFUSED') THEN q.given[-1]
            WHEN q.given IS NOT NULL THEN 'NOERROR' END) AS rcode,
        q.resolver_ip, q.protocol, q.action, q.src_ip, q.src_port,
        CASE WHEN q.src_ip IN ('127.0.0.1', '::1') THEN q.device_name END AS device_name, q.line, q.byte_offset
    FROM answered AS q ANTI JOIN logged_again USING (line)"""


def leases(relation: str) -> str:
    """A SELECT of `device_inventory` rows: renewals of one lease by one machine are one statement."""
    return f"""SELECT min(time) AS time, 'dhcp_lease' AS ground, lease_name AS device_name, ip, mac,
        min(line) AS line, min(byte_offset) AS byte_offset
        FROM (SELECT *, sum(CASE WHEN holder = before_holder THEN 0 ELSE 1 END)
            OVER (PARTITION BY ip ORDER BY line ROWS UNBOUNDED PRECEDING) AS spell
            FROM (SELECT *, coalesce(mac, lease_name) AS holder,
                    lag(coalesce(mac, lease_name)) OVER (PARTITION BY ip ORDER BY line) AS before_holder
                FROM {relation} AS dated WHERE kind = 'lease' AND reject IS NULL) AS leases) AS spells
        GROUP BY ip, mac, lease_name, spell"""
