-- Ports that somebody waits on and nobody declared: neither the approved baseline of the host nor, where there is none,
-- the first look at it; with who holds each, and who had logged in before the holder started.
WITH listened AS (
  SELECT
    asset, time, protocol, ip, port, exposure, process_pid, process_started_at, process_name, image_path, user_uid,
    path, line, byte_offset,
    CASE exposure WHEN 'any' THEN 3 WHEN 'address' THEN 2 ELSE 1 END AS reach
  FROM listening_port
  WHERE asset IS NOT NULL AND protocol IS NOT NULL AND port IS NOT NULL
    AND coalesce(exposure, 'any') <> 'container'
),
looked AS (
  SELECT asset, min(time) AS first_at, max(time) AS last_at FROM listened GROUP BY asset
),
approved AS (
  SELECT asset, max(time) AS approved_at, max(approved_by) AS approved_by
  FROM declared_need
  WHERE kind = 'list' AND name = 'listening_port'
  GROUP BY asset
),
ran AS (
  SELECT
    asset, process_pid, process_started_at, parent_process_pid, process_name, image_path, image_state,
    image_package_state, command_line, user_name, login_user_name, terminal, container_uid, lineage,
    row_number() OVER (
      PARTITION BY asset, process_pid, process_started_at ORDER BY time DESC, path DESC, byte_offset DESC
    ) AS place
  FROM process_activity
  WHERE process_pid IS NOT NULL AND activity <> 'terminate'
),
owned AS (
  SELECT
    l.asset, l.time, l.protocol, l.ip, l.port, l.exposure, l.reach, l.process_pid, l.process_started_at, l.user_uid,
    l.path, l.line, l.byte_offset, coalesce(l.process_name, r.process_name) AS process_name,
    coalesce(l.image_path, r.image_path) AS image_path, r.parent_process_pid, r.image_state, r.image_package_state,
    r.command_line, r.user_name, r.login_user_name, r.terminal, r.container_uid, r.lineage,
    -- Versions and hashes in a path change with every upgrade of the same program.
    regexp_replace(
      regexp_replace(coalesce(l.image_path, r.image_path), ' [(]deleted[)]$', ''), '[0-9a-f]{8,}|[0-9]+', '#', 'g'
    ) AS program,
    -- Ports that the kernel gives, and those that RPC takes from the reserved ones; each differs after every start.
    CASE
      WHEN l.port BETWEEN $random_first AND $random_last THEN 1
      WHEN l.port BETWEEN $reserved_first AND 1023 AND coalesce(l.process_name, 'rpc.') LIKE 'rpc.%' THEN 1
      ELSE 0
    END AS random
  FROM listened AS l
  LEFT JOIN ran AS r
    ON r.asset = l.asset AND r.process_pid = l.process_pid AND r.process_started_at = l.process_started_at
    AND r.place = 1
),
known AS (
  SELECT
    d.asset, lower(d.protocol) AS protocol, d.port, lower(coalesce(d.value, '')) AS value,
    CASE coalesce(d.exposure, 'any') WHEN 'any' THEN 3 WHEN 'address' THEN 2 ELSE 1 END AS reach,
    regexp_replace(d.image_path, '[0-9a-f]{8,}|[0-9]+', '#', 'g') AS program, d.image_path
  FROM declared_need AS d
  JOIN approved AS a ON a.asset = d.asset AND a.approved_at = d.time
  WHERE d.kind = 'listening_port'
  UNION ALL
  SELECT
    o.asset, o.protocol, o.port,
    CASE WHEN o.random = 1 THEN 'random' ELSE '' END AS value, o.reach, o.program, o.image_path
  FROM owned AS o
  JOIN looked AS k ON k.asset = o.asset AND k.first_at = o.time
  LEFT JOIN approved AS a ON a.asset = o.asset
  WHERE a.asset IS NULL
),
judged AS (
  SELECT
    o.asset, o.path, o.byte_offset, a.approved_at, a.approved_by, k.first_at,
    max(CASE WHEN n.reach >= o.reach AND (
      ((n.port = o.port OR n.value = 'any') AND (n.program IS NULL OR o.program IS NULL OR n.program = o.program))
      OR (
        n.value = 'random' AND o.random = 1 AND coalesce(n.program, '') = coalesce(o.program, '')
      )
    ) THEN 1 ELSE 0 END) AS expected,
    max(CASE WHEN n.port = o.port AND n.reach < o.reach THEN 1 ELSE 0 END) AS widened,
    max(CASE WHEN n.port = o.port THEN n.image_path END) AS known_image_path
  FROM owned AS o
  JOIN looked AS k ON k.asset = o.asset
  LEFT JOIN approved AS a ON a.asset = o.asset
  LEFT JOIN known AS n ON n.asset = o.asset AND n.protocol = o.protocol
  WHERE (a.asset IS NOT NULL AND (o.time > a.approved_at OR o.time = k.last_at))
    OR (a.asset IS NULL AND o.time > k.first_at)
  GROUP BY o.asset, o.path, o.byte_offset, a.approved_at, a.approved_by, k.first_at
),
unexpected AS (
  SELECT
    o.asset, o.time, o.protocol, o.ip, o.port, o.exposure, o.process_pid, o.process_started_at, o.parent_process_pid,
    o.process_name, o.image_path, o.image_state, o.image_package_state, o.command_line, o.user_uid, o.user_name,
    o.login_user_name, o.terminal, o.container_uid, o.lineage, o.path, o.line, o.byte_offset,
    j.approved_at, j.approved_by, j.first_at, j.widened, j.known_image_path, o.random
  FROM judged AS j
  JOIN owned AS o ON o.asset = j.asset AND o.path = j.path AND o.byte_offset = j.byte_offset
  WHERE j.expected = 0
),
before AS (
  SELECT
    u.asset, u.process_pid, u.process_started_at, l.source, l.login_at, l.login_name,
    row_number() OVER (
      PARTITION BY u.asset, u.process_pid, u.process_started_at ORDER BY l.login_at DESC, l.source
    ) AS choice
  FROM unexpected AS u
  JOIN login AS l ON l.asset = u.asset AND l.login_name = u.login_user_name
  WHERE l.login_at <= u.process_started_at AND epoch(l.login_at) >= epoch(u.process_started_at) - $session_s
)
SELECT u.*, g.source, g.login_at, g.login_name
FROM unexpected AS u
LEFT JOIN before AS g
  ON g.asset = u.asset AND g.process_pid = u.process_pid AND g.process_started_at = u.process_started_at
  AND g.choice = 1
