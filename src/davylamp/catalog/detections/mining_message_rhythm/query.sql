SELECT
    asset,
    peer_asset,
    time,
    end_time,
    src_ip,
    src_port,
    dst_ip,
    dst_port,
    application,
    tls_version,
    server_name,
    state,
    message_times_s,
    message_sizes_bytes,
    payload_out,
    payload_in,
    process_pid,
    process_started_at,
    process_name,
    path,
    line,
    frame,
    byte_offset
FROM network_activity
WHERE protocol = 'tcp'
  AND message_times_s IS NOT NULL
  AND message_sizes_bytes IS NOT NULL
  AND ARRAY_LENGTH(message_sizes_bytes) >= 7
  AND epoch(end_time) - epoch(time) >= 12
  AND COALESCE(bytes_out, 0) + COALESCE(bytes_in, 0) <= $bytes_per_s_most * (epoch(end_time) - epoch(time))
-- Connections that begin at one instant are told in the order of the evidence, whatever engine answers.
ORDER BY time, path, line, frame, byte_offset
