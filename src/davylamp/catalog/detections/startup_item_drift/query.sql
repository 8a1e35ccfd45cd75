-- Entries that start something by themselves, that no package accounts for, and that nobody declared: neither the
-- approved baseline nor, where there is none, the first look; with who wrote the file and who had logged in before.
WITH entry AS (
  SELECT
    asset, time, kind, name, command, schedule, user_name, file_path, file_line, file_owner_name, file_package_state,
    program_path, program_package_state, changed_at, path, line, byte_offset,
    sha256(coalesce(command, '')) AS sha256
  FROM startup_item
  WHERE asset IS NOT NULL AND kind IS NOT NULL AND kind <> 'authorized_key' AND name IS NOT NULL
    AND coalesce(enabled, true)
    AND coalesce(file_path, '') NOT LIKE '/run/systemd/transient/%'
    AND NOT (
      coalesce(file_package_state, '') = 'unmodified' AND coalesce(program_package_state, 'unmodified') = 'unmodified'
    )
),
looked AS (
  SELECT asset, min(time) AS first_at, max(time) AS last_at FROM startup_item WHERE asset IS NOT NULL GROUP BY asset
),
approved AS (
  SELECT asset, max(time) AS approved_at, max(approved_by) AS approved_by
  FROM declared_need
  WHERE kind = 'list' AND name = 'startup_item'
  GROUP BY asset
),
known AS (
  SELECT d.asset, d.item_kind AS kind, coalesce(d.file_path, '') AS file_path, coalesce(d.name, '') AS name, d.sha256
  FROM declared_need AS d
  JOIN approved AS a ON a.asset = d.asset AND a.approved_at = d.time
  WHERE d.kind = 'startup_item'
  UNION
  SELECT e.asset, e.kind, coalesce(e.file_path, '') AS file_path, e.name, e.sha256
  FROM entry AS e
  JOIN looked AS k ON k.asset = e.asset AND k.first_at = e.time
  LEFT JOIN approved AS a ON a.asset = e.asset
  WHERE a.asset IS NULL
),
named AS (
  SELECT DISTINCT asset, kind, file_path, name FROM known
),
beyond AS (
  SELECT
    e.*, k.first_at, a.approved_at, a.approved_by, CASE WHEN m.asset IS NULL THEN 0 ELSE 1 END AS rewritten
  FROM entry AS e
  JOIN looked AS k ON k.asset = e.asset
  LEFT JOIN approved AS a ON a.asset = e.asset
  LEFT JOIN known AS n
    ON n.asset = e.asset AND n.kind = e.kind AND n.file_path = coalesce(e.file_path, '') AND n.name = e.name
    AND coalesce(n.sha256, e.sha256) = e.sha256
  LEFT JOIN named AS m
    ON m.asset = e.asset AND m.kind = e.kind AND m.file_path = coalesce(e.file_path, '') AND m.name = e.name
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
