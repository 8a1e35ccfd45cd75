WITH said AS (
    SELECT
        *,
        -- An answer is logged in the packet's direction by old versions and in the flow's by new ones.
        dns.type IN ('answer', 'response') AND src_port = 53 AND coalesce(dest_port, 0) <> 53 AS turned,
        list_filter(
            list_transform(
                dns.answers, lambda answer: CASE WHEN answer.rrtype IN ('A', 'AAAA', 'CNAME') THEN answer.rdata END
            ),
            lambda value: value IS NOT NULL
        ) AS listed,
        list_concat(
            list_concat(coalesce(dns."grouped".CNAME, []), coalesce(dns."grouped".A, [])),
            coalesce(dns."grouped".AAAA, [])
        ) AS together
    FROM staged
    WHERE reject IS NULL AND event_type = 'dns'
),
named AS (
    SELECT
        *,
        coalesce(dns.rrname, dns.queries[1].rrname) AS name,
        coalesce(dns.queries[1].rrtype, dns.rrtype) AS kind
    FROM said
)
SELECT
    logged AS time,
    lower(CASE WHEN length(name) > 1 THEN rtrim(name, '.') ELSE name END) AS query_name,
    kind AS query_type,
    CASE
        WHEN len(listed) > 0 THEN listed
        WHEN len(together) > 0 THEN together
        WHEN dns.rdata IS NOT NULL AND dns.rdata <> '' THEN [dns.rdata]
    END AS answers,
    dns.rcode AS rcode,
    CASE WHEN turned THEN src_ip ELSE dest_ip END AS resolver_ip,
    CASE WHEN turned THEN src_port ELSE dest_port END AS resolver_port,
    proto AS protocol,
    CASE WHEN turned THEN dest_ip ELSE src_ip END AS src_ip,
    CASE WHEN turned THEN dest_port ELSE src_port END AS src_port,
    line,
    byte_offset
FROM named
