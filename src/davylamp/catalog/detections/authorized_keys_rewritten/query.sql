-- Keys as the last look saw them, how often a key stands on the host, and log-ins of guessers before the file changed.
WITH entry AS (
    SELECT
        asset, time, name, command, split_part(concat(command, ' '), ' ', 2) AS fingerprint, user_name, file_path,
        file_line, file_mode, file_immutable, modified_at, changed_at, path, line, frame, byte_offset,
        CAST(epoch(changed_at) AS BIGINT) AS changed_s
    FROM startup_item
    WHERE kind = 'authorized_key' AND asset IS NOT NULL AND file_path IS NOT NULL AND command IS NOT NULL
),
looked AS (
    SELECT asset, max(time) AS last_at FROM entry GROUP BY asset
),
stands AS (
    SELECT e.* FROM entry AS e JOIN looked AS l ON l.asset = e.asset AND l.last_at = e.time
),
held AS (
    SELECT asset, file_path, count(*) AS keys_count FROM stands GROUP BY asset, file_path
),
spread AS (
    SELECT
        s.asset, s.fingerprint, count(DISTINCT s.file_path) AS files_count,
        max(s.changed_s) - min(s.changed_s) AS changed_span_s
    FROM stands AS s
    JOIN held AS h ON h.asset = s.asset AND h.file_path = s.file_path
    WHERE h.keys_count = 1 AND s.fingerprint LIKE 'SHA256:%'
    GROUP BY s.asset, s.fingerprint
),
account AS (
    SELECT DISTINCT asset, name AS user_name
    FROM host_setting
    WHERE kind = 'user_account' AND value LIKE '%login=no%'
),
attempt AS (
    SELECT asset, coalesce(src_ip, src_host) AS source, CAST(epoch(time) AS BIGINT) AS at_s, time, status, user_name
    FROM authentication
    WHERE asset IS NOT NULL AND coalesce(src_ip, src_host) IS NOT NULL AND time IS NOT NULL
),
changed AS (
    SELECT DISTINCT asset, file_path, user_name, changed_s FROM stands WHERE changed_s IS NOT NULL
),
entered AS (
    SELECT
        c.asset, c.file_path, c.changed_s, a.source, a.at_s, a.time AS login_at, a.user_name AS login_name
    FROM changed AS c
    JOIN attempt AS a ON a.asset = c.asset
    WHERE a.status = 'success' AND a.at_s <= c.changed_s AND a.at_s >= c.changed_s - $after_login_s
        AND (a.user_name = c.user_name OR a.user_name = 'root' OR a.user_name IS NULL OR c.user_name IS NULL)
),
guessed AS (
    SELECT e.asset, e.file_path, e.changed_s, e.source, e.at_s, e.login_at, e.login_name
    FROM entered AS e
    JOIN attempt AS f ON f.asset = e.asset AND f.source = e.source
    WHERE f.status = 'failure' AND f.at_s <= e.at_s AND f.at_s >= e.at_s - 86400
    GROUP BY e.asset, e.file_path, e.changed_s, e.source, e.at_s, e.login_at, e.login_name
    HAVING count(*) >= $failures_count
),
login AS (
    SELECT
        asset, file_path, changed_s, source, at_s, login_at, login_name,
        row_number() OVER (PARTITION BY asset, file_path ORDER BY at_s DESC, source, login_name) AS choice
    FROM guessed
)
SELECT
    s.asset, s.time, s.name, s.command, s.fingerprint, s.user_name, s.file_path, s.file_line, s.file_mode,
    s.file_immutable, s.changed_at, h.keys_count, coalesce(p.files_count, 0) AS files_count, p.changed_span_s,
    CASE WHEN n.user_name IS NOT NULL THEN 1 ELSE 0 END AS no_login, g.source, g.login_at, g.login_name,
    g.changed_s - g.at_s AS after_s, s.path, s.line, s.frame, s.byte_offset
FROM stands AS s
JOIN held AS h ON h.asset = s.asset AND h.file_path = s.file_path
LEFT JOIN spread AS p ON p.asset = s.asset AND p.fingerprint = s.fingerprint AND h.keys_count = 1
LEFT JOIN account AS n ON n.asset = s.asset AND n.user_name = s.user_name
LEFT JOIN login AS g ON g.asset = s.asset AND g.file_path = s.file_path AND g.choice = 1
