WITH dns AS (
    SELECT
        asset, min(time) AS covered_from, max(time) AS covered_to, count(*) AS questions_count,
        sum(CASE WHEN array_to_string(answers, ' ') <> '' THEN 1 ELSE 0 END) AS answered_count
    FROM dns_activity
    WHERE asset IS NOT NULL
    GROUP BY asset
),
looked AS (
    SELECT * FROM dns
    WHERE answered_count >= $answered_count AND answered_count * 2 >= questions_count
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
      AND regexp_matches(n.dst_ip, '^([0-9]{1,3}([.][0-9]{1,3}){3}|[0-9a-f.]*:[0-9a-f:.]+)$')
      -- A client dials from a high port to a lower one; the other way round it is a service that answers.
      AND coalesce(n.src_port, 65535) >= 1024 AND coalesce(n.src_port, 65535) >= n.dst_port
      AND epoch(n.time) >= epoch(l.covered_from) + $covered_s
      AND epoch(n.time) <= epoch(l.covered_to) + $slack_s
      AND NOT regexp_matches(
        n.dst_ip,
        '^(0[.]|10[.]|127[.]|169[.]254[.]|192[.]168[.]|172[.](1[6-9]|2[0-9]|3[01])[.]'
            || '|100[.](6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])[.]|22[4-9][.]|23[0-9][.]|25[0-5][.]|::1$|::$|fe[89ab]|f[cdf])'
      )
),
answered AS (
    SELECT DISTINCT d.asset, t.answer AS ip, d.time
    FROM dns_activity AS d CROSS JOIN UNNEST(d.answers) AS t(answer)
    JOIN (SELECT DISTINCT asset, dst_ip FROM dialled) AS w ON w.asset = d.asset AND w.dst_ip = t.answer
),
explained AS (
    SELECT DISTINCT c.asset, c.dst_ip, c.time
    FROM dialled AS c
    JOIN answered AS a ON a.asset = c.asset AND a.ip = c.dst_ip
    WHERE epoch(a.time) <= epoch(c.time) + 5 AND epoch(a.time) >= epoch(c.time) - $slack_s
),
marked AS (
    SELECT c.*, CASE WHEN e.asset IS NULL THEN 0 ELSE 1 END AS explained
    FROM dialled AS c
    LEFT JOIN explained AS e ON e.asset = c.asset AND e.dst_ip = c.dst_ip AND e.time = c.time
),
-- Where DNS explains less than half of the places a machine dials, its questions go elsewhere and absence says nothing.
telling AS (
    SELECT asset
    FROM (SELECT asset, dst_ip, max(explained) AS explained FROM marked GROUP BY asset, dst_ip) AS places
    GROUP BY asset
    HAVING sum(explained) * 2 >= count(*) AND sum(explained) >= $explained_count
),
unexplained AS (
    SELECT
        m.*,
        count(*) OVER (PARTITION BY m.asset, m.dst_ip, m.dst_port) AS connections_count,
        min(m.time) OVER (PARTITION BY m.asset, m.dst_ip, m.dst_port) AS first_at,
        max(m.end_time) OVER (PARTITION BY m.asset, m.dst_ip, m.dst_port) AS last_at,
        max(epoch(m.end_time) - epoch(m.time)) OVER (PARTITION BY m.asset, m.dst_ip, m.dst_port) AS longest_s,
        max(m.explained) OVER (PARTITION BY m.asset, m.dst_ip) AS ever_explained,
        row_number() OVER (
            PARTITION BY m.asset, m.dst_ip, m.dst_port ORDER BY m.time, m.path, m.line, m.frame, m.byte_offset
        ) AS place
    FROM marked AS m
    JOIN telling AS t ON t.asset = m.asset
),
lasting AS (
    SELECT
        *,
        epoch(last_at) - epoch(first_at) AS span_s,
        dense_rank() OVER (
            PARTITION BY asset ORDER BY epoch(last_at) - epoch(first_at) DESC, dst_ip, dst_port
        ) AS rank_in_asset
    FROM unexplained
    WHERE ever_explained = 0
      AND (longest_s >= $long_s OR (connections_count >= $repeats_count AND epoch(last_at) - epoch(first_at) >= $long_s))
)
SELECT
    asset, dst_ip, dst_port, time, end_time, src_ip, protocol, bytes_out, bytes_in, server_name,
    connections_count, first_at, last_at, longest_s, covered_from, path, line, frame, byte_offset
FROM lasting
WHERE rank_in_asset <= $most_per_asset_count AND place <= 10
