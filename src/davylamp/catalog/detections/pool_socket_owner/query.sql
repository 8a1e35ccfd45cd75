-- Connections that processes hold, with what the evidence says of the other end: a listed address, the name it was
-- dialled by (an answer before it, a line of the hosts file), the name it was asked for in TLS or HTTP.
WITH held AS (
  SELECT
    asset, process_pid, process_started_at, dst_ip, dst_port,
    min(time) AS first_at, max(time) AS last_at, count(*) AS readings_count,
    max(CASE WHEN state = 'syn_sent' THEN 0 ELSE 1 END) AS connected,
    max(bytes_out) AS bytes_out, max(bytes_in) AS bytes_in
  FROM socket_usage
  WHERE process_pid IS NOT NULL AND coalesce(direction, 'outgoing') = 'outgoing'
  GROUP BY asset, process_pid, process_started_at, dst_ip, dst_port
),
remote AS (
  SELECT DISTINCT asset, dst_ip FROM held
),
named AS (
  SELECT remote.asset, remote.dst_ip, lower(d.query_name) AS name, 'answer' AS said_by
  -- Taken apart first: in Spark a join is made before the answers of its left side are.
  FROM (
    SELECT asset, query_name, t.answer FROM dns_activity CROSS JOIN UNNEST(answers) AS t(answer)
  ) AS d
  JOIN remote ON remote.dst_ip = d.answer AND remote.asset = d.asset
  UNION
  SELECT remote.asset, remote.dst_ip, lower(s.name) AS name, 'hosts' AS said_by
  FROM host_setting AS s
  JOIN remote ON remote.dst_ip = s.value AND remote.asset = s.asset
  WHERE s.kind = 'hosts_entry'
  UNION
  SELECT remote.asset, remote.dst_ip, lower(n.server_name) AS name, 'server_name' AS said_by
  FROM network_activity AS n
  JOIN remote ON remote.dst_ip = n.dst_ip AND remote.asset = n.asset
  WHERE n.server_name IS NOT NULL
),
listed AS (
  SELECT DISTINCT value FROM indicator WHERE type = 'ip' AND indicator_class = 'pool_endpoint'
),
known AS (
  SELECT
    asset, process_pid, process_started_at, parent_process_pid, process_name, command_line, image_path, user_name,
    path, line, byte_offset,
    row_number() OVER (
      PARTITION BY asset, process_pid, process_started_at ORDER BY time DESC, path DESC, byte_offset DESC
    ) AS place
  FROM process_activity
  WHERE process_pid IS NOT NULL AND activity <> 'terminate'
),
reading AS (
  SELECT
    asset, process_pid, process_started_at, dst_ip, dst_port, time, path, line, byte_offset,
    row_number() OVER (
      PARTITION BY asset, process_pid, process_started_at, dst_ip, dst_port ORDER BY time, path, byte_offset
    ) AS place
  FROM socket_usage
)
SELECT
  held.*, named.name, named.said_by, listed.value AS listed_ip, reading.time,
  known.parent_process_pid, known.process_name, known.command_line, known.image_path, known.user_name,
  reading.path, reading.line, reading.byte_offset
FROM held
JOIN reading
  ON reading.asset = held.asset AND reading.process_pid = held.process_pid
  AND reading.process_started_at = held.process_started_at AND reading.dst_ip = held.dst_ip
  AND reading.dst_port = held.dst_port AND reading.place <= 5
LEFT JOIN named ON named.asset = held.asset AND named.dst_ip = held.dst_ip
LEFT JOIN listed ON listed.value = held.dst_ip
LEFT JOIN known
  ON known.asset = held.asset AND known.process_pid = held.process_pid
  AND known.process_started_at = held.process_started_at AND known.place = 1
WHERE named.name IS NOT NULL OR listed.value IS NOT NULL
