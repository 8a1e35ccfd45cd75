CREATE TEMPORARY TABLE listed_name AS
SELECT server_name, name FROM listed_server_name
;
WITH named AS (
    SELECT
        a.asset, h.name, a.time, coalesce(a.end_time, a.time) AS end_time,
        a.end_time IS NULL OR a.end_time = a.time AS unmeasured, a.src_ip, a.dst_ip, a.dst_port, a.bytes_out, a.bytes_in,
        a.application, a.user_agent, a.action, a.path, a.line, a.frame, a.byte_offset
    FROM network_activity AS a
    JOIN listed_name AS h ON h.server_name = a.server_name
    WHERE a.asset IS NOT NULL AND coalesce(a.direction, 'egress') <> 'ingress'
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
)
SELECT
    asset, name, time, src_ip, dst_ip, dst_port, bytes_out, bytes_in, application, user_agent, action,
    connections_count, first_at, last_at, longest_s, unmeasured_count, rejected_count, other_port_count, browser_count,
    path, line, frame, byte_offset
FROM ranked
WHERE place <= 50
