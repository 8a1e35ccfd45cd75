-- Who burned CPU in the windows looked at. One that holds no connection counts with the nearest kin that does: 1 its
-- parent of the same program, 2 its parent, 3 its grandparent (a shell between). What a talker starts is looked at
-- program by program (`team`): an agent of a build service may have started a compiler as well.
-- Only what a process did last: one that idled for hours and then began to compute is a miner like any other.
WITH ended AS (
  SELECT asset, process_pid, process_started_at, max(end_time) AS last_at
  FROM process_usage
  WHERE end_time > time
  GROUP BY asset, process_pid, process_started_at
),
recent AS (
  SELECT process_usage.*
  FROM process_usage
  JOIN ended
    ON ended.asset = process_usage.asset AND ended.process_pid = process_usage.process_pid
    AND ended.process_started_at = process_usage.process_started_at
  WHERE process_usage.end_time > process_usage.time
    AND epoch(ended.last_at) - epoch(process_usage.time) <= $look_back_s
),
burned AS (
  SELECT
    asset, process_pid, process_started_at,
    sum(cpu_user_s + cpu_system_s) AS cpu_s,
    sum(coalesce(cpu_wait_s, 0.0)) AS wait_s,
    count(*) AS windows_count,
    min(time) AS first_at,
    max(end_time) AS last_at
  FROM recent
  GROUP BY asset, process_pid, process_started_at
),
burning AS (
  SELECT * FROM burned
  WHERE windows_count >= $windows_count
    AND cpu_s + wait_s >= $cpu_least_ratio * (epoch(last_at) - epoch(first_at))
    AND cpu_s >= $cpu_given_least_ratio * (epoch(last_at) - epoch(first_at))
),
known AS (
  SELECT
    asset, process_pid, process_started_at, parent_process_pid, process_name, command_line, image_path, image_state,
    image_package, image_package_state, user_name, container_uid, lineage, path, line, byte_offset,
    row_number() OVER (
      PARTITION BY asset, process_pid, process_started_at ORDER BY time DESC, path DESC, byte_offset DESC
    ) AS place
  FROM process_activity
  WHERE process_pid IS NOT NULL AND activity <> 'terminate'
),
process AS (
  SELECT * FROM known WHERE place = 1
),
held AS (
  SELECT
    asset, process_pid, process_started_at, socket_uid,
    max(dst_ip) AS dst_ip, max(dst_port) AS dst_port, max(state) AS state,
    min(time) AS first_at, max(time) AS last_at,
    min(bytes_out) AS first_bytes_out, max(bytes_out) AS last_bytes_out,
    min(bytes_in) AS first_bytes_in, max(bytes_in) AS last_bytes_in,
    max(path) AS path, min(line) AS line, min(byte_offset) AS byte_offset
  FROM socket_usage
  WHERE protocol = 'tcp' AND direction = 'outgoing' AND process_pid IS NOT NULL
  GROUP BY asset, process_pid, process_started_at, socket_uid
),
talking AS (
  SELECT DISTINCT asset, process_pid, process_started_at FROM held
),
kin AS (
  SELECT
    burning.asset, burning.process_pid, burning.process_started_at, child.image_path, child.parent_process_pid,
    parent.process_started_at AS parent_started_at, parent.image_path AS parent_image_path,
    grandparent.process_pid AS grandparent_pid, grandparent.process_started_at AS grandparent_started_at
  FROM burning
  LEFT JOIN process AS child
    ON child.asset = burning.asset AND child.process_pid = burning.process_pid
    AND child.process_started_at = burning.process_started_at
  LEFT JOIN process AS parent
    ON parent.asset = child.asset AND parent.process_pid = child.parent_process_pid
    AND parent.process_started_at <= child.process_started_at
  LEFT JOIN process AS grandparent
    ON grandparent.asset = parent.asset AND grandparent.process_pid = parent.parent_process_pid
    AND grandparent.process_started_at <= parent.process_started_at
),
tied AS (
  SELECT
    kin.asset, kin.process_pid AS member_pid, kin.process_started_at AS member_started_at,
    talker.process_pid, talker.process_started_at, kin.image_path,
    CASE
      WHEN talker.process_pid = kin.process_pid AND talker.process_started_at = kin.process_started_at THEN 0
      WHEN talker.process_pid = kin.parent_process_pid AND talker.process_started_at = kin.parent_started_at
        AND kin.parent_image_path = kin.image_path THEN 1
      WHEN talker.process_pid = kin.parent_process_pid AND talker.process_started_at = kin.parent_started_at THEN 2
      WHEN talker.process_pid = kin.grandparent_pid AND talker.process_started_at = kin.grandparent_started_at THEN 3
    END AS tie
  FROM kin
  JOIN talking AS talker
    ON talker.asset = kin.asset
    AND talker.process_pid IN (kin.process_pid, kin.parent_process_pid, kin.grandparent_pid)
),
nearest AS (
  SELECT
    tied.*,
    row_number() OVER (
      PARTITION BY asset, member_pid, member_started_at ORDER BY tie, process_pid, process_started_at
    ) AS place
  FROM tied
  WHERE tie IS NOT NULL
),
member AS (
  SELECT
    asset, member_pid, member_started_at, process_pid, process_started_at, tie,
    CASE WHEN tie < 2 THEN '' ELSE coalesce(image_path, '?') END AS team
  FROM nearest
  WHERE place = 1
),
subject AS (
  SELECT DISTINCT asset, process_pid, process_started_at, team FROM member
),
ranked AS (
  SELECT
    member.asset, member.process_pid, member.process_started_at, member.team, usage.time,
    max(usage.end_time) AS end_time,
    sum(usage.cpu_user_s) AS cpu_user_s,
    sum(usage.cpu_system_s) AS cpu_system_s,
    sum(usage.transferred_bytes) AS transferred_bytes,
    sum(usage.storage_bytes) AS storage_bytes,
    max(usage.cpu_allowed_count) AS cpu_allowed_count,
    count(DISTINCT member.member_pid) AS members_count,
    max(member.tie) AS tie,
    max(usage.path) AS path, min(usage.line) AS line, min(usage.byte_offset) AS byte_offset,
    row_number() OVER (
      PARTITION BY member.asset, member.process_pid, member.process_started_at, member.team ORDER BY usage.time DESC
    ) AS place
  FROM member
  JOIN recent AS usage
    ON usage.asset = member.asset AND usage.process_pid = member.member_pid
    AND usage.process_started_at = member.member_started_at
  GROUP BY member.asset, member.process_pid, member.process_started_at, member.team, usage.time
),
told AS (
  SELECT
    'window' AS kind, ranked.asset, ranked.process_pid, ranked.process_started_at, ranked.time, ranked.end_time,
    ranked.cpu_user_s, ranked.cpu_system_s, ranked.transferred_bytes, ranked.storage_bytes, ranked.cpu_allowed_count,
    ranked.members_count, ranked.team, ranked.tie, CAST(NULL AS BIGINT) AS member_pid,
    CAST(NULL AS TIMESTAMP) AS member_started_at, CAST(NULL AS VARCHAR) AS dst_ip, CAST(NULL AS INTEGER) AS dst_port,
    CAST(NULL AS VARCHAR) AS state, CAST(NULL AS BIGINT) AS first_bytes_out, CAST(NULL AS BIGINT) AS last_bytes_out,
    CAST(NULL AS BIGINT) AS first_bytes_in, CAST(NULL AS BIGINT) AS last_bytes_in,
    ranked.path, ranked.line, ranked.byte_offset
  FROM ranked
  WHERE ranked.place <= $windows_most_count
  UNION ALL
  SELECT
    'socket' AS kind, held.asset, held.process_pid, held.process_started_at, held.first_at AS time,
    held.last_at AS end_time, CAST(NULL AS DOUBLE), CAST(NULL AS DOUBLE), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT),
    CAST(NULL AS DOUBLE), CAST(NULL AS BIGINT), CAST(NULL AS VARCHAR), CAST(NULL AS INTEGER), CAST(NULL AS BIGINT),
    CAST(NULL AS TIMESTAMP), held.dst_ip, held.dst_port, held.state, held.first_bytes_out,
    held.last_bytes_out, held.first_bytes_in, held.last_bytes_in, held.path, held.line, held.byte_offset
  FROM held
  UNION ALL
  SELECT
    'member' AS kind, member.asset, member.process_pid, member.process_started_at, burning.first_at AS time,
    burning.last_at AS end_time, burning.cpu_s, CAST(NULL AS DOUBLE), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT),
    CAST(NULL AS DOUBLE), CAST(NULL AS BIGINT), member.team, member.tie, member.member_pid, member.member_started_at,
    CAST(NULL AS VARCHAR), CAST(NULL AS INTEGER), CAST(NULL AS VARCHAR), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT),
    CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), CAST(NULL AS VARCHAR), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT)
  FROM member
  JOIN burning
    ON burning.asset = member.asset AND burning.process_pid = member.member_pid
    AND burning.process_started_at = member.member_started_at
)
SELECT
  told.*, subject.team AS team_name, process.parent_process_pid, process.process_name, process.command_line, process.image_path,
  process.image_state, process.image_package, process.image_package_state, process.user_name, process.container_uid,
  process.lineage
FROM told
JOIN subject
  ON subject.asset = told.asset AND subject.process_pid = told.process_pid
  AND subject.process_started_at = told.process_started_at AND (told.team IS NULL OR told.team = subject.team)
LEFT JOIN process
  ON process.asset = told.asset AND process.process_pid = told.process_pid
  AND process.process_started_at = told.process_started_at
ORDER BY told.asset, told.process_pid, told.process_started_at, team_name, told.kind, told.time, told.path, told.byte_offset
