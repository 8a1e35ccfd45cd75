WITH seen AS (
    SELECT
        asset, process_pid, process_started_at, parent_process_pid, process_name, command_line, image_path, image_package,
        script_path, user_name, activity, time, path, line, frame, byte_offset,
        coalesce(process_started_at, CASE WHEN activity = 'launch' THEN time END) AS started_key,
        array_to_string(environment_names, ' ') AS environment_names,
        array_to_string(open_files, ' ') AS open_files,
        lower(coalesce(command_line, '')) AS lower_line
    FROM process_activity
    WHERE asset IS NOT NULL AND coalesce(activity, 'snapshot') <> 'terminate' AND coalesce(kernel_thread, FALSE) = FALSE
),
telling AS (
    SELECT *
    FROM seen
    WHERE regexp_matches(lower_line, $words)
        OR regexp_matches(lower_line, $user_and_endpoint)
        OR regexp_matches(command_line, $wallet)
        OR regexp_matches(command_line, $encoded)
        OR regexp_matches(lower(coalesce(process_name, '')), $program)
        OR regexp_matches(lower(regexp_extract(coalesce(image_path, ''), '[^/]*$', 0)), $program)
        OR regexp_matches(environment_names, $environment)
        OR regexp_matches(open_files, $files)
),
ranked AS (
    SELECT
        *,
        -- Arguments that were wiped later were seen once: the longest tell most.
        row_number() OVER (
            PARTITION BY asset, process_pid, started_key ORDER BY length(lower_line) DESC, time, path, line, byte_offset
        ) AS place,
        count(*) OVER (PARTITION BY asset, process_pid, started_key) AS records_count
    FROM telling
)
SELECT
    asset, process_pid, process_started_at, started_key, parent_process_pid, process_name, command_line, image_path,
    image_package, script_path, user_name, activity, environment_names, open_files, records_count, time,
    path, line, frame, byte_offset
FROM ranked
WHERE place <= $rows_count
