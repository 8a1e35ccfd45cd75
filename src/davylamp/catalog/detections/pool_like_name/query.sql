WITH asked AS (
    SELECT name FROM dns_name
    UNION
    SELECT regexp_replace(regexp_replace(lower(server_name), ':[0-9]+$', ''), '[.]$', '') AS name
    FROM network_activity
    WHERE server_name IS NOT NULL
),
shaped AS (
    SELECT name
    FROM asked
    WHERE regexp_matches(name, '^[a-z0-9_-]+[.][a-z0-9_-]+[.][a-z0-9._-]*[a-z]$')
      AND NOT regexp_matches(name, '([.]arpa|[.]local|[.]localdomain|[.]internal|[.]lan|pool[.]ntp[.]org)$')
      AND (
        regexp_matches(name, 'pool|mine|mining|getwork|hash|xmr|monero|zeph|rvn|kaspa|randomx')
        OR regexp_matches(
            name,
            '(^|[^a-z])('
                || 'aeon|aleo|alephium|alph|arrr|autolykos|bch|btc|btcz|btg|bytecoin|ckb|conflux|cryptonight|'
                || 'cryptonote|cuckaroo|cuckatoo|daggerhashimoto|dashcoin|dero|dgb|dnx|doge|dynex|electroneum|'
                || 'equihash|erg|ergo|etchash|ethash|ethermine|ethw|etn|firo|firopow|ghostrider|haven|heavyhash|'
                || 'ironfish|karbo|kaspa|kawpow|kda|kheavyhash|kls|kmd|krb|lokiturtle|ltc|masari|monero|namecoin|'
                || 'neoscrypt|neoxa|nexa|nexapow|pasc|progpow|qrl|randomx|randomxmonero|ravecoin|ravencoin|rtm|rvn|'
                || 'rxd|ryo|salvium|scash|sero|siacoin|strat|stratum|sumokoin|trtl|turtle|turtlecoin|ubq|vertcoin|'
                || 'verthash|verus|veruscoin|verushash|vrsc|vtc|wownero|xcc|xch|xcn|xdag|xel|xhv|xla|xlarig|xmc|xmo|'
                || 'xmr|xmrf|xmrig|xmrigcc|xna|xtm|xvg|xzc|yescrypt|yespower|zano|zcash|zcl|zec|zelhash|zeph|zephyr|'
                || 'zil'
                || ')([^a-z]|$)'
        )
      )
),
seen AS (
    SELECT
        d.asset, s.name, d.time, 'looked up' AS how, d.resolver_ip AS dst_ip, d.resolver_port AS dst_port, d.rcode,
        d.path, d.line, d.frame, d.byte_offset
    FROM dns_activity AS d
    JOIN shaped AS s ON s.name = d.query_name
    UNION ALL
    SELECT
        n.asset, s.name, n.time, 'connected to' AS how, n.dst_ip, n.dst_port, CAST(NULL AS VARCHAR) AS rcode,
        n.path, n.line, n.frame, n.byte_offset
    FROM network_activity AS n
    JOIN shaped AS s
      ON s.name = regexp_replace(regexp_replace(lower(n.server_name), ':[0-9]+$', ''), '[.]$', '')
    WHERE coalesce(n.direction, 'egress') <> 'ingress'
),
ranked AS (
    SELECT
        *,
        count(*) OVER (PARTITION BY asset, name) AS seen_count,
        min(time) OVER (PARTITION BY asset, name) AS first_at,
        max(time) OVER (PARTITION BY asset, name) AS last_at,
        row_number() OVER (PARTITION BY asset, name ORDER BY time, path, line, frame, byte_offset) AS place
    FROM seen
    WHERE asset IS NOT NULL
)
SELECT
    asset, name, how, time, dst_ip, dst_port, rcode, seen_count, first_at, last_at, path, line, frame, byte_offset
FROM ranked
WHERE place <= 10
