WITH named AS (
    SELECT
        asset, process_pid, process_started_at, parent_process_pid, process_name, command_line, image_path, image_state,
        image_package, image_package_state, user_name, activity, time, path, line, frame, byte_offset,
        coalesce(process_started_at, CASE WHEN activity = 'launch' THEN time END) AS started_key,
        lower(regexp_extract(image_path, '[^/]*$', 0)) AS image_name,
        -- The program a title names: up to a blank or colon, without folder and a login shell's dash.
        lower(regexp_extract(regexp_extract(command_line, '^-?([^ :]*)', 1), '[^/]*$', 0)) AS said_name,
        lower(regexp_extract(process_name, '^-?([^ :]*)', 1)) AS short_name
    FROM process_activity
    WHERE asset IS NOT NULL AND coalesce(activity, 'snapshot') <> 'terminate' AND image_path IS NOT NULL AND image_path <> ''
        AND coalesce(kernel_thread, FALSE) = FALSE
),
placed AS (
    SELECT
        *,
        CASE WHEN regexp_matches(image_path, $system_folder) THEN 1 ELSE 0 END AS in_system,
        CASE WHEN regexp_matches(image_path, $temporary_folder) OR (
            regexp_matches(image_path, $hidden_folder) AND NOT regexp_matches(image_path, $known_hidden_folder)
        ) THEN 1 ELSE 0 END AS in_odd_place
    FROM named
    WHERE image_package IS NULL
),
judged AS (
    SELECT
        *,
        CASE
            WHEN regexp_matches(image_name, $interpreter) OR in_system = 1 THEN NULL
            WHEN regexp_matches(short_name, $daemon) AND NOT starts_with(image_name, left(short_name, 4))
                THEN short_name
            WHEN regexp_matches(said_name, $daemon) AND NOT starts_with(image_name, left(said_name, 4)) THEN said_name
        END AS false_name,
        CASE WHEN in_odd_place = 1 AND regexp_matches(image_name, $daemon) THEN image_name END AS odd_place_name,
        CASE WHEN command_line = '' AND epoch(time) - epoch(process_started_at) >= $settled_s
            AND (in_system = 0 OR image_package_state = 'unowned') THEN 1 ELSE 0 END AS is_wiped
    FROM placed
),
ranked AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY asset, process_pid, started_key ORDER BY time DESC, path, line, byte_offset
        ) AS place,
        count(*) OVER (PARTITION BY asset, process_pid, started_key) AS records_count
    FROM judged
    WHERE false_name IS NOT NULL OR odd_place_name IS NOT NULL OR is_wiped = 1
)
SELECT
    asset, process_pid, process_started_at, started_key, parent_process_pid, process_name, command_line, image_path,
    image_state, user_name, activity, false_name, odd_place_name, is_wiped, in_odd_place, records_count, time,
    path, line, frame, byte_offset
FROM ranked
WHERE place <= $rows_count
