WITH seen AS (
    SELECT
        asset, process_pid, process_started_at, parent_process_pid, process_name, command_line, image_path, user_name,
        activity, time, path, line, frame, byte_offset, process_started_at AS started_key,
        array_to_string(hidden_from, ', ') AS hidden_from, array_to_string(seen_by, ', ') AS seen_by
    FROM process_activity
    WHERE asset IS NOT NULL AND coalesce(activity, 'snapshot') <> 'terminate' AND process_pid IS NOT NULL
),
hidden AS (
    SELECT *
    FROM seen
    WHERE hidden_from IS NOT NULL AND hidden_from <> ''
),
shown AS (
    SELECT DISTINCT s.asset, s.process_pid, s.started_key
    FROM seen AS s
    JOIN hidden AS h ON h.asset = s.asset AND h.process_pid = s.process_pid AND h.started_key = s.started_key
    WHERE s.hidden_from IS NULL AND s.seen_by LIKE '%list%'
),
ranked AS (
    SELECT
        h.*, CASE WHEN s.process_pid IS NOT NULL THEN 1 ELSE 0 END AS was_shown,
        row_number() OVER (
            PARTITION BY h.asset, h.process_pid, h.started_key ORDER BY h.time, h.path, h.line, h.byte_offset
        ) AS place,
        count(*) OVER (PARTITION BY h.asset, h.process_pid, h.started_key) AS records_count
    FROM hidden AS h
    LEFT JOIN shown AS s
        ON s.asset = h.asset AND s.process_pid = h.process_pid AND s.started_key = h.started_key
)
SELECT
    asset, process_pid, process_started_at, started_key, parent_process_pid, process_name, command_line, image_path,
    user_name, activity, hidden_from, seen_by, was_shown, records_count, time, path, line, frame, byte_offset
FROM ranked
WHERE place <= $rows_count
