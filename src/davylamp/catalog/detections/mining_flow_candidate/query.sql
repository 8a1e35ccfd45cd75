-- Records of one direction count once for each side; two-way records fill both. The client is the end
-- with the higher port: its peer's port is the service.
CREATE TEMPORARY VIEW pool_port AS
SELECT port FROM (VALUES
    (3333), (3334), (3335), (3336), (3357), (4444), (5555), (5556), (5588), (5730), (6099), (6666), (7777),
    (7778), (8848), (9332), (9999), (10001), (10128), (10343), (14000), (14433), (14444), (15555), (17055),
    (19335), (45560), (45700), (58080)
) AS listed(port)
;
-- Most of a fleet's connections go to what all of it talks with, which no candidate does. A bit for each asset, shared
-- by few, says "more than so many" for certain and takes one number a remote; some lines of each hundred are enough to
-- find the remotes that matter for being many. What this misses is counted in full below.
CREATE TEMPORARY TABLE uncrowded_remote AS
WITH crowded AS (
    SELECT dst_ip AS ip
    FROM network_activity
    WHERE (line & 112) = 16 AND protocol = 'tcp' AND message_sizes_bytes IS NULL AND COALESCE(action, 'accept') <> 'reject'
      AND src_port >= 1024 AND dst_port < src_port
    GROUP BY dst_ip
    HAVING BIT_COUNT(BIT_OR(CAST(1 AS BIGINT) << (CAST(hash(asset) % 31 AS INTEGER) + 31))) > $assets_count_most
)
-- A connection that both ends sent on has records to the remote, or two-way records from it: it is a peer.
SELECT met.ip
FROM network_peer AS met
LEFT JOIN crowded ON crowded.ip = met.ip
WHERE crowded.ip IS NULL
  AND NOT regexp_matches(met.ip, $not_public)
;
-- Few connections last, with packets both ways: a number for the pair of ends finds those without keeping any
-- address, a small one and whole seconds, counted from the middle of what 32 bits hold (19 January 2038), so that tens
-- of millions of pairs fit in memory. Two connections that share a number only bring each other along, and so does a
-- second lost by rounding; what follows is exact.
CREATE TEMPORARY TABLE lasting_connection AS
SELECT number
FROM (
    SELECT
        CAST(hash(src_ip, src_port, dst_ip, dst_port) % 2147483647 AS INTEGER) AS number,
        CAST(epoch(time) - 2147483648 AS INTEGER) AS start_s, CAST(epoch(end_time) - 2147483648 AS INTEGER) AS end_s,
        packets_out > 0 AS sent, packets_in > 0 AS got
    FROM network_activity_bare AS n
    JOIN uncrowded_remote AS remote ON remote.ip = n.dst_ip
    WHERE protocol = 'tcp' AND message_sizes_bytes IS NULL AND COALESCE(action, 'accept') <> 'reject'
      AND src_port >= 1024
    UNION ALL
    SELECT
        CAST(hash(dst_ip, dst_port, src_ip, src_port) % 2147483647 AS INTEGER) AS number,
        CAST(epoch(time) - 2147483648 AS INTEGER) AS start_s, CAST(epoch(end_time) - 2147483648 AS INTEGER) AS end_s,
        packets_in > 0 AS sent, packets_out > 0 AS got
    FROM network_activity_bare AS n
    JOIN uncrowded_remote AS remote ON remote.ip = n.src_ip
    WHERE protocol = 'tcp' AND message_sizes_bytes IS NULL AND COALESCE(action, 'accept') <> 'reject'
      AND dst_port >= 1024
) AS numbered
GROUP BY number
HAVING CAST(MAX(end_s) AS BIGINT) - MIN(start_s) > $span_s_fewest - 2 AND BOOL_OR(sent) AND BOOL_OR(got)
;
CREATE TEMPORARY TABLE thin_connection AS
WITH outward AS (
    SELECT
        n.asset, n.src_ip AS local_ip, n.src_port AS local_port, n.dst_ip AS remote_ip, n.dst_port AS remote_port,
        n.time, n.end_time, n.bytes_out AS sent_bytes, n.bytes_in AS got_bytes,
        n.packets_out AS sent_packets, n.packets_in AS got_packets,
        pool.port IS NOT NULL AS pool_port
    FROM network_activity AS n
    JOIN uncrowded_remote AS remote ON remote.ip = n.dst_ip
    JOIN lasting_connection AS lasting
      ON lasting.number = CAST(hash(src_ip, src_port, dst_ip, dst_port) % 2147483647 AS INTEGER)
    LEFT JOIN pool_port AS pool ON pool.port = n.dst_port
    WHERE protocol = 'tcp' AND message_sizes_bytes IS NULL AND COALESCE(action, 'accept') <> 'reject'
      AND src_port >= 1024 AND (dst_port < src_port OR pool.port IS NOT NULL)
    UNION ALL
    SELECT
        COALESCE(n.peer_asset, n.dst_ip) AS asset, n.dst_ip AS local_ip, n.dst_port AS local_port,
        n.src_ip AS remote_ip, n.src_port AS remote_port,
        n.time, n.end_time, n.bytes_in AS sent_bytes, n.bytes_out AS got_bytes,
        n.packets_in AS sent_packets, n.packets_out AS got_packets,
        pool.port IS NOT NULL AS pool_port
    FROM network_activity AS n
    JOIN uncrowded_remote AS remote ON remote.ip = n.src_ip
    JOIN lasting_connection AS lasting
      ON lasting.number = CAST(hash(dst_ip, dst_port, src_ip, src_port) % 2147483647 AS INTEGER)
    LEFT JOIN pool_port AS pool ON pool.port = n.src_port
    WHERE protocol = 'tcp' AND message_sizes_bytes IS NULL AND COALESCE(action, 'accept') <> 'reject'
      AND dst_port >= 1024 AND (src_port < dst_port OR pool.port IS NOT NULL)
),
connection AS (
    SELECT
        asset, local_ip, local_port, remote_ip, remote_port, pool_port,
        MIN(time) AS started_at,
        MAX(end_time) AS ended_at,
        COUNT(*) AS records_count,
        epoch(MAX(end_time)) - epoch(MIN(time)) AS span_s,
        SUM(CASE WHEN sent_bytes > 0 THEN epoch(end_time) - epoch(time) ELSE 0 END) AS covered_s,
        SUM(COALESCE(sent_bytes, 0)) AS sent_bytes,
        SUM(COALESCE(got_bytes, 0)) AS got_bytes,
        SUM(COALESCE(sent_packets, 0)) AS sent_packets,
        SUM(COALESCE(got_packets, 0)) AS got_packets,
        STDDEV_SAMP(CASE WHEN sent_bytes > 0 AND epoch(end_time) > epoch(time)
            THEN sent_bytes / (epoch(end_time) - epoch(time)) END) AS sent_spread_bytes_per_s,
        AVG(CASE WHEN sent_bytes > 0 AND epoch(end_time) > epoch(time)
            THEN sent_bytes / (epoch(end_time) - epoch(time)) END) AS sent_mean_bytes_per_s
    FROM outward
    GROUP BY asset, local_ip, local_port, remote_ip, remote_port, pool_port
)
SELECT *
FROM connection
WHERE span_s > $span_s_fewest
  AND covered_s >= $covered_ratio_fewest * span_s
  AND sent_bytes BETWEEN $bytes_per_s_fewest * span_s AND $bytes_per_s_most * span_s
  AND got_bytes BETWEEN $bytes_per_s_fewest * span_s AND $bytes_per_s_most * span_s
  AND sent_packets > 0 AND got_packets > 0
  AND sent_bytes <= $bytes_per_packet_most * sent_packets
  AND got_bytes <= $bytes_per_packet_most * got_packets
  AND COALESCE(sent_spread_bytes_per_s, 0) <= $spread_ratio_most * COALESCE(sent_mean_bytes_per_s, 0)
;
CREATE TEMPORARY TABLE steady_connection AS
WITH callers AS (
    SELECT n.dst_ip AS remote_ip, n.asset, n.src_port AS local_port, n.dst_port AS remote_port
    FROM network_activity AS n
    JOIN (SELECT DISTINCT remote_ip FROM thin_connection) AS t ON t.remote_ip = n.dst_ip
    WHERE protocol = 'tcp' AND message_sizes_bytes IS NULL AND COALESCE(action, 'accept') <> 'reject'
    UNION ALL
    SELECT n.src_ip AS remote_ip, COALESCE(n.peer_asset, n.dst_ip), n.dst_port, n.src_port
    FROM network_activity AS n
    JOIN (SELECT DISTINCT remote_ip FROM thin_connection) AS t ON t.remote_ip = n.src_ip
    WHERE protocol = 'tcp' AND message_sizes_bytes IS NULL AND COALESCE(action, 'accept') <> 'reject'
),
shared AS (
    SELECT remote_ip, COUNT(DISTINCT asset) AS assets_count
    FROM callers
    LEFT JOIN pool_port AS pool ON pool.port = callers.remote_port
    WHERE local_port >= 1024 AND (remote_port < local_port OR pool.port IS NOT NULL)
    GROUP BY remote_ip
)
SELECT
    thin.*,
    shared.assets_count,
    ROW_NUMBER() OVER (
        PARTITION BY thin.asset
        ORDER BY CASE WHEN thin.pool_port THEN 0 ELSE 1 END, thin.span_s DESC,
            thin.remote_ip, thin.remote_port, thin.local_port
    ) AS place
FROM thin_connection AS thin
JOIN shared ON shared.remote_ip = thin.remote_ip
WHERE shared.assets_count <= $assets_count_most
;
WITH record AS (
    SELECT s.*, n.time, n.path, n.line, n.frame, n.byte_offset
    FROM network_activity AS n
    JOIN steady_connection AS s
      ON s.remote_ip = n.dst_ip AND s.remote_port = n.dst_port AND s.local_ip = n.src_ip AND s.local_port = n.src_port
     AND s.asset = n.asset
    WHERE protocol = 'tcp' AND message_sizes_bytes IS NULL AND COALESCE(action, 'accept') <> 'reject'
      AND s.place <= $candidates_count_most
    UNION ALL
    SELECT s.*, n.time, n.path, n.line, n.frame, n.byte_offset
    FROM network_activity AS n
    JOIN steady_connection AS s
      ON s.remote_ip = n.src_ip AND s.remote_port = n.src_port AND s.local_ip = n.dst_ip AND s.local_port = n.dst_port
     AND s.asset = COALESCE(n.peer_asset, n.dst_ip)
    WHERE protocol = 'tcp' AND message_sizes_bytes IS NULL AND COALESCE(action, 'accept') <> 'reject'
      AND s.place <= $candidates_count_most
),
cited AS (
    SELECT
        asset, local_ip, local_port, remote_ip, remote_port, pool_port, started_at, ended_at, records_count, span_s,
        covered_s, sent_bytes, got_bytes, assets_count, path, line, frame, byte_offset,
        ROW_NUMBER() OVER (
            PARTITION BY asset, local_ip, local_port, remote_ip, remote_port ORDER BY time, path, line, byte_offset
        ) AS record_place
    FROM record
)
SELECT * FROM cited WHERE record_place <= 50
