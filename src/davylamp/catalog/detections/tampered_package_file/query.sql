SELECT
    asset, time, 'process' AS what, image_path AS file, image_package AS package, process_pid, process_started_at,
    parent_process_pid, process_name, image_path, command_line, user_name, activity, NULL AS kind, NULL AS changed_at,
    path, line, frame, byte_offset
FROM process_activity
WHERE asset IS NOT NULL AND image_path IS NOT NULL AND image_package_state = 'modified'
    AND coalesce(image_state, 'file') = 'file'
UNION ALL
SELECT
    asset, time, 'program' AS what, program_path AS file, NULL AS package, NULL AS process_pid,
    NULL AS process_started_at, NULL AS parent_process_pid, NULL AS process_name, NULL AS image_path,
    command AS command_line, user_name, NULL AS activity, kind, NULL AS changed_at, path, line, frame, byte_offset
FROM startup_item
WHERE asset IS NOT NULL AND program_path IS NOT NULL AND program_package_state = 'modified'
UNION ALL
SELECT
    asset, time, 'entry' AS what, file_path AS file, file_package AS package, NULL AS process_pid,
    NULL AS process_started_at, NULL AS parent_process_pid, NULL AS process_name, NULL AS image_path,
    command AS command_line, user_name, NULL AS activity, kind, changed_at, path, line, frame, byte_offset
FROM startup_item
WHERE asset IS NOT NULL AND file_path IS NOT NULL AND file_package_state = 'modified'
