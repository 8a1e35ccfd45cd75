-- Of the known resolvers few are ever met, and what is looked for in all rows are those.
CREATE TEMPORARY TABLE met_resolver AS
SELECT k.ip FROM known_resolver AS k JOIN network_peer AS p ON p.ip = k.ip
;
CREATE TEMPORARY VIEW answered_connection AS
SELECT asset, dst_ip AS ip, time, path, line, frame, byte_offset, server_name, src_port, dst_port
FROM network_activity
WHERE asset IS NOT NULL
  AND coalesce(direction, 'egress') <> 'ingress'
  -- A port that nobody answers on is no resolver: a port scan knocks on many.
  AND coalesce(bytes_in, packets_in, 1) > 0
  AND coalesce(action, 'accept') = 'accept'
;
CREATE TEMPORARY VIEW resolver_contact AS
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
    asset, ip, time, path, line, frame, byte_offset, server_name AS detail,
    CASE WHEN dst_port = 53 THEN 'DNS' ELSE 'DNS over TLS' END AS channel
FROM answered_connection
WHERE dst_port IN (53, 853) AND coalesce(src_port, 65535) <> 53
UNION ALL
-- Of the connections to port 443 only those to a known resolver, by its address or by the name asked for.
SELECT n.asset, n.ip, n.time, n.path, n.line, n.frame, n.byte_offset, n.server_name AS detail, 'DNS over HTTPS' AS channel
FROM answered_connection AS n
JOIN met_resolver AS met ON met.ip = n.ip
WHERE n.dst_port = 443
UNION ALL
SELECT n.asset, n.ip, n.time, n.path, n.line, n.frame, n.byte_offset, n.server_name AS detail, 'DNS over HTTPS' AS channel
FROM answered_connection AS n
JOIN (SELECT DISTINCT name FROM known_resolver) AS s ON s.name = n.server_name
LEFT JOIN met_resolver AS met ON met.ip = n.ip
WHERE n.dst_port = 443 AND met.ip IS NULL
;
CREATE TEMPORARY TABLE resolver_use AS
SELECT
    asset, ip,
    count(*) AS contacts_count,
    CASE WHEN regexp_matches(ip, $not_public) THEN 1 ELSE 0 END AS private
FROM resolver_contact
GROUP BY asset, ip
-- Of the one address of a group: as a condition on `ip` it would be asked of every row instead.
HAVING regexp_matches(min(ip), '^([0-9]{1,3}([.][0-9]{1,3}){3}|[0-9a-f.]*:[0-9a-f:.]+)$')
;
CREATE TEMPORARY TABLE foreign_resolver AS
WITH totals AS (
    SELECT
        asset, sum(contacts_count) AS asset_contacts_count,
        sum(CASE WHEN private = 0 THEN 1 ELSE 0 END) AS public_count
    FROM resolver_use
    GROUP BY asset
),
users AS (
    SELECT ip, count(*) AS users_count FROM resolver_use GROUP BY ip
),
judged AS (
    SELECT
        used.asset, used.ip, used.contacts_count, totals.public_count,
        CASE
            WHEN private = 1 THEN 1
            WHEN contacts_count >= $normal_ratio * asset_contacts_count THEN 1
            WHEN users_count >= $fleet_users_count AND users_count * 2 >= (SELECT count(*) FROM totals) THEN 1
            ELSE 0
        END AS normal
    FROM resolver_use AS used
    JOIN totals ON totals.asset = used.asset
    JOIN users ON users.ip = used.ip
),
normal AS (
    SELECT
        asset, sum(contacts_count) AS normal_contacts_count, count(*) AS normal_resolvers_count, min(ip) AS normal_ip
    FROM judged
    WHERE normal = 1
    GROUP BY asset
)
SELECT j.asset, j.ip, k.name AS resolver_name, n.normal_contacts_count, n.normal_resolvers_count, n.normal_ip
FROM judged AS j
JOIN normal AS n ON n.asset = j.asset AND n.normal_contacts_count >= $normal_contacts_count
LEFT JOIN known_resolver AS k ON k.ip = j.ip
WHERE j.normal = 0
  -- A machine that asks many servers all over the world is a resolver itself.
  AND j.public_count <= $most_resolvers_count
;
WITH ranked AS (
    SELECT
        c.asset, c.ip, c.channel, c.time, c.detail, c.path, c.line, c.frame, c.byte_offset,
        f.resolver_name, f.normal_contacts_count, f.normal_resolvers_count, f.normal_ip,
        count(*) OVER (PARTITION BY c.asset) AS foreign_contacts_count,
        min(c.time) OVER (PARTITION BY c.asset) AS first_at,
        max(c.time) OVER (PARTITION BY c.asset) AS last_at,
        row_number() OVER (
            PARTITION BY c.asset, c.ip, c.channel ORDER BY c.time, c.path, c.line, c.frame, c.byte_offset
        ) AS place
    FROM resolver_contact AS c
    JOIN foreign_resolver AS f ON f.asset = c.asset AND f.ip = c.ip
)
SELECT
    asset, ip, channel, time, detail, resolver_name, normal_contacts_count, normal_resolvers_count, normal_ip,
    foreign_contacts_count, first_at, last_at, path, line, frame, byte_offset
FROM ranked
WHERE place <= 10
