WITH launched AS (
    SELECT
        asset, process_pid, process_started_at, parent_process_pid, process_name, command_line, image_path, user_name,
        activity, time, path, line, frame, byte_offset, CAST(epoch(time) AS BIGINT) AS at_s,
        lower(command_line) AS lower_line
    FROM process_activity
    WHERE asset IS NOT NULL AND coalesce(activity, 'snapshot') <> 'terminate' AND command_line IS NOT NULL AND time IS NOT NULL
),
marked AS (
    SELECT
        *,
        CASE WHEN regexp_matches(lower_line, $ending) THEN 1 ELSE 0 END AS ends,
        CASE WHEN regexp_matches(lower_line, $rival) THEN 1 ELSE 0 END AS names
    FROM launched
),
counted AS (
    SELECT
        *,
        sum(ends) OVER (PARTITION BY asset ORDER BY at_s RANGE BETWEEN 60 PRECEDING AND 60 FOLLOWING) AS ends_count,
        sum(names) OVER (PARTITION BY asset ORDER BY at_s RANGE BETWEEN 60 PRECEDING AND 60 FOLLOWING) AS names_count
    FROM marked
    WHERE ends = 1 OR names = 1
),
near AS (
    SELECT *
    FROM counted
    WHERE names_count >= 1 AND (
        (ends_count >= $ending_count AND names_count >= $rival_count)
        -- One command of a shell may hold the whole clean-up.
        OR (ends = 1 AND names = 1 AND length(lower_line) >= 60)
    )
),
ranked AS (
    SELECT
        *, row_number() OVER (PARTITION BY asset, at_s // 3600 ORDER BY time, path, line, byte_offset) AS place
    FROM near
)
SELECT
    asset, process_pid, process_started_at, parent_process_pid, process_name, command_line, image_path, user_name,
    activity, at_s, ends, names, time, path, line, frame, byte_offset
FROM ranked
WHERE place <= $rows_count
