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
    b.*, w.written_at, w.writer_pid, w.writer_name, w.writer_user_name, w.writer_login_user_name,
    max(coalesce(w.written_at, b.changed_at)) OVER (PARTITION BY b.asset, b.file_path) AS dated_at
  FROM beyond AS b
  LEFT JOIN file_writer AS w ON w.asset = b.asset AND w.file_path = b.file_path
),
before AS (
  SELECT
    d.asset, d.file_path, l.source, l.login_at, l.login_name,
    row_number() OVER (PARTITION BY d.asset, d.file_path ORDER BY l.login_at DESC, l.source) AS choice
  FROM (SELECT DISTINCT asset, file_path, dated_at FROM written) AS d
  JOIN login AS l ON l.asset = d.asset
  WHERE l.login_at <= d.dated_at AND epoch(l.login_at) >= epoch(d.dated_at) - $near_s
)
SELECT w.*, g.source, g.login_at, g.login_name
FROM written AS w
LEFT JOIN before AS g ON g.asset = w.asset AND g.file_path = w.file_path AND g.choice = 1
