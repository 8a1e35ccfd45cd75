-- Services that start by themselves, or were started by hand, and that nobody declared: neither the approved baseline
-- nor, where there is none, the first look; with the file that defines each, who wrote it, and who had logged in.
WITH listed AS (
  SELECT
    asset, time, name, state, enabled, command, user_name, process_pid, file_path, file_package, path, line,
    byte_offset, regexp_replace(name, '@[^.]*', '@', 'g') AS template
  FROM service_state
  WHERE asset IS NOT NULL AND name <> '' AND (
    -- What another unit starts (static, of a package) is explained by that unit; what systemd-run starts, by its user.
    enabled = true
    OR (
      state = 'running' AND (enabled = false OR file_package IS NULL)
      AND coalesce(file_path, '') NOT LIKE '/run/systemd/%'
    )
  )
),
looked AS (
  SELECT asset, min(time) AS first_at, max(time) AS last_at FROM service_state WHERE asset IS NOT NULL GROUP BY asset
),
approved AS (
  SELECT asset, max(time) AS approved_at, max(approved_by) AS approved_by
  FROM declared_need
  WHERE kind = 'list' AND name = 'service'
  GROUP BY asset
),
known AS (
  SELECT d.asset, regexp_replace(d.name, '@[^.]*', '@', 'g') AS template
  FROM declared_need AS d
  JOIN approved AS a ON a.asset = d.asset AND a.approved_at = d.time
  WHERE d.kind = 'service'
  UNION
  SELECT s.asset, s.template
  FROM listed AS s
  JOIN looked AS k ON k.asset = s.asset AND k.first_at = s.time
  LEFT JOIN approved AS a ON a.asset = s.asset
  WHERE a.asset IS NULL
),
beyond AS (
  SELECT
    s.asset, s.time, s.name, s.template, s.state, s.enabled, s.command, s.user_name AS service_user_name,
    s.process_pid, s.file_path, s.file_package, s.path, s.line, s.byte_offset, k.first_at, a.approved_at,
    a.approved_by
  FROM listed AS s
  JOIN looked AS k ON k.asset = s.asset
  LEFT JOIN approved AS a ON a.asset = s.asset
  LEFT JOIN known AS n ON n.asset = s.asset AND n.template = s.template
  WHERE n.asset IS NULL AND (
    (a.asset IS NOT NULL AND (s.time > a.approved_at OR s.time = k.last_at))
    OR (a.asset IS NULL AND s.time > k.first_at)
  )
),
held AS (
  SELECT asset, file_path, max(changed_at) AS changed_at
  FROM startup_item
  WHERE file_path IS NOT NULL
  GROUP BY asset, file_path
),
ran AS (
  SELECT
    asset, process_pid, process_started_at, parent_process_pid, process_name, image_path, command_line, user_name,
    login_user_name, lineage,
    row_number() OVER (PARTITION BY asset, process_pid ORDER BY time DESC, path DESC, byte_offset DESC) AS place
  FROM process_activity
  WHERE process_pid IS NOT NULL AND activity <> 'terminate'
),
written AS (
  SELECT
    b.*, w.written_at, w.writer_pid, w.writer_name, w.writer_user_name, w.writer_login_user_name,
    max(coalesce(w.written_at, h.changed_at)) OVER (PARTITION BY b.asset, b.template) AS changed_at
  FROM beyond AS b
  LEFT JOIN held AS h ON h.asset = b.asset AND h.file_path = b.file_path
  LEFT JOIN file_writer AS w ON w.asset = b.asset AND w.file_path = b.file_path
),
before AS (
  SELECT
    d.asset, d.template, l.source, l.login_at, l.login_name,
    row_number() OVER (PARTITION BY d.asset, d.template ORDER BY l.login_at DESC, l.source) AS choice
  FROM (SELECT DISTINCT asset, template, changed_at FROM written) AS d
  JOIN login AS l ON l.asset = d.asset
  WHERE l.login_at <= d.changed_at AND epoch(l.login_at) >= epoch(d.changed_at) - $near_s
)
SELECT
  w.*, g.source, g.login_at, g.login_name, r.process_started_at, r.parent_process_pid, r.process_name, r.image_path,
  r.command_line, r.user_name, r.login_user_name, r.lineage
FROM written AS w
LEFT JOIN ran AS r ON r.asset = w.asset AND r.process_pid = w.process_pid AND r.place = 1
LEFT JOIN before AS g ON g.asset = w.asset AND g.template = w.template AND g.choice = 1
