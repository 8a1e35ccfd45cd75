"""Event rows from what each message says: dnsmasq's answers are joined to the question they follow.

dnsmasq writes the lines of one answer one after another: the name asked for, `<CNAME>`, the next name, and so on. Such
a run goes to the latest question for its first name (and of its address family, since the lines do not say the type),
or to the question with its serial number.
"""

from __future__ import annotations

_LOGGED_AGAIN = """SELECT line FROM (SELECT line, is_reply,
            lead(is_reply) OVER (PARTITION BY src_ip, name, query_type ORDER BY line) AS reply_follows
            FROM questions WHERE is_reply IS NOT NULL) AS replies
        WHERE NOT is_reply AND reply_follows"""

# The lines of one answer are a run; most answers are one line, and need no grouping.
_ANSWER_LINES = """SELECT process_pid, serial, line, name, value, action, time,
            coalesce(lag(value) OVER w = '<CNAME>', FALSE) OR coalesce(lag(name) OVER w = name, FALSE) AS goes_on,
            coalesce(value = '<CNAME>' OR lead(name) OVER w = name, FALSE) AS is_followed,
            lead(name) OVER w AS after_name
        FROM rows WHERE kind = 'answer' WINDOW w AS (PARTITION BY process_pid, serial ORDER BY line)"""
_RUNS = """SELECT *, sum(CASE WHEN goes_on THEN 0 ELSE 1 END)
            OVER (PARTITION BY process_pid, serial ORDER BY line ROWS UNBOUNDED PRECEDING) AS run
        FROM answer_lines WHERE goes_on OR is_followed"""
_ANSWERS = """
        SELECT serial, line, name, [value] AS given, action, time FROM answer_lines
            WHERE NOT goes_on AND NOT is_followed
        UNION ALL SELECT serial, min(line) AS line, arg_min(name, line) AS name,
            list(CASE WHEN value = '<CNAME>' THEN after_name ELSE value END ORDER BY line) AS given,
            max(action) AS action, max(time) AS time FROM runs GROUP BY process_pid, serial, run"""
_FAMILIES = """SELECT *, CASE WHEN contains(given[-1], ':') OR given[-1] = 'NODATA-IPv6' THEN 'AAAA'
            WHEN regexp_full_match(given[-1], '[0-9.]+') OR given[-1] = 'NODATA-IPv4' THEN 'A' END AS family
        FROM answers"""

# Joined by time order, both sides are sorted: of the questions only those that can be meant, and what is needed.
_ASKED = "SELECT line, name, query_type, serial, time FROM questions"
_PLACED = """
        SELECT a.line, a.given, a.action, q.line AS question_line FROM families AS a ASOF JOIN asked AS q
            ON a.name = q.name AND a.family = q.query_type AND a.line > q.line
            WHERE a.serial IS NULL AND a.time - q.time < INTERVAL 1 MINUTE
        UNION ALL SELECT a.line, a.given, a.action, q.line FROM families AS a
            ASOF JOIN (SELECT * FROM asked WHERE name IN
                (SELECT name FROM families WHERE serial IS NULL AND family IS NULL)) AS q
            ON a.name = q.name AND a.line > q.line
            WHERE a.serial IS NULL AND a.family IS NULL AND a.time - q.time < INTERVAL 1 MINUTE
        UNION ALL SELECT a.line, a.given, a.action, q.line FROM families AS a
            ASOF JOIN (SELECT * FROM asked WHERE serial IS NOT NULL) AS q
            ON a.name = q.name AND a.serial = q.serial AND a.line > q.line WHERE a.serial IS NOT NULL"""
_GIVEN = """SELECT question_line, arg_min(given, line) AS given, max(action) AS action
        FROM placed GROUP BY question_line"""


def questions(relation: str) -> str:
    """A SELECT of `dns_activity` rows, one a question."""
    return f"""
    WITH rows AS (SELECT * FROM {relation} AS dated WHERE reject IS NULL AND time IS NOT NULL),
    questions AS (SELECT * FROM rows WHERE kind = 'question'),
    logged_again AS ({_LOGGED_AGAIN}),
    answer_lines AS ({_ANSWER_LINES}),
    runs AS ({_RUNS}),
    answers AS ({_ANSWERS}),
    families AS ({_FAMILIES}),
    asked AS ({_ASKED}),
    placed AS ({_PLACED}),
    given AS ({_GIVEN})
    SELECT q.time, q.name AS query_name, q.query_type,
        CASE WHEN g.given IS NOT NULL THEN list_filter(g.given, lambda each:
            each NOT IN ('NXDOMAIN', 'SERVFAIL', 'REFUSED') AND NOT starts_with(each, 'NODATA')
            AND NOT starts_with(each, '<')) END AS answers,
        coalesce(q.rcode, CASE WHEN g.given[-1] IN ('NXDOMAIN', 'SERVFAIL', 'REFUSED') THEN g.given[-1]
            WHEN g.given IS NOT NULL THEN 'NOERROR' END) AS rcode,
        q.resolver_ip, q.protocol, g.action, q.src_ip, q.src_port,
        CASE WHEN q.src_ip IN ('127.0.0.1', '::1') THEN q.device_name END AS device_name, q.line, q.byte_offset
    FROM questions AS q LEFT JOIN given AS g ON g.question_line = q.line
    LEFT JOIN logged_again ON logged_again.line = q.line WHERE logged_again.line IS NULL"""


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
