WITH used AS (
    SELECT
        asset, process_pid, process_started_at,
        sum(coalesce(cpu_user_s, 0) + coalesce(cpu_system_s, 0)) / sum(epoch(end_time) - epoch(time)) AS window_ratio
    FROM process_usage
    WHERE end_time > time
    GROUP BY asset, process_pid, process_started_at
),
gone AS (
    SELECT
        asset, process_pid, process_started_at, parent_process_pid, process_name, command_line, image_path, image_state,
        image_package, image_package_state, image_uid, user_name, cpu_user_s, cpu_system_s, activity, time,
        path, line, frame, byte_offset,
        coalesce(process_started_at, CASE WHEN activity = 'launch' THEN time END) AS started_key,
        cpu_user_s + coalesce(cpu_system_s, 0) AS cpu_s,
        epoch(time) - epoch(process_started_at) AS age_s
    FROM process_activity
    WHERE asset IS NOT NULL AND coalesce(activity, 'snapshot') <> 'terminate' AND image_state IN ('deleted', 'memory')
        AND image_path IS NOT NULL AND coalesce(kernel_thread, FALSE) = FALSE
),
judged AS (
    SELECT
        *,
        CASE
            WHEN image_state = 'memory' THEN 'memory'
            WHEN regexp_matches(image_path, $temporary_folder) THEN 'temporary'
            WHEN regexp_matches(image_path, $hidden_folder) AND NOT regexp_matches(image_path, $known_hidden_folder)
                THEN 'hidden'
        END AS place_kind,
        CASE WHEN coalesce(image_package_state, 'unknown') = 'unknown' THEN 0 ELSE 1 END AS has_successor
    FROM gone
    WHERE image_package IS NULL
),
ranked AS (
    SELECT
        *,
        max(cpu_s) OVER (PARTITION BY asset, process_pid, started_key) AS most_cpu_s,
        max(age_s) OVER (PARTITION BY asset, process_pid, started_key) AS most_age_s,
        row_number() OVER (
            PARTITION BY asset, process_pid, started_key ORDER BY time DESC, path, line, byte_offset
        ) AS place,
        count(*) OVER (PARTITION BY asset, process_pid, started_key) AS records_count
    FROM judged
    WHERE place_kind IS NOT NULL
        AND NOT (place_kind = 'temporary' AND regexp_matches(image_path, $builder_folder))
        AND NOT (place_kind = 'hidden' AND has_successor = 1)
)
SELECT
    r.asset, r.process_pid, r.process_started_at, r.started_key, r.parent_process_pid, r.process_name, r.command_line,
    r.image_path, r.image_state, r.user_name, r.activity, r.place_kind, r.has_successor, r.records_count,
    r.most_cpu_s, r.most_age_s, u.window_ratio, r.time, r.path, r.line, r.frame, r.byte_offset
FROM ranked AS r
LEFT JOIN used AS u
    ON u.asset = r.asset AND u.process_pid = r.process_pid AND u.process_started_at = r.process_started_at
WHERE r.place <= $rows_count
