SELECT
    asset, time, 'file' AS what, command AS libraries, file_path, file_line, file_package_state, changed_at,
    program_path, program_package_state, user_name, NULL AS process_pid, NULL AS process_started_at,
    NULL AS parent_process_pid, NULL AS process_name, NULL AS image_path, NULL AS command_line, NULL AS activity,
    '' AS mapped, path, line, frame, byte_offset
FROM startup_item
WHERE kind = 'preload' AND asset IS NOT NULL AND command IS NOT NULL
UNION ALL
SELECT
    asset, time, 'process' AS what, preload_value AS libraries, NULL AS file_path, NULL AS file_line,
    NULL AS file_package_state, NULL AS changed_at, NULL AS program_path, NULL AS program_package_state, user_name,
    process_pid, process_started_at, parent_process_pid, process_name, image_path, command_line, activity,
    coalesce(array_to_string(mapped_files, ' '), '') AS mapped, path, line, frame, byte_offset
FROM process_activity
WHERE preload_value IS NOT NULL AND asset IS NOT NULL
