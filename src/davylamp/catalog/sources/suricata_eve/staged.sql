WITH split AS (
    SELECT TRY(json_transform(text, $shape)) AS e, line, byte_offset
    FROM records
    WHERE trim(text) <> ''
),
timed AS (
    SELECT
        line,
        byte_offset,
        e.event_type AS event_type,
        TRY(make_timestamp(epoch_us(TRY_CAST(e.timestamp AS TIMESTAMPTZ)))) AS logged,
        TRY(make_timestamp(epoch_us(TRY_CAST(coalesce(e.flow.start, e.netflow.start) AS TIMESTAMPTZ)))) AS started,
        TRY(make_timestamp(epoch_us(TRY_CAST(coalesce(e.flow."end", e.netflow."end") AS TIMESTAMPTZ)))) AS ended,
        -- Of packets that cannot be decoded (`SURICATA IPv4 truncated packet`) nothing is known, and written as empty.
        nullif(e.src_ip, '') AS src_ip,
        -- What is no number becomes one that no port has.
        CASE WHEN e.src_port IS NOT NULL THEN coalesce(TRY_CAST(e.src_port AS INTEGER), -1) END AS src_port,
        nullif(e.dest_ip, '') AS dest_ip,
        CASE WHEN e.dest_port IS NOT NULL THEN coalesce(TRY_CAST(e.dest_port AS INTEGER), -1) END AS dest_port,
        lower(e.proto) AS proto,
        lower(e.app_proto) AS app_proto,
        e.host AS host,
        TRY_CAST(coalesce(e.flow.bytes_toserver, e.netflow.bytes) AS BIGINT) AS bytes_out,
        TRY_CAST(e.flow.bytes_toclient AS BIGINT) AS bytes_in,
        TRY_CAST(coalesce(e.flow.pkts_toserver, e.netflow.pkts) AS BIGINT) AS packets_out,
        TRY_CAST(e.flow.pkts_toclient AS BIGINT) AS packets_in,
        e.flow.state AS flow_state,
        e.flow.action AS flow_action,
        e.dns AS dns,
        e.tls AS tls,
        e.http AS http,
        e.ssh AS ssh,
        e.alert AS alert,
        e.event_type = 'alert' AND CASE
            WHEN e.direction IS NOT NULL THEN e.direction = 'to_client'
            WHEN e.flow.src_ip IS NOT NULL THEN e.flow.src_ip = e.dest_ip AND e.flow.dest_ip = e.src_ip
            -- Clients take their ports from 32768 on (Linux), servers stay below.
            ELSE TRY_CAST(e.src_port AS INTEGER) < 32768 AND TRY_CAST(e.dest_port AS INTEGER) >= 32768
        END AS turned
    FROM split
    WHERE e IS NULL OR e.event_type IS NULL
        OR e.event_type IN ('flow', 'netflow', 'dns', 'tls', 'http', 'ssh', 'alert')
)
SELECT
    -- An alert names the ends of the packet that raised it, which may be the server's answer: here stand the flow's.
    * EXCLUDE (turned) REPLACE (
        CASE WHEN turned THEN dest_ip ELSE src_ip END AS src_ip,
        CASE WHEN turned THEN dest_port ELSE src_port END AS src_port,
        CASE WHEN turned THEN src_ip ELSE dest_ip END AS dest_ip,
        CASE WHEN turned THEN src_port ELSE dest_port END AS dest_port
    ),
    CASE
        WHEN event_type IS NULL THEN 'not an EVE record: no event_type'
        WHEN logged IS NULL OR logged NOT BETWEEN TIMESTAMP '1970-01-01' AND TIMESTAMP '9999-12-31'
            THEN 'timestamp is no time'
        WHEN NOT regexp_full_match(src_ip, $address) THEN 'src_ip is no address'
        WHEN NOT regexp_full_match(dest_ip, $address) THEN 'dest_ip is no address'
        WHEN src_port NOT BETWEEN 0 AND 65535 THEN 'src_port is no port'
        WHEN dest_port NOT BETWEEN 0 AND 65535 THEN 'dest_port is no port'
    END AS reject
FROM timed
