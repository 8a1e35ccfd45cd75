-- Renewals of one lease by one machine are one statement.
SELECT
    began AS time,
    'dhcp_lease' AS ground,
    host_name AS device_name,
    ip,
    lower(mac) AS mac,
    line,
    byte_offset,
    reject
FROM (
    SELECT min(started) AS began, host_name, ip, mac, reject, min(line) AS line, min(byte_offset) AS byte_offset
    FROM (
        SELECT *, sum(CASE WHEN mac = before_mac THEN 0 ELSE 1 END)
            OVER (PARTITION BY ip ORDER BY line ROWS UNBOUNDED PRECEDING) AS spell
        FROM (
            SELECT *, assigned_addr AS ip, lag(mac) OVER (PARTITION BY assigned_addr ORDER BY line) AS before_mac
            FROM stamped
        ) AS given
        WHERE reject IS NOT NULL OR (ip IS NOT NULL AND mac IS NOT NULL)
    ) AS spells
    -- A record that cannot be used is counted by itself.
    GROUP BY host_name, ip, mac, spell, reject, CASE WHEN reject IS NOT NULL THEN line END
) AS leases
