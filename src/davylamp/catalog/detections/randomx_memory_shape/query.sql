-- Processes whose memory holds a mapping of RandomX's sizes, with what they computed and what the machine was set to.
WITH known AS (
  SELECT
    asset, process_pid, process_started_at, parent_process_pid, process_name, command_line, image_path, user_name,
    memory_bytes, huge_pages_bytes, largest_mapping_bytes, time, path, line, byte_offset,
    CASE WHEN array_to_string(open_files, ' ') LIKE '%/dev/cpu/%/msr%' THEN 1 ELSE 0 END AS holds_msr,
    row_number() OVER (
      PARTITION BY asset, process_pid, process_started_at
      ORDER BY largest_mapping_bytes DESC NULLS LAST, huge_pages_bytes DESC NULLS LAST, time DESC, path DESC, byte_offset DESC
    ) AS place
  FROM process_activity
  WHERE process_pid IS NOT NULL AND activity <> 'terminate' AND asset IS NOT NULL
    AND (largest_mapping_bytes >= $light_bytes OR huge_pages_bytes >= $light_bytes)
),
used AS (
  SELECT
    asset, process_pid, process_started_at,
    count(*) AS windows_count, min(time) AS first_at, max(end_time) AS last_at,
    sum(cpu_user_s) AS cpu_user_s, sum(cpu_system_s) AS cpu_system_s,
    sum(coalesce(transferred_bytes, 0) + coalesce(storage_bytes, 0)) AS moved_bytes,
    count(transferred_bytes) AS bytes_seen_count,
    median(busy_thread_count) AS busy_thread_count,
    max(memory_bytes) AS used_memory_bytes,
    max(cpu_allowed_count) AS cpu_allowed_count
  FROM process_usage
  GROUP BY asset, process_pid, process_started_at
),
setting AS (
  SELECT
    asset,
    max(CASE WHEN kind = 'kernel_module' AND name = 'msr' THEN 1 ELSE 0 END) AS msr_loaded,
    max(CASE WHEN name = 'vm.nr_hugepages' THEN TRY_CAST(value AS BIGINT) END) AS reserved_count
  FROM host_setting
  WHERE kind IN ('kernel_module', 'sysctl')
  GROUP BY asset
)
SELECT
  known.asset, known.process_pid, known.process_started_at, known.parent_process_pid, known.process_name,
  known.command_line, known.image_path, known.user_name, known.memory_bytes, known.huge_pages_bytes,
  known.largest_mapping_bytes, known.holds_msr, known.time, known.path, known.line, known.byte_offset,
  used.windows_count, used.first_at, used.last_at, used.cpu_user_s, used.cpu_system_s, used.moved_bytes,
  used.bytes_seen_count, used.busy_thread_count, used.used_memory_bytes, used.cpu_allowed_count,
  coalesce(setting.msr_loaded, 0) AS msr_loaded, setting.reserved_count
FROM known
JOIN used
  ON used.asset = known.asset AND used.process_pid = known.process_pid
  AND used.process_started_at = known.process_started_at
LEFT JOIN setting ON setting.asset = known.asset
WHERE known.place = 1 AND used.windows_count >= $windows_count
