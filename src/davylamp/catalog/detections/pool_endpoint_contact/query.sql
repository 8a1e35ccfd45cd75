WITH listed AS (
    -- Of many entries few are ever met, mostly none: what is looked for in all rows are those.
    SELECT value, max(CASE WHEN port IS NULL THEN 1 ELSE 0 END) AS unbound
    FROM indicator
    JOIN network_peer AS m ON m.ip = value
    WHERE type = 'ip' AND indicator_class = 'pool_endpoint'
    GROUP BY value
),
contacts AS (
    SELECT
        n.asset, n.dst_ip, n.dst_port, n.protocol, n.time, coalesce(n.end_time, n.time) AS end_time, n.src_ip,
        n.bytes_out, n.bytes_in, n.packets_out, n.packets_in, n.action, n.state, n.server_name,
        n.path, n.line, n.frame, n.byte_offset,
        CASE WHEN p.value IS NOT NULL THEN 'port' WHEN l.unbound = 1 THEN 'address' ELSE 'other_port' END AS matched
    FROM network_activity AS n
    JOIN listed AS l ON l.value = n.dst_ip
    LEFT JOIN (
        SELECT DISTINCT value, port FROM indicator
        WHERE type = 'ip' AND indicator_class = 'pool_endpoint' AND port IS NOT NULL
    ) AS p ON p.value = n.dst_ip AND p.port = n.dst_port
    WHERE n.asset IS NOT NULL
      AND coalesce(n.direction, 'egress') <> 'ingress'
      -- The answers of our own service to a client are its packets to a high port in one-way records.
      AND NOT (coalesce(n.one_way, false) AND coalesce(n.src_port, 65535) < 1024 AND coalesce(n.dst_port, 0) > 1023)
),
ranked AS (
    SELECT
        *,
        count(*) OVER (PARTITION BY asset, dst_ip, dst_port) AS contacts_count,
        min(time) OVER (PARTITION BY asset, dst_ip, dst_port) AS first_at,
        max(end_time) OVER (PARTITION BY asset, dst_ip, dst_port) AS last_at,
        sum(bytes_out) OVER (PARTITION BY asset, dst_ip, dst_port) AS out_bytes,
        sum(CASE WHEN action = 'reject' THEN 1 ELSE 0 END) OVER (PARTITION BY asset, dst_ip, dst_port) AS rejected_count,
        row_number() OVER (
            PARTITION BY asset, dst_ip, dst_port ORDER BY time, path, line, frame, byte_offset
        ) AS place
    FROM contacts
)
SELECT
    asset, dst_ip, dst_port, matched, time, src_ip, protocol, bytes_out, bytes_in, packets_out, packets_in, action,
    state, server_name, contacts_count, first_at, last_at, out_bytes, rejected_count, path, line, frame, byte_offset
FROM ranked
WHERE place <= 50
