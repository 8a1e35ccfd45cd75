WITH dialled AS (
    SELECT
        'process' AS how, asset, process_pid, process_started_at, process_name, CAST(NULL AS VARCHAR) AS command_line,
        CAST(NULL AS BIGINT) AS parent_process_pid, CAST(NULL AS VARCHAR) AS image_path,
        CAST(NULL AS VARCHAR) AS user_name, CAST(NULL AS VARCHAR) AS activity,
        dst_ip AS target, '' AS tried_user, time, path, line, frame, byte_offset,
        CASE WHEN coalesce(bytes_in, 0) > 0 THEN 1 ELSE 0 END AS answered
    FROM socket_usage
    WHERE asset IS NOT NULL AND dst_port IN (22, 222, 2200, 2222, 10022) AND dst_ip IS NOT NULL
        AND coalesce(direction, 'outgoing') = 'outgoing' AND coalesce(src_port, 65535) > 1023
        AND process_pid IS NOT NULL
    UNION ALL
    SELECT
        'machine' AS how, asset, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
        dst_ip AS target, '' AS tried_user, time, path, line, frame, byte_offset,
        CASE WHEN coalesce(bytes_in, 0) > 0 THEN 1 ELSE 0 END AS answered
    FROM network_activity
    WHERE asset IS NOT NULL AND dst_port IN (22, 222, 2200, 2222, 10022) AND dst_ip IS NOT NULL
        AND coalesce(direction, 'egress') = 'egress' AND coalesce(src_port, 65535) > 1023
        AND coalesce(protocol, 'tcp') = 'tcp'
        AND (direction = 'egress' OR regexp_matches(src_ip, $not_public))
    UNION ALL
    SELECT
        'launches' AS how, asset, parent_process_pid AS process_pid, parent_process_started_at AS process_started_at,
        process_name, command_line, parent_process_pid, image_path, user_name, activity,
        lower(regexp_extract(command_line, $ssh_target, 3)) AS target,
        regexp_extract(command_line, $ssh_target, 2) AS tried_user, time, path, line, frame, byte_offset, 0 AS answered
    FROM process_activity
    WHERE asset IS NOT NULL AND activity = 'launch' AND parent_process_pid IS NOT NULL
        AND regexp_matches(command_line, $ssh_target)
    UNION ALL
    SELECT
        'tool' AS how, asset, process_pid, coalesce(process_started_at, time), process_name, command_line,
        parent_process_pid, image_path, user_name, activity, regexp_extract(command_line, $tool, 1) AS target,
        '' AS tried_user, time, path, line, frame, byte_offset, 0 AS answered
    FROM process_activity
    WHERE asset IS NOT NULL AND coalesce(activity, 'snapshot') <> 'terminate' AND regexp_matches(command_line, $tool)
),
placed AS (
    SELECT
        *,
        -- Two grids of hours, half an hour apart: no burst of half an hour is cut by both.
        CAST(floor(epoch(time) / 3600) AS BIGINT) AS hour_at, CAST(floor(epoch(time) / 3600 + 0.5) AS BIGINT) AS half_at
    FROM dialled
    WHERE time IS NOT NULL AND target <> ''
),
gridded AS NOT MATERIALIZED (
    SELECT *, hour_at * 2 AS slot FROM placed
    UNION ALL
    SELECT *, half_at * 2 + 1 AS slot FROM placed
),
targets AS (
    SELECT
        how, asset, process_pid, process_started_at, slot, target, max(answered) AS answered, count(DISTINCT tried_user) AS users_count, min(time) AS first_at, max(time) AS last_at
    FROM gridded
    GROUP BY how, asset, process_pid, process_started_at, slot, target
),
slots AS (
    SELECT
        how, asset, process_pid, process_started_at, slot, count(*) AS targets_count, min(first_at) AS first_at,
        max(last_at) AS last_at
    FROM targets
    GROUP BY how, asset, process_pid, process_started_at, slot
),
worst AS (
    SELECT
        *, row_number() OVER (
            PARTITION BY how, asset, process_pid, process_started_at ORDER BY targets_count DESC, slot
        ) AS choice
    FROM slots
    WHERE how = 'tool' OR targets_count >= CASE WHEN how = 'machine' THEN $machine_targets_count ELSE $targets_count END
),
-- What was tried in the worst hour is looked at; in all others it is only counted.
looked_at AS (
    SELECT
        w.how, w.asset, w.process_pid, w.process_started_at, w.slot, w.targets_count, w.first_at, w.last_at, t.answered,
        t.users_count,
        regexp_extract(t.target, '^([0-9]+[.][0-9]+|[0-9a-f]*:[0-9a-f]*)', 1) AS network,
        CASE WHEN regexp_matches(t.target, $not_public) THEN 0 ELSE 1 END AS is_public
    FROM targets AS t
    JOIN worst AS w
        ON w.how = t.how AND w.asset = t.asset AND w.slot = t.slot
        AND coalesce(w.process_pid, -1) = coalesce(t.process_pid, -1)
        AND coalesce(w.process_started_at, w.first_at) = coalesce(t.process_started_at, w.first_at)
    WHERE w.choice = 1
),
burst AS (
    SELECT
        how, asset, process_pid, process_started_at, slot, targets_count, first_at, last_at,
        sum(is_public) AS public_count,
        count(DISTINCT CASE WHEN is_public = 1 AND network <> '' THEN network END) AS networks_count,
        sum(answered) AS answered_count, sum(CASE WHEN users_count >= 3 THEN 1 ELSE 0 END) AS guessed_count
    FROM looked_at
    GROUP BY how, asset, process_pid, process_started_at, slot, targets_count, first_at, last_at
),
ranked AS (
    SELECT
        g.how, g.asset, g.process_pid, g.process_started_at, g.process_name, g.command_line, g.parent_process_pid,
        g.image_path, g.user_name, g.activity, g.target, g.time, g.path, g.line, g.frame, g.byte_offset,
        w.targets_count, w.public_count, w.networks_count, w.answered_count, w.guessed_count, w.first_at, w.last_at,
        row_number() OVER (
            PARTITION BY g.how, g.asset, g.process_pid, g.process_started_at
            ORDER BY g.time, g.path, g.line, g.frame, g.byte_offset
        ) AS place
    FROM gridded AS g
    JOIN burst AS w
        ON w.how = g.how AND w.asset = g.asset AND w.slot = g.slot
        AND coalesce(w.process_pid, -1) = coalesce(g.process_pid, -1)
        AND coalesce(w.process_started_at, w.first_at) = coalesce(g.process_started_at, w.first_at)
)
SELECT
    how, asset, process_pid, process_started_at, process_name, command_line, parent_process_pid, image_path, user_name,
    activity, target, targets_count, public_count, networks_count, answered_count, guessed_count, first_at, last_at,
    time, path, line, frame, byte_offset
FROM ranked
WHERE place <= $rows_count
