CREATE TEMPORARY TABLE listed_name AS
SELECT name FROM listed_server_name
;
WITH named AS (
    SELECT
        asset, regexp_replace(regexp_replace(lower(server_name), ':[0-9]+$', ''), '[.]$', '') AS name, time,
        coalesce(end_time, time) AS end_time, end_time IS NULL OR end_time = time AS unmeasured, src_ip, dst_ip, dst_port,
        bytes_out, bytes_in, application, user_agent, action, direction, path, line, frame, byte_offset
    FROM network_activity
    WHERE server_name IS NOT NULL AND asset IS NOT NULL AND coalesce(direction, 'egress') <> 'ingress'
),
ranked AS (
    SELECT
        n.*,
        count(*) OVER (PARTITION BY n.asset, n.name) AS connections_count,
        min(n.time) OVER (PARTITION BY n.asset, n.name) AS first_at,
        max(n.end_time) OVER (PARTITION BY n.asset, n.name) AS last_at,
        max(epoch(n.end_time) - epoch(n.time)) OVER (PARTITION BY n.asset, n.name) AS longest_s,
        sum(CASE WHEN n.unmeasured THEN 1 ELSE 0 END) OVER (PARTITION BY n.asset, n.name) AS unmeasured_count,
        sum(CASE WHEN n.action = 'reject' THEN 1 ELSE 0 END) OVER (PARTITION BY n.asset, n.name) AS rejected_count,
        sum(CASE WHEN n.dst_port IN (80, 443) THEN 0 ELSE 1 END) OVER (PARTITION BY n.asset, n.name) AS other_port_count,
        sum(CASE WHEN n.user_agent LIKE 'Mozilla/%' THEN 1 ELSE 0 END) OVER (PARTITION BY n.asset, n.name) AS browser_count,
        row_number() OVER (
            PARTITION BY n.asset, n.name ORDER BY n.time, n.path, n.line, n.frame, n.byte_offset
        ) AS place
    FROM named AS n
    JOIN listed_name AS h ON h.name = n.name
)
SELECT
    asset, name, time, src_ip, dst_ip, dst_port, bytes_out, bytes_in, application, user_agent, action,
    connections_count, first_at, last_at, longest_s, unmeasured_count, rejected_count, other_port_count, browser_count,
    path, line, frame, byte_offset
FROM ranked
WHERE place <= 50
