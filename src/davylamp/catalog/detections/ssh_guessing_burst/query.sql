WITH attempt AS (
    SELECT
        asset, coalesce(src_ip, src_host) AS source, CAST(epoch(time) AS BIGINT) AS at_s, time, status, user_name,
        user_known, auth_method, outcome_detail, path, line, frame, byte_offset
    FROM authentication
    WHERE service LIKE '%ssh%' AND time IS NOT NULL AND asset IS NOT NULL AND coalesce(src_ip, src_host) IS NOT NULL
),
weighed AS (
    SELECT
        *,
        CASE
            WHEN status = 'success' THEN 0.0
            WHEN auth_method IN ('publickey', 'hostbased', 'none') THEN 0.2
            WHEN user_name IS NULL THEN 0.5
            WHEN user_known = FALSE THEN 2.0
            WHEN user_name = 'root' THEN 1.5
            ELSE 1.0
        END AS weight
    FROM attempt
),
trusted AS (
    SELECT source, user_name, min(at_s) AS trusted_from_s
    FROM (
        SELECT
            source, user_name, at_s, status,
            sum(weight) OVER (
                PARTITION BY source ORDER BY at_s, path, line, byte_offset
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS weight_before
        FROM weighed
        WHERE source IN (SELECT source FROM weighed WHERE status = 'success')
    ) AS walked
    WHERE status = 'success' AND user_name IS NOT NULL AND weight_before < $minute_weight
    GROUP BY source, user_name
),
failure AS (
    SELECT
        a.*,
        CASE WHEN t.trusted_from_s < a.at_s THEN 0.1 ELSE a.weight END AS guess_weight,
        CASE WHEN a.user_name IS NOT NULL AND row_number() OVER (
            PARTITION BY a.asset, a.source, a.user_name ORDER BY a.at_s, a.path, a.line
        ) = 1 THEN 1 ELSE 0 END AS new_name,
        CASE WHEN a.user_known = FALSE THEN 1 ELSE 0 END AS unknown_name
    FROM weighed AS a
    LEFT JOIN trusted AS t ON t.source = a.source AND t.user_name = a.user_name
    WHERE a.status = 'failure'
),
scaled AS (
    SELECT
        *,
        sum(guess_weight) OVER (PARTITION BY asset, source ORDER BY at_s RANGE BETWEEN 60 PRECEDING AND CURRENT ROW)
            AS minute_weight,
        sum(guess_weight) OVER (PARTITION BY asset, source ORDER BY at_s RANGE BETWEEN 3600 PRECEDING AND CURRENT ROW)
            AS hour_weight,
        sum(new_name * unknown_name) OVER (
            PARTITION BY asset, source ORDER BY at_s RANGE BETWEEN 3600 PRECEDING AND CURRENT ROW
        ) AS hour_unknown_names,
        sum(guess_weight) OVER (PARTITION BY asset, source ORDER BY at_s RANGE BETWEEN 86400 PRECEDING AND CURRENT ROW)
            AS day_weight,
        sum(guess_weight) OVER (PARTITION BY asset, source ORDER BY at_s RANGE BETWEEN 604800 PRECEDING AND CURRENT ROW)
            AS week_weight
    FROM failure
),
peak AS (
    SELECT
        asset, source, count(*) AS failures_count, sum(new_name) AS names_count,
        sum(new_name * unknown_name) AS unknown_names_count,
        max(minute_weight) AS minute_weight, max(hour_weight) AS hour_weight, max(day_weight) AS day_weight,
        max(week_weight) AS week_weight, max(hour_unknown_names) AS hour_unknown_names,
        min(time) AS first_at, max(time) AS last_at,
        max(CASE WHEN user_name IS NULL OR user_name = 'root' OR user_known = FALSE THEN 1 ELSE 0 END) AS guessable
    FROM scaled
    GROUP BY asset, source
),
burst AS (
    SELECT *
    FROM peak
    WHERE minute_weight >= $minute_weight
        OR hour_unknown_names >= $hour_unknown_names
        OR (
            (guessable = 1 OR names_count >= 2)
            AND (hour_weight >= $hour_weight OR day_weight >= $day_weight OR week_weight >= $week_weight)
        )
        OR hour_weight >= $one_account_hour_weight
),
-- Only the rows that are cited carry their group's figures.
cited AS (
    SELECT *
    FROM (
        SELECT
            f.asset, f.source, f.time, f.user_name, f.auth_method, f.outcome_detail, f.path, f.line, f.frame, f.byte_offset,
            row_number() OVER (
                PARTITION BY f.asset, f.source ORDER BY f.at_s, f.path, f.line, f.byte_offset
            ) AS place
        FROM weighed AS f
        JOIN (SELECT asset, source FROM burst) AS b ON f.asset = b.asset AND f.source = b.source
        WHERE f.status = 'failure'
    ) AS placed
    WHERE place <= 50
)
SELECT
    b.asset, b.source, failures_count, names_count, unknown_names_count, minute_weight, hour_weight, day_weight,
    week_weight, hour_unknown_names, first_at, last_at, c.time, c.user_name, c.auth_method, c.outcome_detail,
    c.path, c.line, c.frame, c.byte_offset
FROM burst AS b
JOIN cited AS c ON c.asset = b.asset AND c.source = b.source
