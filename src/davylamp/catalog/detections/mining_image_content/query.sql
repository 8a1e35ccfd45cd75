WITH matched AS (
  SELECT
    asset, time, process_pid, process_started_at, image_path, image_sha256, strings_count, rules,
    array_to_string(rules, ', ') AS rule_names, path, line, byte_offset,
    row_number() OVER (
      PARTITION BY asset, process_pid, process_started_at ORDER BY time, path, line, byte_offset
    ) AS place
  FROM image_content
  WHERE rules IS NOT NULL AND array_to_string(rules, ', ') <> '' AND process_pid IS NOT NULL AND asset IS NOT NULL
),
known AS (
  SELECT
    asset, process_pid, process_started_at, parent_process_pid, process_name, command_line, user_name,
    image_package, image_package_state,
    row_number() OVER (
      PARTITION BY asset, process_pid, process_started_at ORDER BY time DESC, path DESC, byte_offset DESC
    ) AS place
  FROM process_activity
  WHERE process_pid IS NOT NULL AND activity <> 'terminate'
)
SELECT
  matched.asset, matched.time, matched.process_pid, matched.process_started_at, matched.image_path,
  matched.image_sha256, matched.strings_count, matched.rule_names, matched.path, matched.line, matched.byte_offset,
  known.parent_process_pid, known.process_name, known.command_line, known.user_name, known.image_package,
  known.image_package_state
FROM matched
LEFT JOIN known
  ON known.asset = matched.asset AND known.process_pid = matched.process_pid
  AND known.process_started_at = matched.process_started_at AND known.place = 1
WHERE matched.place <= $rows_count
