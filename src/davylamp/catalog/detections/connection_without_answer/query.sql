WITH looked AS (
    SELECT asset, min(time) AS covered_from, max(time) AS covered_to
    FROM dns_activity
    WHERE asset IS NOT NULL
    GROUP BY asset
    HAVING sum(CASE WHEN array_to_string(answers, ' ') <> '' THEN 1 ELSE 0 END) >= $answered_count
       AND sum(CASE WHEN array_to_string(answers, ' ') <> '' THEN 1 ELSE 0 END) * 2 >= count(*)
),
dialled AS (
    SELECT
        n.asset, n.dst_ip, n.dst_port, n.protocol, n.time, coalesce(n.end_time, n.time) AS end_time, n.src_ip,
        n.bytes_out, n.bytes_in, n.server_name, n.path, n.line, n.frame, n.byte_offset, l.covered_from
    FROM network_activity AS n
    JOIN looked AS l ON l.asset = n.asset
    WHERE n.protocol = 'tcp'
      AND n.peer_asset IS NULL
      AND coalesce(n.direction, 'egress') <> 'ingress'
      AND coalesce(n.action, 'accept') <> 'reject'
      AND n.dst_port > 0 AND n.dst_port NOT IN (53, 123, 853)
      -- A client dials from a high port to a lower one; the other way round it is a service that answers.
      AND coalesce(n.src_port, 65535) >= 1024 AND coalesce(n.src_port, 65535) >= n.dst_port
      AND epoch(n.time) >= epoch(l.covered_from) + $covered_s
      AND epoch(n.time) <= epoch(l.covered_to) + $slack_s
      AND regexp_matches(n.dst_ip, '^([0-9]{1,3}([.][0-9]{1,3}){3}|[0-9a-f.]*:[0-9a-f:.]+)$')
      AND NOT regexp_matches(n.dst_ip, $not_public)
),
ports AS (
    SELECT
        asset, dst_ip, dst_port, count(*) AS connections_count, min(time) AS first_at, max(time) AS last_dialled_at,
        max(end_time) AS last_at, max(epoch(end_time) - epoch(time)) AS longest_s
    FROM dialled
    GROUP BY asset, dst_ip, dst_port
),
places AS (
    SELECT asset, dst_ip, min(first_at) AS first_at, max(last_dialled_at) AS last_dialled_at
    FROM ports
    GROUP BY asset, dst_ip
),
answers AS (
    SELECT d.asset, t.answer AS ip, min(d.time) AS first_answer_at, max(d.time) AS last_answer_at
    FROM dns_activity AS d CROSS JOIN UNNEST(d.answers) AS t(answer)
    GROUP BY d.asset, t.answer
),
explained AS (
    SELECT
        p.asset, p.dst_ip,
        -- Clocks of a DNS log and a flow log differ a little, and flows are stamped when they begin: 5 s of grace.
        CASE WHEN epoch(a.first_answer_at) <= epoch(p.last_dialled_at) + 5
              AND epoch(a.last_answer_at) >= epoch(p.first_at) - $slack_s THEN 1 ELSE 0 END AS explained
    FROM places AS p
    LEFT JOIN answers AS a ON a.asset = p.asset AND a.ip = p.dst_ip
),
-- Where DNS explains less than half of the places a machine dials, its questions go elsewhere and absence says nothing.
telling AS (
    SELECT asset
    FROM explained
    GROUP BY asset
    HAVING sum(explained) * 2 >= count(*) AND sum(explained) >= $explained_count
),
lasting AS (
    SELECT
        r.*,
        row_number() OVER (
            PARTITION BY r.asset ORDER BY epoch(r.last_at) - epoch(r.first_at) DESC, r.dst_ip, r.dst_port
        ) AS rank_in_asset
    FROM ports AS r
    JOIN telling AS t ON t.asset = r.asset
    JOIN explained AS e ON e.asset = r.asset AND e.dst_ip = r.dst_ip AND e.explained = 0
    WHERE r.longest_s >= $long_s
       OR (r.connections_count >= $repeats_count AND epoch(r.last_at) - epoch(r.first_at) >= $long_s)
),
cited AS (
    SELECT
        d.*, s.connections_count, s.first_at, s.last_at, s.longest_s,
        row_number() OVER (
            PARTITION BY d.asset, d.dst_ip, d.dst_port ORDER BY d.time, d.path, d.line, d.frame, d.byte_offset
        ) AS place
    FROM dialled AS d
    JOIN lasting AS s ON s.asset = d.asset AND s.dst_ip = d.dst_ip AND s.dst_port = d.dst_port
    WHERE s.rank_in_asset <= $most_per_asset_count
)
SELECT
    asset, dst_ip, dst_port, time, end_time, src_ip, protocol, bytes_out, bytes_in, server_name,
    connections_count, first_at, last_at, longest_s, covered_from, path, line, frame, byte_offset
FROM cited
WHERE place <= 10
