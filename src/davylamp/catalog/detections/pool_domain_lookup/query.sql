CREATE TEMPORARY TABLE listed_name AS
SELECT name FROM listed_dns_name
;
WITH lookups AS (
    SELECT
        d.asset, h.name AS listed_name, d.time, d.query_name, d.query_type, d.answers, d.rcode, d.resolver_ip,
        d.action, d.path, d.line, d.frame, d.byte_offset
    FROM dns_activity AS d
    JOIN listed_name AS h ON h.name = d.query_name
    UNION ALL
    SELECT
        a.asset, h.name AS listed_name, a.time, a.query_name, a.query_type, a.answers, a.rcode, a.resolver_ip,
        a.action, a.path, a.line, a.frame, a.byte_offset
    FROM (
        SELECT d.*, regexp_replace(lower(t.answer), '[.]$', '') AS answer
        FROM (
            SELECT
                asset, time, query_name, query_type, answers, rcode, resolver_ip, action, path, line, frame, byte_offset
            FROM dns_activity
            WHERE regexp_matches(array_to_string(answers, ' '), '[.][A-Za-z]')
        ) AS d CROSS JOIN UNNEST(d.answers) AS t(answer)
    ) AS a
    JOIN listed_name AS h ON h.name = a.answer
    WHERE h.name <> a.query_name
),
marked AS (
    SELECT
        *,
        CASE
            WHEN action = 'block' THEN 1
            WHEN array_to_string(answers, ' ') IN ('0.0.0.0', '::', '127.0.0.1', '::1', '0.0.0.0 ::') THEN 1
            ELSE 0
        END AS blocked,
        CASE WHEN query_type IN ('A', 'AAAA', 'CNAME', 'HTTPS', 'SVCB', 'SRV', 'ANY') THEN 1
             WHEN query_type IS NULL THEN 1 ELSE 0 END AS dialling
    FROM lookups
    WHERE asset IS NOT NULL
),
ranked AS (
    SELECT
        *,
        count(*) OVER (PARTITION BY asset, listed_name) AS lookups_count,
        sum(blocked) OVER (PARTITION BY asset, listed_name) AS blocked_count,
        sum(dialling) OVER (PARTITION BY asset, listed_name) AS dialling_count,
        min(time) OVER (PARTITION BY asset, listed_name) AS first_at,
        max(time) OVER (PARTITION BY asset, listed_name) AS last_at,
        row_number() OVER (
            PARTITION BY asset, listed_name ORDER BY time, path, line, frame, byte_offset
        ) AS place
    FROM marked
)
SELECT
    asset, listed_name, time, query_name, query_type, answers, rcode, resolver_ip, action,
    lookups_count, blocked_count, dialling_count, first_at, last_at, path, line, frame, byte_offset
FROM ranked
WHERE place <= 50
