-- Records of one direction count once for each side; two-way records fill both. The client is the end
-- with the higher port: its peer's port is the service.
WITH pool AS (
    SELECT port FROM (VALUES
        (3333), (3334), (3335), (3336), (3357), (4444), (5555), (5556), (5588), (5730), (6099), (6666), (7777),
        (7778), (8848), (9332), (9999), (10001), (10128), (10343), (14000), (14433), (14444), (15555), (17055),
        (19335), (45560), (45700), (58080)
    ) AS listed(port)
),
lasting AS (
    -- Few connections last: a number for the unordered pair of ends finds those without keeping any address, a small
    -- one and whole seconds so that tens of millions of pairs fit in memory. Two connections that share a number only
    -- bring each other along, and so does a second lost by rounding; what follows is exact.
    SELECT pair
    FROM (
        SELECT
            CAST(CASE WHEN src_port > dst_port OR (src_port = dst_port AND src_ip > dst_ip)
                THEN hash(src_ip, src_port, dst_ip, dst_port)
                ELSE hash(dst_ip, dst_port, src_ip, src_port) END % 2147483647 AS INTEGER) AS pair,
            CAST(epoch(time) AS INTEGER) AS start_s, CAST(epoch(end_time) AS INTEGER) AS end_s
        FROM network_activity
        WHERE protocol = 'tcp' AND message_sizes_bytes IS NULL AND COALESCE(action, 'accept') <> 'reject'
    ) AS numbered
    GROUP BY pair
    HAVING MAX(end_s) - MIN(start_s) > $span_s_fewest - 2
),
flow AS (
    SELECT
        asset, peer_asset, src_ip, src_port, dst_ip, dst_port, time, end_time, bytes_out, bytes_in, packets_out, packets_in,
        path, line, frame, byte_offset
    FROM network_activity AS n
    JOIN lasting ON lasting.pair = CAST(CASE WHEN src_port > dst_port OR (src_port = dst_port AND src_ip > dst_ip)
        THEN hash(src_ip, src_port, dst_ip, dst_port)
        ELSE hash(dst_ip, dst_port, src_ip, src_port) END % 2147483647 AS INTEGER)
    WHERE protocol = 'tcp' AND message_sizes_bytes IS NULL AND COALESCE(action, 'accept') <> 'reject'
),
ends AS (
    SELECT
        asset, src_ip AS local_ip, src_port AS local_port, dst_ip AS remote_ip, dst_port AS remote_port,
        time, end_time, bytes_out AS sent_bytes, bytes_in AS got_bytes,
        packets_out AS sent_packets, packets_in AS got_packets, path, line, frame, byte_offset
    FROM flow
    UNION ALL
    SELECT
        COALESCE(peer_asset, dst_ip) AS asset, dst_ip AS local_ip, dst_port AS local_port,
        src_ip AS remote_ip, src_port AS remote_port,
        time, end_time, bytes_in AS sent_bytes, bytes_out AS got_bytes,
        packets_in AS sent_packets, packets_out AS got_packets, path, line, frame, byte_offset
    FROM flow
),
outward AS (
    SELECT
        ends.*,
        pool.port IS NOT NULL AS pool_port
    FROM ends
    LEFT JOIN pool ON pool.port = ends.remote_port
    WHERE local_port >= 1024
      AND NOT regexp_matches(
            remote_ip,
            '^(0|10|127|169[.]254|192[.]168|172[.](1[6-9]|2[0-9]|3[01])|100[.](6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])|22[4-9]|23[0-9]|24[0-9]|25[0-5])[.]|^(::$|::1$|f[cd][0-9a-f][0-9a-f]:|fe[89ab][0-9a-f]:|ff)'
          )
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
    WHERE remote_port < local_port OR pool_port
    GROUP BY asset, local_ip, local_port, remote_ip, remote_port, pool_port
),
thin AS (
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
),
callers AS (
    SELECT n.dst_ip AS remote_ip, n.asset, n.src_port AS local_port, n.dst_port AS remote_port
    FROM network_activity AS n
    JOIN (SELECT DISTINCT remote_ip FROM thin) AS t ON t.remote_ip = n.dst_ip
    WHERE protocol = 'tcp' AND message_sizes_bytes IS NULL AND COALESCE(action, 'accept') <> 'reject'
    UNION ALL
    SELECT n.src_ip AS remote_ip, COALESCE(n.peer_asset, n.dst_ip), n.dst_port, n.src_port
    FROM network_activity AS n
    JOIN (SELECT DISTINCT remote_ip FROM thin) AS t ON t.remote_ip = n.src_ip
    WHERE protocol = 'tcp' AND message_sizes_bytes IS NULL AND COALESCE(action, 'accept') <> 'reject'
),
shared AS (
    SELECT remote_ip, COUNT(DISTINCT asset) AS assets_count
    FROM callers
    LEFT JOIN pool ON pool.port = callers.remote_port
    WHERE local_port >= 1024 AND (remote_port < local_port OR pool.port IS NOT NULL)
    GROUP BY remote_ip
),
steady AS (
    SELECT
        thin.*,
        shared.assets_count,
        ROW_NUMBER() OVER (
            PARTITION BY thin.asset
            ORDER BY CASE WHEN thin.pool_port THEN 0 ELSE 1 END, thin.span_s DESC,
                thin.remote_ip, thin.remote_port, thin.local_port
        ) AS place
    FROM thin
    JOIN shared ON shared.remote_ip = thin.remote_ip
    WHERE shared.assets_count <= $assets_count_most
),
cited AS (
    SELECT
        steady.asset, steady.local_ip, steady.local_port, steady.remote_ip, steady.remote_port, steady.pool_port,
        steady.started_at, steady.ended_at, steady.records_count, steady.span_s, steady.covered_s,
        steady.sent_bytes, steady.got_bytes, steady.assets_count,
        outward.path, outward.line, outward.frame, outward.byte_offset,
        ROW_NUMBER() OVER (
            PARTITION BY steady.asset, steady.local_ip, steady.local_port, steady.remote_ip, steady.remote_port
            ORDER BY outward.time, outward.path, outward.line, outward.byte_offset
        ) AS record_place
    FROM steady
    JOIN outward
      ON outward.asset = steady.asset AND outward.local_ip = steady.local_ip
     AND outward.local_port = steady.local_port AND outward.remote_ip = steady.remote_ip
     AND outward.remote_port = steady.remote_port
    WHERE steady.place <= $candidates_count_most
)
SELECT * FROM cited WHERE record_place <= 50
