WITH named AS (
    SELECT
        asset, process_pid, process_started_at, parent_process_pid, process_name, command_line, image_path, image_state,
        image_package, image_package_state, user_name, activity, time, path, line, frame, byte_offset,
        coalesce(process_started_at, CASE WHEN activity = 'launch' THEN time END) AS started_key,
        regexp_extract(image_path, '[^/]*$', 0) AS image_name
    FROM process_activity
    WHERE coalesce(activity, 'snapshot') <> 'terminate'
        AND coalesce(kernel_thread, FALSE) = FALSE
        AND image_path IS NOT NULL AND image_path <> ''
        AND asset IS NOT NULL
),
claimed AS (
    SELECT
        *,
        CASE
            WHEN regexp_matches(process_name, $thread_name) THEN process_name
            WHEN regexp_matches(image_name, $thread_name) THEN image_name
            WHEN regexp_matches(command_line, '^[(]?\[') AND regexp_matches(
                regexp_extract(command_line, '^[(]?\[([^\]]*)\]', 1), $thread_name
            ) THEN regexp_extract(command_line, '^[(]?(\[[^\]]*\])', 1)
            WHEN regexp_matches(command_line, $any_thread) THEN regexp_extract(command_line, '^(\[[^\]]*\])', 1)
        END AS claim,
        CASE
            WHEN regexp_matches(process_name, $thread_name) OR regexp_matches(image_name, $thread_name) OR regexp_matches(
                regexp_extract(command_line, '^[(]?\[([^\]]*)\]', 1), $thread_name
            ) THEN 1 ELSE 0
        END AS is_known
    FROM named
),
ranked AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY asset, process_pid, started_key ORDER BY is_known DESC, time, path, line, byte_offset
        ) AS place,
        count(*) OVER (PARTITION BY asset, process_pid, started_key) AS records_count
    FROM claimed
    WHERE claim IS NOT NULL
        -- A package's own program may be called so.
        AND NOT (
            image_package IS NOT NULL AND coalesce(image_package_state, 'unknown') <> 'modified'
            AND starts_with(image_name, process_name) AND NOT starts_with(coalesce(command_line, ''), '[')
        )
)
SELECT
    asset, process_pid, process_started_at, started_key, parent_process_pid, process_name, command_line, image_path,
    image_state, user_name, activity, claim, is_known, records_count, time, path, line, frame, byte_offset
FROM ranked
WHERE place <= $rows_count
