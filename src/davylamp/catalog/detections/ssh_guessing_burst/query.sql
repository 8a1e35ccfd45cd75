-- Weights are in tenths, so that sums are whole numbers and exact.
-- Read again where it is needed, each time only the columns asked for: kept, it would fill the memory.
WITH attempt AS NOT MATERIALIZED (
    SELECT
        asset, coalesce(src_ip, src_host) AS source, CAST(epoch(time) AS BIGINT) AS at_s, time, status, user_name,
        CASE WHEN user_known = FALSE THEN 1 ELSE 0 END AS unknown_name,
        CASE
            WHEN status = 'success' THEN 0
            WHEN auth_method IN ('publickey', 'hostbased', 'none') THEN 2
            WHEN user_name IS NULL THEN 5
            WHEN user_known = FALSE THEN 20
            WHEN user_name = 'root' THEN 15
            ELSE 10
        END AS weight_tenths,
        path, line, byte_offset
    FROM authentication
    WHERE service LIKE '%ssh%' AND time IS NOT NULL AND asset IS NOT NULL AND coalesce(src_ip, src_host) IS NOT NULL
),
-- Only where a source both failed and got in can a login excuse a failure.
mixed AS (
    SELECT source
    FROM attempt
    GROUP BY source
    HAVING max(CASE WHEN status = 'success' THEN 1 ELSE 0 END) = 1
        AND max(CASE WHEN status = 'failure' THEN 1 ELSE 0 END) = 1
),
trusted AS (
    SELECT source, user_name, min(at_s) AS trusted_from_s
    FROM (
        SELECT
            a.source, a.user_name, a.at_s, a.status,
            sum(a.weight_tenths) OVER (
                PARTITION BY a.source ORDER BY a.at_s, a.path, a.line, a.byte_offset
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS tenths_before
        FROM attempt AS a
        JOIN mixed AS m ON m.source = a.source
    ) AS walked
    WHERE status = 'success' AND user_name IS NOT NULL AND tenths_before < 10 * $minute_weight
    GROUP BY source, user_name
),
failure AS NOT MATERIALIZED (
    SELECT
        a.asset, a.source, a.at_s, a.time, a.user_name, a.unknown_name, a.path, a.line,
        CASE WHEN t.trusted_from_s < a.at_s THEN 1 ELSE a.weight_tenths END AS guess_tenths
    FROM attempt AS a
    LEFT JOIN trusted AS t ON t.source = a.source AND t.user_name = a.user_name
    WHERE a.status = 'failure'
),
hourly AS (
    SELECT
        asset, source, CAST(floor(at_s / 3600.0) AS BIGINT) AS hour, count(*) AS failures_count,
        sum(guess_tenths) AS tenths, min(time) AS first_at, max(time) AS last_at,
        max(CASE WHEN user_name IS NULL OR user_name = 'root' OR unknown_name = 1 THEN 1 ELSE 0 END) AS guessable
    FROM failure
    GROUP BY asset, source, CAST(floor(at_s / 3600.0) AS BIGINT)
),
daily AS (
    SELECT
        asset, source, CAST(floor(hour / 24.0) AS BIGINT) AS day, sum(failures_count) AS failures_count,
        sum(tenths) AS tenths, max(tenths) AS hour_tenths, min(first_at) AS first_at, max(last_at) AS last_at,
        max(guessable) AS guessable
    FROM hourly
    GROUP BY asset, source, CAST(floor(hour / 24.0) AS BIGINT)
),
weekly AS (
    SELECT
        asset, source, sum(failures_count) AS failures_count, sum(tenths) AS tenths, max(hour_tenths) AS hour_tenths,
        max(tenths) AS day_tenths, min(first_at) AS first_at, max(last_at) AS last_at, max(guessable) AS guessable
    FROM daily
    GROUP BY asset, source, CAST(floor(day / 7.0) AS BIGINT)
),
named AS (
    SELECT
        asset, source, user_name, min(at_s) AS at_s, min(unknown_name) AS never_known, max(unknown_name) AS unknown_name
    FROM failure
    WHERE user_name IS NOT NULL
    GROUP BY asset, source, user_name
),
-- Where sshd said both of a name, the first record decides.
first_name AS (
    SELECT asset, source, user_name, at_s, unknown_name FROM named WHERE never_known = unknown_name
    UNION ALL
    SELECT asset, source, user_name, at_s, unknown_name
    FROM (
        SELECT
            f.asset, f.source, f.user_name, f.at_s, f.unknown_name,
            row_number() OVER (
                PARTITION BY f.asset, f.source, f.user_name ORDER BY f.path, f.line
            ) AS place
        FROM failure AS f
        JOIN named AS n
            ON n.asset = f.asset AND n.source = f.source AND n.user_name = f.user_name AND n.at_s = f.at_s
        WHERE n.never_known < n.unknown_name
    ) AS placed
    WHERE place = 1
),
names AS (
    SELECT asset, source, count(*) AS names_count, sum(unknown_name) AS unknown_names_count
    FROM first_name
    GROUP BY asset, source
),
-- A clock hour, day or week lies within the window that ends at its last failure: what it holds, a window holds.
held AS (
    SELECT
        w.asset, w.source, sum(w.failures_count) AS failures_count, sum(w.tenths) AS tenths,
        max(w.hour_tenths) AS hour_tenths, max(w.day_tenths) AS day_tenths, max(w.tenths) AS week_tenths,
        min(w.first_at) AS first_at, max(w.last_at) AS last_at,
        max(coalesce(n.names_count, 0)) AS names_count, max(coalesce(n.unknown_names_count, 0)) AS unknown_names_count,
        CASE WHEN max(w.guessable) = 1 OR max(coalesce(n.names_count, 0)) >= 2 THEN 1 ELSE 0 END AS guessable
    FROM weekly AS w
    LEFT JOIN names AS n ON n.asset = w.asset AND n.source = w.source
    GROUP BY w.asset, w.source
),
weighed AS (
    SELECT
        *,
        CASE
            WHEN hour_tenths >= 10 * $one_account_hour_weight THEN 'burst'
            WHEN guessable = 1 AND (
                hour_tenths >= 10 * $hour_weight OR day_tenths >= 10 * $day_weight OR week_tenths >= 10 * $week_weight
            ) THEN 'burst'
            -- No window holds more than all there is.
            WHEN tenths >= 10 * $minute_weight OR tenths >= 10 * $one_account_hour_weight
                OR unknown_names_count >= $hour_unknown_names THEN 'open'
            WHEN guessable = 1 AND (
                tenths >= 10 * $hour_weight OR tenths >= 10 * $day_weight OR tenths >= 10 * $week_weight
            ) THEN 'open'
            ELSE 'quiet'
        END AS verdict
    FROM held
),
scaled AS (
    SELECT
        f.asset, f.source,
        sum(f.guess_tenths) OVER (
            PARTITION BY f.asset, f.source ORDER BY f.at_s RANGE BETWEEN 60 PRECEDING AND CURRENT ROW
        ) AS minute_tenths,
        sum(f.guess_tenths) OVER (
            PARTITION BY f.asset, f.source ORDER BY f.at_s RANGE BETWEEN 3600 PRECEDING AND CURRENT ROW
        ) AS hour_tenths,
        sum(f.guess_tenths) OVER (
            PARTITION BY f.asset, f.source ORDER BY f.at_s RANGE BETWEEN 86400 PRECEDING AND CURRENT ROW
        ) AS day_tenths,
        sum(f.guess_tenths) OVER (
            PARTITION BY f.asset, f.source ORDER BY f.at_s RANGE BETWEEN 604800 PRECEDING AND CURRENT ROW
        ) AS week_tenths
    FROM failure AS f
    JOIN weighed AS o ON o.asset = f.asset AND o.source = f.source
    WHERE o.verdict = 'open'
),
peak AS (
    SELECT
        asset, source, max(minute_tenths) AS minute_tenths, max(hour_tenths) AS hour_tenths,
        max(day_tenths) AS day_tenths, max(week_tenths) AS week_tenths
    FROM scaled
    GROUP BY asset, source
),
name_peak AS (
    SELECT asset, source, max(hour_unknown_names) AS hour_unknown_names
    FROM (
        SELECT
            f.asset, f.source,
            count(*) OVER (
                PARTITION BY f.asset, f.source ORDER BY f.at_s RANGE BETWEEN 3600 PRECEDING AND CURRENT ROW
            ) AS hour_unknown_names
        FROM first_name AS f
        JOIN weighed AS o ON o.asset = f.asset AND o.source = f.source
        WHERE o.verdict = 'open' AND f.unknown_name = 1
    ) AS counted
    GROUP BY asset, source
),
burst AS (
    SELECT
        w.asset, w.source, w.failures_count, w.names_count, w.unknown_names_count, w.first_at, w.last_at
    FROM weighed AS w
    LEFT JOIN peak AS p ON p.asset = w.asset AND p.source = w.source
    LEFT JOIN name_peak AS n ON n.asset = w.asset AND n.source = w.source
    WHERE w.verdict = 'burst'
        OR p.minute_tenths >= 10 * $minute_weight
        OR n.hour_unknown_names >= $hour_unknown_names
        OR (
            w.guessable = 1 AND (
                p.hour_tenths >= 10 * $hour_weight OR p.day_tenths >= 10 * $day_weight
                OR p.week_tenths >= 10 * $week_weight
            )
        )
        OR p.hour_tenths >= 10 * $one_account_hour_weight
),
-- The hour in which the fiftieth failure falls: the cited records lie in it and before.
reach AS (
    SELECT asset, source, min(CASE WHEN so_far_count >= 50 THEN hour END) AS last_hour
    FROM (
        SELECT
            h.asset, h.source, h.hour,
            sum(h.failures_count) OVER (
                PARTITION BY h.asset, h.source ORDER BY h.hour ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS so_far_count
        FROM hourly AS h
        JOIN burst AS b ON b.asset = h.asset AND b.source = h.source
    ) AS counted
    GROUP BY asset, source
),
cited AS (
    SELECT *
    FROM (
        SELECT
            a.asset, r.source, a.time, a.user_name, a.auth_method, a.outcome_detail, a.path, a.line, a.frame,
            a.byte_offset,
            row_number() OVER (
                PARTITION BY a.asset, r.source ORDER BY CAST(epoch(a.time) AS BIGINT), a.path, a.line, a.byte_offset
            ) AS place
        FROM authentication AS a
        JOIN reach AS r ON r.asset = a.asset AND r.source = coalesce(a.src_ip, a.src_host)
        WHERE a.status = 'failure' AND a.service LIKE '%ssh%'
            AND (r.last_hour IS NULL OR CAST(epoch(a.time) AS BIGINT) < (r.last_hour + 1) * 3600)
    ) AS placed
    WHERE place <= 50
)
-- Only the records that are cited carry their group's figures.
SELECT
    b.asset, b.source, b.failures_count, b.names_count, b.unknown_names_count, b.first_at, b.last_at,
    c.time, c.user_name, c.auth_method, c.outcome_detail, c.path, c.line, c.frame, c.byte_offset
FROM burst AS b
JOIN cited AS c ON c.asset = b.asset AND c.source = b.source
