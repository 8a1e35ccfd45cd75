WITH contacts AS (
    SELECT
        asset, resolver_ip AS ip, time, path, line, frame, byte_offset, query_name AS detail,
        CASE
            WHEN protocol = 'https' THEN 'DNS over HTTPS'
            WHEN protocol = 'tls' OR resolver_port = 853 THEN 'DNS over TLS'
            ELSE 'DNS'
        END AS channel
    FROM dns_activity
    -- The DNS log of Zeek holds NetBIOS node status queries too; port 137 is asked of neighbours, never of a resolver.
    WHERE resolver_ip IS NOT NULL AND asset IS NOT NULL AND coalesce(resolver_port, 53) <> 137
    UNION ALL
    SELECT
        n.asset, n.dst_ip AS ip, n.time, n.path, n.line, n.frame, n.byte_offset, n.server_name AS detail,
        CASE WHEN n.dst_port = 53 THEN 'DNS' WHEN n.dst_port = 853 THEN 'DNS over TLS' ELSE 'DNS over HTTPS' END AS channel
    FROM network_activity AS n
    LEFT JOIN known_resolver AS k ON k.ip = n.dst_ip
    LEFT JOIN (SELECT DISTINCT name FROM known_resolver) AS s ON s.name = n.server_name
    WHERE n.asset IS NOT NULL
      AND coalesce(n.direction, 'egress') <> 'ingress'
      -- A port that nobody answers on is no resolver: a port scan knocks on many.
      AND coalesce(n.bytes_in, n.packets_in, 1) > 0
      AND coalesce(n.action, 'accept') = 'accept'
      AND (
        (n.dst_port IN (53, 853) AND coalesce(n.src_port, 65535) <> 53)
        OR (n.dst_port = 443 AND (k.ip IS NOT NULL OR s.name IS NOT NULL))
      )
),
used AS (
    SELECT
        asset, ip,
        count(*) AS contacts_count,
        CASE WHEN regexp_matches(
            ip,
            '^(0[.]|10[.]|127[.]|169[.]254[.]|192[.]168[.]|172[.](1[6-9]|2[0-9]|3[01])[.]'
                || '|100[.](6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])[.]|22[4-9][.]|23[0-9][.]|25[0-5][.]|::1$|::$|fe[89ab]|f[cdf])'
        ) THEN 1 ELSE 0 END AS private
    FROM contacts
    WHERE regexp_matches(ip, '^([0-9]{1,3}([.][0-9]{1,3}){3}|[0-9a-f.]*:[0-9a-f:.]+)$')
    GROUP BY asset, ip
),
shares AS (
    SELECT
        asset, ip, contacts_count, private,
        sum(contacts_count) OVER (PARTITION BY asset) AS asset_contacts_count,
        count(*) OVER (PARTITION BY asset) AS asset_resolvers_count,
        count(*) OVER (PARTITION BY ip) AS users_count
    FROM used
),
judged AS (
    SELECT
        *,
        CASE
            WHEN private = 1 THEN 1
            WHEN contacts_count >= $normal_ratio * asset_contacts_count THEN 1
            WHEN users_count >= $fleet_users_count AND users_count * 2 >= (SELECT count(DISTINCT asset) FROM used) THEN 1
            ELSE 0
        END AS normal
    FROM shares
),
normal AS (
    SELECT
        asset, sum(contacts_count) AS normal_contacts_count, count(*) AS normal_resolvers_count, min(ip) AS normal_ip
    FROM judged
    WHERE normal = 1
    GROUP BY asset
),
crowds AS (
    -- A machine that asks many servers all over the world is a resolver itself.
    SELECT asset FROM judged WHERE private = 0 GROUP BY asset HAVING count(*) > $most_resolvers_count
),
ranked AS (
    SELECT
        c.asset, c.ip, c.channel, c.time, c.detail, c.path, c.line, c.frame, c.byte_offset,
        k.name AS resolver_name, n.normal_contacts_count, n.normal_resolvers_count, n.normal_ip,
        count(*) OVER (PARTITION BY c.asset) AS foreign_contacts_count,
        min(c.time) OVER (PARTITION BY c.asset) AS first_at,
        max(c.time) OVER (PARTITION BY c.asset) AS last_at,
        row_number() OVER (
            PARTITION BY c.asset, c.ip, c.channel ORDER BY c.time, c.path, c.line, c.frame, c.byte_offset
        ) AS place
    FROM contacts AS c
    JOIN judged AS j ON j.asset = c.asset AND j.ip = c.ip AND j.normal = 0
    JOIN normal AS n ON n.asset = c.asset AND n.normal_contacts_count >= $normal_contacts_count
    LEFT JOIN known_resolver AS k ON k.ip = c.ip
    LEFT JOIN crowds AS w ON w.asset = c.asset
    WHERE w.asset IS NULL
)
SELECT
    asset, ip, channel, time, detail, resolver_name, normal_contacts_count, normal_resolvers_count, normal_ip,
    foreign_contacts_count, first_at, last_at, path, line, frame, byte_offset
FROM ranked
WHERE place <= 10
