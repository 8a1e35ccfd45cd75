-- Log-ins from a machine that was taken by then to one on which something telling began afterwards.
WITH hop AS (
    SELECT
        l.asset, coalesce(l.peer_asset, l.source) AS taken_asset, l.source, l.login_at, l.login_name, l.auth_method,
        l.path, l.line, l.frame, l.byte_offset, t.seen_at AS taken_at, min(h.seen_at) AS harmed_at
    FROM login AS l
    JOIN suspect_machine AS t
      ON t.role = 'taken' AND t.asset = coalesce(l.peer_asset, l.source)
      AND epoch(l.login_at) >= epoch(t.seen_at) - $clocks_differ_s AND l.login_at <= t.until_at
    JOIN suspect_machine AS h
      ON h.role = 'harmed' AND h.asset = l.asset
      AND epoch(h.seen_at) >= epoch(l.login_at) - $clocks_differ_s
      AND epoch(h.seen_at) <= epoch(l.login_at) + $open_s
    WHERE l.service LIKE '%ssh%' AND coalesce(l.peer_asset, l.source) <> l.asset
    GROUP BY
        l.asset, coalesce(l.peer_asset, l.source), l.source, l.login_at, l.login_name, l.auth_method,
        l.path, l.line, l.frame, l.byte_offset, t.seen_at
),
placed AS (
    SELECT
        *,
        count(*) OVER (PARTITION BY asset, taken_asset) AS logins_count,
        row_number() OVER (PARTITION BY asset, taken_asset ORDER BY login_at, path, line, byte_offset) AS place
    FROM hop
)
SELECT
    asset, taken_asset, source, login_at, login_name, auth_method, taken_at, harmed_at, logins_count,
    path, line, frame, byte_offset
FROM placed
WHERE place <= 50
