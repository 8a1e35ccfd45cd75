WITH mining AS (
    SELECT
        asset, time, product, rule_uid, title, category, action, src_ip, src_port, dst_ip, dst_port,
        path, line, frame, byte_offset
    FROM detection_finding
    WHERE dst_ip IS NOT NULL
      AND (
          lower(category) = 'crypto currency mining activity detected'
          OR regexp_matches(
              lower(title),
              'coin ?-?min(er|ing)|(crypto ?(currency|coin)?|monero|bitcoin|ethereum) ?(miner|mining)|stratum protocol'
              || '|(miner|mining)[^a-z](.*[^a-z])?stratum|stratum[^a-z](.*[^a-z])?(miner|mining)'
              || '|mining[._](subscribe|authorize|submit|notify)|xmrig|xmr-stak|minergate|cpuminer|ethminer'
          )
      )
      -- A rule over a protocol that names its peer mostly matches that name; the detections of names judge those, and
      -- one look-up counted as a name and as a conversation would make an incident. Who asks for a name may be a resolver.
      AND application IS NULL
      AND coalesce(dst_port, 0) NOT IN (53, 853, 5353)
      AND NOT regexp_matches(lower(title), '(^|[^a-z])(dns|domain|lookup|sni|tls|ssl|certificate|web ?site)([^a-z]|$)')
      -- A stranger who tries mining commands on our servers is no asset.
      AND (
          asset <> src_ip
          OR regexp_matches(
              lower(src_ip),
              '^(10[.]|192[.]168[.]|172[.](1[6-9]|2[0-9]|3[01])[.]|100[.](6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])[.]'
              || '|f[cd][0-9a-f][0-9a-f]:)'
          )
      )
),
counted AS (
    SELECT
        asset, count(*) AS alerts_count, count(DISTINCT dst_ip) AS peers_count, min(time) AS first_at, max(time) AS last_at,
        sum(CASE WHEN action = 'blocked' THEN 1 ELSE 0 END) AS blocked_count
    FROM mining
    GROUP BY asset
),
ranked AS (
    SELECT *, row_number() OVER (PARTITION BY asset ORDER BY time, path, line, frame, byte_offset) AS place FROM mining
)
SELECT
    r.asset, r.time, r.product, r.rule_uid, r.title, r.category, r.action, r.src_ip, r.src_port, r.dst_ip, r.dst_port,
    c.alerts_count, c.peers_count, c.first_at, c.last_at, c.blocked_count, r.path, r.line, r.frame, r.byte_offset
FROM ranked AS r
JOIN counted AS c ON c.asset = r.asset
WHERE r.place <= 50
