-- Where names are asked, against the approved baseline or the first look; resolvers that neither DHCP nor anybody else
-- vouches for; and processes that ask a public resolver past the host's own, over HTTPS or TLS.
WITH resolving AS (
  SELECT DISTINCT asset, name AS ip FROM host_setting WHERE kind = 'resolver' AND asset IS NOT NULL AND name <> ''
),
steered AS (
  SELECT asset, ip FROM resolving
  UNION
  SELECT r.asset, k.ip FROM (SELECT DISTINCT asset FROM host_setting) AS r CROSS JOIN known_resolver AS k
),
setting AS (
  SELECT
    h.asset, h.time, 'resolver' AS need, h.name, h.name AS value, h.file_path, h.modified_at, h.path, h.line,
    h.byte_offset
  FROM host_setting AS h
  WHERE h.kind = 'resolver' AND h.asset IS NOT NULL AND h.name <> ''
  UNION ALL
  SELECT
    h.asset, h.time, 'name_source' AS need, h.name, h.value, h.file_path, h.modified_at, h.path, h.line, h.byte_offset
  FROM host_setting AS h
  WHERE h.kind = 'nsswitch' AND h.asset IS NOT NULL AND h.value <> ''
    AND h.name IN ('hosts', 'FallbackDNS', 'DNSOverTLS')
  UNION ALL
  SELECT
    h.asset, h.time, 'route' AS need, h.name, regexp_replace(h.value, ' metric [0-9]+$', '') AS value,
    CAST(NULL AS VARCHAR) AS file_path, h.modified_at, h.path, h.line, h.byte_offset
  FROM host_setting AS h
  LEFT JOIN steered AS s ON s.asset = h.asset AND s.ip = regexp_replace(h.name, '/(32|128)$', '')
  WHERE h.kind = 'route' AND h.asset IS NOT NULL AND h.name <> '' AND h.value <> ''
    AND (regexp_matches(h.name, '/[01]$') OR s.ip IS NOT NULL)
),
looked AS (
  SELECT asset, min(time) AS first_at, max(time) AS last_at FROM host_setting WHERE asset IS NOT NULL GROUP BY asset
),
approved AS (
  SELECT asset, name AS need, max(time) AS approved_at, max(approved_by) AS approved_by
  FROM declared_need
  WHERE kind = 'list' AND name IN ('resolver', 'name_source', 'route')
  GROUP BY asset, name
),
known AS (
  SELECT d.asset, d.kind AS need, CASE WHEN d.kind = 'resolver' THEN d.value ELSE d.name END AS name, d.value
  FROM declared_need AS d
  JOIN approved AS a ON a.asset = d.asset AND a.need = d.kind AND a.approved_at = d.time
  UNION
  SELECT s.asset, s.need, s.name, s.value
  FROM setting AS s
  JOIN looked AS k ON k.asset = s.asset AND k.first_at = s.time
  LEFT JOIN approved AS a ON a.asset = s.asset AND a.need = s.need
  WHERE a.asset IS NULL
),
given AS (
  SELECT DISTINCT asset, time, name AS ip FROM host_setting WHERE kind = 'dhcp_dns' AND asset IS NOT NULL
),
leased AS (
  SELECT DISTINCT asset, time FROM given
),
judged AS (
  SELECT
    CASE
      WHEN n.asset IS NULL AND a.asset IS NOT NULL AND (s.time > a.approved_at OR s.time = k.last_at) THEN 'undeclared'
      WHEN n.asset IS NULL AND a.asset IS NULL AND s.time > k.first_at THEN 'new'
      WHEN a.asset IS NULL AND s.need = 'resolver' AND l.asset IS NOT NULL AND g.ip IS NULL AND r.ip IS NULL
        AND s.time = k.last_at THEN 'unleased'
    END AS fact,
    s.asset, s.time, s.need, s.name, s.value, s.file_path, s.modified_at, r.name AS resolver_name,
    CASE WHEN g.ip IS NULL THEN 0 ELSE 1 END AS leased, k.first_at, a.approved_at, a.approved_by,
    s.path, s.line, s.byte_offset
  FROM setting AS s
  JOIN looked AS k ON k.asset = s.asset
  LEFT JOIN approved AS a ON a.asset = s.asset AND a.need = s.need
  LEFT JOIN known AS n ON n.asset = s.asset AND n.need = s.need AND n.name = s.name AND n.value = s.value
  LEFT JOIN known_resolver AS r ON r.ip = s.value
  LEFT JOIN given AS g ON g.asset = s.asset AND g.time = s.time AND g.ip = s.value
  LEFT JOIN leased AS l ON l.asset = s.asset AND l.time = s.time
),
changed AS (
  SELECT DISTINCT
    j.asset, j.file_path, coalesce(w.written_at, j.modified_at) AS changed_at, w.written_at, w.writer_pid,
    w.writer_name, w.writer_user_name, w.writer_login_user_name
  FROM judged AS j
  LEFT JOIN file_writer AS w ON w.asset = j.asset AND w.file_path = j.file_path
  WHERE j.fact IS NOT NULL AND j.file_path IS NOT NULL
),
before AS (
  SELECT
    c.asset, c.file_path, c.changed_at, l.source, l.login_at, l.login_name,
    row_number() OVER (PARTITION BY c.asset, c.file_path, c.changed_at ORDER BY l.login_at DESC, l.source) AS choice
  FROM changed AS c
  JOIN login AS l ON l.asset = c.asset
  WHERE l.login_at <= c.changed_at AND epoch(l.login_at) >= epoch(c.changed_at) - $near_s
),
own AS (
  SELECT DISTINCT r.asset, k.name FROM resolving AS r JOIN known_resolver AS k ON k.ip = r.ip
),
asked AS (
  SELECT
    u.asset, u.time, u.process_pid, u.process_started_at, u.process_name, u.dst_ip, u.dst_port, k.name,
    min(u.time) OVER (PARTITION BY u.asset, u.process_pid, u.process_started_at) AS first_at,
    u.path, u.line, u.byte_offset,
    row_number() OVER (
      PARTITION BY u.asset, u.process_pid, u.process_started_at, u.dst_ip, u.dst_port ORDER BY u.time, u.byte_offset
    ) AS place
  FROM socket_usage AS u
  LEFT JOIN known_resolver AS k ON k.ip = u.dst_ip
  LEFT JOIN own AS o ON o.asset = u.asset AND o.name = k.name
  WHERE u.process_pid IS NOT NULL AND u.asset IS NOT NULL AND coalesce(u.direction, 'outgoing') = 'outgoing'
    -- A program that asks the host's own resolver over HTTPS hides nothing from it.
    AND o.asset IS NULL AND coalesce(u.state, '') <> 'syn_sent'
    AND (u.dst_port = 853 OR (u.dst_port = 443 AND k.ip IS NOT NULL))
),
ran AS (
  SELECT
    asset, process_pid, process_started_at, parent_process_pid, process_name, image_path, command_line, user_name,
    login_user_name, lineage,
    row_number() OVER (
      PARTITION BY asset, process_pid, process_started_at ORDER BY time DESC, path DESC, byte_offset DESC
    ) AS place
  FROM process_activity
  WHERE process_pid IS NOT NULL AND activity <> 'terminate'
)
SELECT
  j.fact, j.asset, j.time, j.need, j.name, j.value, j.file_path, j.resolver_name, j.leased, j.first_at, j.approved_at,
  j.approved_by, c.changed_at, c.written_at, c.writer_pid, c.writer_name, c.writer_user_name, c.writer_login_user_name,
  g.source, g.login_at, g.login_name, CAST(NULL AS BIGINT) AS process_pid,
  CAST(NULL AS TIMESTAMP) AS process_started_at, CAST(NULL AS BIGINT) AS parent_process_pid,
  CAST(NULL AS VARCHAR) AS process_name, CAST(NULL AS VARCHAR) AS image_path, CAST(NULL AS VARCHAR) AS command_line,
  CAST(NULL AS VARCHAR) AS user_name, CAST(NULL AS VARCHAR) AS login_user_name, CAST(NULL AS VARCHAR[]) AS lineage,
  j.path, j.line, j.byte_offset
FROM judged AS j
LEFT JOIN changed AS c
  ON c.asset = j.asset AND c.file_path = j.file_path
  AND (c.written_at IS NOT NULL OR c.changed_at = j.modified_at OR (c.changed_at IS NULL AND j.modified_at IS NULL))
LEFT JOIN before AS g
  ON g.asset = c.asset AND g.file_path = c.file_path AND g.changed_at = c.changed_at AND g.choice = 1
WHERE j.fact IS NOT NULL
UNION ALL
SELECT
  'bypass' AS fact, a.asset, a.time, CASE WHEN a.dst_port = 853 THEN 'TLS' ELSE 'HTTPS' END AS need, a.name,
  a.dst_ip AS value, NULL AS file_path, a.name AS resolver_name, 0 AS leased, a.first_at, NULL AS approved_at,
  NULL AS approved_by, NULL AS changed_at, NULL AS written_at, NULL AS writer_pid, NULL AS writer_name,
  NULL AS writer_user_name, NULL AS writer_login_user_name, NULL AS source, NULL AS login_at, NULL AS login_name,
  a.process_pid, a.process_started_at, r.parent_process_pid, coalesce(r.process_name, a.process_name) AS process_name,
  r.image_path, r.command_line, r.user_name, r.login_user_name, r.lineage, a.path, a.line, a.byte_offset
FROM asked AS a
LEFT JOIN ran AS r
  ON r.asset = a.asset AND r.process_pid = a.process_pid AND r.process_started_at = a.process_started_at AND r.place = 1
WHERE a.place <= 5
