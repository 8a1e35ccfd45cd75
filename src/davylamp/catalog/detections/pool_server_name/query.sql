WITH named AS (
    SELECT
        asset, regexp_replace(regexp_replace(lower(server_name), ':[0-9]+$', ''), '[.]$', '') AS name, time,
        coalesce(end_time, time) AS end_time, end_time IS NULL OR end_time = time AS unmeasured, src_ip, dst_ip, dst_port,
        bytes_out, bytes_in, application, user_agent, action, direction, path, line, frame, byte_offset
    FROM network_activity
    WHERE server_name IS NOT NULL AND asset IS NOT NULL AND coalesce(direction, 'egress') <> 'ingress'
),
names AS (
    SELECT DISTINCT name FROM named
),
tails AS (
    SELECT DISTINCT regexp_extract(value, '[^.]+[.][^.]+$', 0) AS tail
    FROM indicator
    WHERE type = 'domain' AND indicator_class IN ('pool_endpoint', 'browser_miner')
),
-- Few names share their last two labels with any entry; only those are worth cutting into all their ends.
near AS (
    SELECT n.name
    FROM names AS n
    JOIN tails AS t ON t.tail = regexp_extract(n.name, '[^.]+[.][^.]+$', 0)
),
-- A name's ends of two to six labels, as entries write them; `judge` asks the matcher for the last word.
keys AS (
    SELECT n.name, k.value
    FROM near AS n CROSS JOIN UNNEST([
        n.name,
        regexp_extract(n.name, '[^.]+([.][^.]+){1}$', 0),
        regexp_extract(n.name, '[^.]+([.][^.]+){2}$', 0),
        regexp_extract(n.name, '[^.]+([.][^.]+){3}$', 0),
        regexp_extract(n.name, '[^.]+([.][^.]+){4}$', 0),
        regexp_extract(n.name, '[^.]+([.][^.]+){5}$', 0),
        '*.' || regexp_extract(n.name, '[^.]+([.][^.]+){1}$', 0),
        '*.' || regexp_extract(n.name, '[^.]+([.][^.]+){2}$', 0),
        '*.' || regexp_extract(n.name, '[^.]+([.][^.]+){3}$', 0),
        '*.' || regexp_extract(n.name, '[^.]+([.][^.]+){4}$', 0),
        '*.' || regexp_extract(n.name, '[^.]+([.][^.]+){5}$', 0)
    ]) AS k(value)
),
hits AS (
    SELECT DISTINCT k.name
    FROM keys AS k
    JOIN indicator AS i ON i.value = k.value
    WHERE i.type = 'domain' AND i.indicator_class IN ('pool_endpoint', 'browser_miner')
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
    JOIN hits AS h ON h.name = n.name
)
SELECT
    asset, name, time, src_ip, dst_ip, dst_port, bytes_out, bytes_in, application, user_agent, action,
    connections_count, first_at, last_at, longest_s, unmeasured_count, rejected_count, other_port_count, browser_count,
    path, line, frame, byte_offset
FROM ranked
WHERE place <= 50
