WITH placed AS (
    SELECT
        asset, process_pid, process_started_at, parent_process_pid, process_name, command_line, image_path, image_state,
        user_name, activity, time, path, line, frame, byte_offset,
        coalesce(process_started_at, CASE WHEN activity = 'launch' THEN time END) AS started_key,
        coalesce(cpu_user_s, 0) + coalesce(cpu_system_s, 0) AS cpu_s,
        epoch(time) - epoch(coalesce(process_started_at, time)) AS age_s
    FROM process_activity
    WHERE asset IS NOT NULL AND coalesce(activity, 'snapshot') <> 'terminate' AND image_path IS NOT NULL
        AND coalesce(kernel_thread, FALSE) = FALSE
        AND regexp_matches(image_path, $temporary_folder)
        AND image_package IS NULL
        AND coalesce(image_state, 'file') <> 'memory'
),
judged AS (
    SELECT
        *,
        CASE
            WHEN regexp_matches(image_path, $memory_folder) THEN 'memory'
            WHEN regexp_matches(image_path, $hidden_folder) OR regexp_matches(image_path, '/[.][^/]*$') THEN 'hidden'
            ELSE 'plain'
        END AS place_kind
    FROM placed
    WHERE NOT regexp_matches(image_path, $builder_folder)
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
)
SELECT
    asset, process_pid, process_started_at, started_key, parent_process_pid, process_name, command_line, image_path,
    image_state, user_name, activity, place_kind, most_cpu_s, most_age_s, records_count, time,
    path, line, frame, byte_offset
FROM ranked
WHERE place <= $rows_count
