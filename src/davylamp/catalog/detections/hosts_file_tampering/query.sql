-- Entries of /etc/hosts beside names of the machine itself; how many names a host sends nowhere tells block lists.
WITH entry AS (
    SELECT
        asset, time, lower(name) AS name, value, file_path, file_line, modified_at, path, line, frame, byte_offset,
        CASE
            WHEN value IN ('0.0.0.0', '::', '::1', '0', '255.255.255.255') OR value LIKE '127.%' THEN 1
            ELSE 0
        END AS nowhere
    FROM host_setting
    WHERE kind = 'hosts_entry' AND asset IS NOT NULL AND name LIKE '%.%' AND value IS NOT NULL
),
listed AS (
    SELECT asset, count(DISTINCT name) AS nowhere_count
    FROM entry
    WHERE nowhere = 1
    GROUP BY asset
)
SELECT e.*, coalesce(l.nowhere_count, 0) AS nowhere_count
FROM entry AS e
LEFT JOIN listed AS l ON l.asset = e.asset
WHERE coalesce(l.nowhere_count, 0) < $block_list_count OR e.nowhere = 0
