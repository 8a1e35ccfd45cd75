-- Keys and accounts that let somebody in and that nobody declared: neither the approved baseline nor, where there is
-- none, the first look; with who wrote the file and who had logged in before.
WITH entry AS (
  SELECT
    asset, time, 'authorized_key' AS need, split_part(command, ' ', 2) AS value, coalesce(user_name, '') AS user_name,
    name, command AS detail, file_path, file_line, changed_at, path, line, byte_offset
  FROM startup_item
  WHERE asset IS NOT NULL AND kind = 'authorized_key' AND command LIKE '% SHA256:%'
  UNION ALL
  SELECT
    asset, time, 'user_account' AS need,
    concat(
      regexp_extract(value, '^uid=[0-9]+', 0), regexp_extract(value, ' login=[a-z]+', 0),
      regexp_extract(value, ' groups=[a-z,]+$', 0)
    ) AS value,
    name AS user_name, name, value AS detail, file_path, file_line, modified_at AS changed_at, path, line, byte_offset
  FROM host_setting
  WHERE asset IS NOT NULL AND kind = 'user_account' AND name <> ''
    AND regexp_matches(value, '^uid=0 | login=yes | groups=[a-z,]+$')
),
looked AS (
  SELECT asset, 'authorized_key' AS need, min(time) AS first_at, max(time) AS last_at
  FROM startup_item
  WHERE asset IS NOT NULL
  GROUP BY asset
  UNION ALL
  SELECT asset, 'user_account' AS need, min(time) AS first_at, max(time) AS last_at
  FROM host_setting
  WHERE asset IS NOT NULL
  GROUP BY asset
),
approved AS (
  SELECT asset, name AS need, max(time) AS approved_at, max(approved_by) AS approved_by
  FROM declared_need
  WHERE kind = 'list' AND name IN ('authorized_key', 'user_account')
  GROUP BY asset, name
),
known AS (
  SELECT
    d.asset, d.kind AS need, CASE WHEN d.kind = 'user_account' THEN d.name ELSE coalesce(d.user_name, '') END AS user_name,
    d.value
  FROM declared_need AS d
  JOIN approved AS a ON a.asset = d.asset AND a.need = d.kind AND a.approved_at = d.time
  UNION
  SELECT e.asset, e.need, e.user_name, e.value
  FROM entry AS e
  JOIN looked AS k ON k.asset = e.asset AND k.need = e.need AND k.first_at = e.time
  LEFT JOIN approved AS a ON a.asset = e.asset AND a.need = e.need
  WHERE a.asset IS NULL
),
account AS (
  SELECT asset, user_name, max(value) AS known_value FROM known WHERE need = 'user_account' GROUP BY asset, user_name
),
beyond AS (
  SELECT e.*, k.first_at, a.approved_at, a.approved_by, m.known_value
  FROM entry AS e
  JOIN looked AS k ON k.asset = e.asset AND k.need = e.need
  LEFT JOIN approved AS a ON a.asset = e.asset AND a.need = e.need
  LEFT JOIN known AS n
    ON n.asset = e.asset AND n.need = e.need AND n.user_name = e.user_name AND coalesce(n.value, e.value) = e.value
  LEFT JOIN account AS m ON m.asset = e.asset AND m.user_name = e.user_name AND e.need = 'user_account'
  WHERE n.asset IS NULL AND (
    (a.asset IS NOT NULL AND (e.time > a.approved_at OR e.time = k.last_at))
    -- The first look may have been allowed to see less; what it could have missed did not change since.
    OR (a.asset IS NULL AND e.time > k.first_at AND coalesce(e.changed_at, e.time) >= k.first_at)
  )
),
written AS (
  SELECT
    asset, file_path, time AS written_at, process_pid AS writer_pid, process_name AS writer_name,
    user_name AS writer_user_name, login_user_name AS writer_login_user_name,
    row_number() OVER (PARTITION BY asset, file_path ORDER BY time DESC, path DESC, byte_offset DESC) AS place
  FROM file_activity
  WHERE activity IN ('create', 'update', 'rename') AND coalesce(status, 'success') = 'success'
),
dated AS (
  SELECT b.asset, b.file_path, max(coalesce(w.written_at, b.changed_at)) AS dated_at
  FROM beyond AS b
  LEFT JOIN written AS w ON w.asset = b.asset AND w.file_path = b.file_path AND w.place = 1
  GROUP BY b.asset, b.file_path
),
login AS (
  SELECT
    d.asset, d.file_path, coalesce(e.src_ip, e.src_host) AS source, e.time AS login_at, e.user_name AS login_name,
    row_number() OVER (PARTITION BY d.asset, d.file_path ORDER BY e.time DESC, e.src_ip) AS choice
  FROM dated AS d
  JOIN authentication AS e ON e.asset = d.asset
  WHERE e.status = 'success' AND coalesce(e.src_ip, e.src_host) IS NOT NULL
    AND e.time <= d.dated_at AND epoch(e.time) >= epoch(d.dated_at) - $near_s
)
SELECT
  b.*, w.written_at, w.writer_pid, w.writer_name, w.writer_user_name, w.writer_login_user_name, g.source, g.login_at,
  g.login_name
FROM beyond AS b
LEFT JOIN written AS w ON w.asset = b.asset AND w.file_path = b.file_path AND w.place = 1
LEFT JOIN login AS g ON g.asset = b.asset AND g.file_path = b.file_path AND g.choice = 1
