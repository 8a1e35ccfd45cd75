-- Read again where it is needed, each time only the columns asked for: kept, it would fill the memory.
WITH attempt AS NOT MATERIALIZED (
    SELECT
        asset, coalesce(src_ip, src_host) AS source, CAST(epoch(time) AS BIGINT) AS at_s, time, status, user_name,
        user_known, outcome_detail, path, line, frame, byte_offset
    FROM authentication
    WHERE service LIKE '%ssh%' AND time IS NOT NULL AND asset IS NOT NULL AND coalesce(src_ip, src_host) IS NOT NULL
        AND (status = 'success' OR auth_method IS NULL OR auth_method NOT IN ('publickey', 'hostbased', 'none'))
),
entered AS (
    SELECT source FROM attempt WHERE status = 'success' GROUP BY source
),
loud AS (
    SELECT DISTINCT source
    FROM (
        SELECT source, CAST(floor(at_s / 3600.0) AS BIGINT) AS hour
        FROM attempt
        WHERE status = 'failure'
        GROUP BY source, CAST(floor(at_s / 3600.0) AS BIGINT)
        HAVING count(*) > $loud_hour_count
    ) AS hours
),
quiet AS (
    SELECT a.*, CASE WHEN e.source IS NULL THEN 0 ELSE 1 END AS ever_entered
    FROM attempt AS a
    LEFT JOIN loud AS l ON l.source = a.source
    LEFT JOIN entered AS e ON e.source = a.source
    WHERE l.source IS NULL
),
-- Only a source that got in can have got in before.
history AS (
    SELECT
        *,
        max(CASE WHEN status = 'success' THEN at_s END) OVER (
            PARTITION BY source ORDER BY at_s, path, line ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS earlier_success_s
    FROM quiet
    WHERE ever_entered = 1
),
stranger AS (
    SELECT asset, source, at_s, time, status, user_name, user_known, outcome_detail, path, line, frame, byte_offset
    FROM quiet
    WHERE ever_entered = 0
    UNION ALL
    SELECT asset, source, at_s, time, status, user_name, user_known, outcome_detail, path, line, frame, byte_offset
    FROM history
    WHERE earlier_success_s IS NULL OR at_s - earlier_success_s > $forget_s
),
numbered AS (
    SELECT *, CAST(floor((row_number() OVER (ORDER BY at_s, path, line, byte_offset) - 1) / 100.0) AS BIGINT) AS block
    FROM stranger
),
step AS (
    SELECT
        block, min(at_s) AS begin_s, max(at_s) AS end_s,
        sum(CASE WHEN status = 'failure' THEN 1 ELSE 0 END) - ($mean_count + $allowance_count) * count(*) / 100.0 AS drift
    FROM numbered
    GROUP BY block
),
walked AS (
    SELECT
        *, sum(drift) OVER (ORDER BY block ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS walk
    FROM step
),
summed AS (
    SELECT
        *, walk - least(0.0, min(walk) OVER (ORDER BY block ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)) AS excess
    FROM walked
),
excursion AS (
    SELECT
        *, sum(CASE WHEN excess <= 0 THEN 1 ELSE 0 END) OVER (
            ORDER BY block ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS excursion_id
    FROM summed
),
alarm AS (
    SELECT
        excursion_id, min(CASE WHEN excess > $alarm_count THEN end_s END) AS alarm_s, max(excess) AS top_excess
    FROM excursion
    WHERE excess > 0
    GROUP BY excursion_id
    HAVING max(excess) > $alarm_count
),
bracket AS (
    SELECT e.block, a.alarm_s
    FROM excursion AS e
    JOIN alarm AS a ON a.excursion_id = e.excursion_id
    WHERE e.excess > 0 AND e.drift > 0
),
suspect AS (
    SELECT n.*, b.alarm_s
    FROM numbered AS n
    JOIN bracket AS b ON b.block = n.block
    WHERE n.status = 'failure'
),
shared_name AS (
    SELECT user_name, count(DISTINCT source) AS sharing_count
    FROM suspect
    WHERE user_name IS NOT NULL
    GROUP BY user_name
    HAVING count(DISTINCT source) >= $sharing_sources_count
),
participant AS (
    SELECT
        s.source, count(*) AS source_failures,
        count(DISTINCT s.user_name) AS source_names,
        count(DISTINCT g.user_name) AS source_shared_names,
        max(CASE WHEN s.user_known = FALSE THEN 1 ELSE 0 END) AS tried_unknown,
        max(CASE WHEN s.user_name IS NULL THEN 1 ELSE 0 END) AS nameless,
        max(CASE WHEN w.source IS NOT NULL THEN 1 ELSE 0 END) AS entered
    FROM suspect AS s
    LEFT JOIN shared_name AS g ON g.user_name = s.user_name
    LEFT JOIN entered AS w ON w.source = s.source
    GROUP BY s.source
    HAVING (max(CASE WHEN w.source IS NOT NULL THEN 1 ELSE 0 END) = 0 AND (
            count(DISTINCT g.user_name) >= 1
            OR (max(CASE WHEN s.user_known = FALSE THEN 1 ELSE 0 END) = 1 AND count(*) >= 2)
            OR (max(CASE WHEN s.user_name IS NULL THEN 1 ELSE 0 END) = 1 AND count(*) >= 2)
        ))
        OR (max(CASE WHEN w.source IS NOT NULL THEN 1 ELSE 0 END) = 1 AND count(DISTINCT g.user_name) >= 2)
),
guess AS (
    SELECT s.*, p.entered
    FROM suspect AS s
    JOIN participant AS p ON p.source = s.source
),
ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY source ORDER BY at_s, path, line) AS source_place
    FROM guess
),
-- Rows of one repeated line have nothing else to tell them apart: both places follow the first.
placed AS (
    SELECT
        *,
        row_number() OVER (ORDER BY source_place, at_s, path, line, byte_offset) AS place,
        row_number() OVER (PARTITION BY asset, source ORDER BY source_place) AS asset_place
    FROM ranked
),
total AS (
    SELECT
        count(*) AS guesses_count, count(DISTINCT source) AS sources_count, count(DISTINCT asset) AS assets_count,
        count(DISTINCT user_name) AS names_count, min(time) AS first_at, max(time) AS last_at, min(alarm_s) AS alarm_s
    FROM guess
)
SELECT
    p.asset, p.source, p.time, p.user_name, p.outcome_detail, p.entered, p.place,
    t.guesses_count, t.sources_count, t.assets_count, t.names_count, t.first_at, t.last_at, t.alarm_s,
    p.path, p.line, p.frame, p.byte_offset
FROM placed AS p
CROSS JOIN total AS t
WHERE (p.asset_place = 1 OR p.place <= 50) AND t.sources_count >= $participants_count
