-- Readings of the outgoing connections whose counters moved often enough to be judged, with the process that holds them.
WITH told AS (
  SELECT
    asset, process_pid, process_started_at, socket_uid, time, dst_ip, dst_port, bytes_out, bytes_in, segments_out,
    segments_in, last_sent_ago_s, last_received_ago_s, path, line, byte_offset,
    row_number() OVER (
      PARTITION BY asset, process_pid, process_started_at, socket_uid ORDER BY time DESC, path DESC, byte_offset DESC
    ) AS place
  FROM socket_usage
  WHERE protocol = 'tcp' AND direction = 'outgoing' AND process_pid IS NOT NULL
    AND bytes_out IS NOT NULL AND bytes_in IS NOT NULL
),
recent AS (
  SELECT * FROM told WHERE place <= $readings_most_count
),
judged AS (
  SELECT asset, process_pid, process_started_at, socket_uid
  FROM recent
  GROUP BY asset, process_pid, process_started_at, socket_uid
  HAVING count(*) >= $readings_least_count
    AND max(bytes_out) > min(bytes_out)
    AND max(bytes_in) > min(bytes_in)
    AND CAST(max(bytes_out) AS DOUBLE) - min(bytes_out) + CAST(max(bytes_in) AS DOUBLE) - min(bytes_in)
      <= $bytes_per_s_most * (epoch(max(time)) - epoch(min(time)))
),
known AS (
  SELECT
    asset, process_pid, process_started_at, parent_process_pid, process_name, command_line, image_path, image_state,
    image_package, image_package_state, user_name, container_uid, lineage,
    row_number() OVER (
      PARTITION BY asset, process_pid, process_started_at ORDER BY time DESC, path DESC, byte_offset DESC
    ) AS place
  FROM process_activity
  WHERE process_pid IS NOT NULL AND activity <> 'terminate'
)
SELECT
  recent.asset, recent.process_pid, recent.process_started_at, recent.socket_uid, recent.time, recent.dst_ip,
  recent.dst_port, recent.bytes_out, recent.bytes_in, recent.segments_out, recent.segments_in, recent.last_sent_ago_s,
  recent.last_received_ago_s, recent.path, recent.line, recent.byte_offset, known.parent_process_pid,
  known.process_name, known.command_line, known.image_path, known.image_state, known.image_package,
  known.image_package_state, known.user_name, known.container_uid, known.lineage
FROM recent
JOIN judged
  ON judged.asset = recent.asset AND judged.process_pid = recent.process_pid
  AND judged.process_started_at = recent.process_started_at
  AND judged.socket_uid = recent.socket_uid
LEFT JOIN known
  ON known.asset = recent.asset AND known.process_pid = recent.process_pid
  AND known.process_started_at = recent.process_started_at AND known.place = 1
ORDER BY recent.asset, recent.process_pid, recent.process_started_at, recent.socket_uid, recent.time, recent.path,
  recent.byte_offset
