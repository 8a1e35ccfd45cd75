SELECT
    started AS time,
    make_timestamp(epoch_us(started) + CASE
        WHEN duration IS NULL THEN 0
        -- A billion seconds is thirty years: more is damage, and would overflow.
        WHEN TRY_CAST(duration AS DOUBLE) BETWEEN 0 AND 1e9 THEN CAST(round(TRY_CAST(duration AS DOUBLE) * 1e6) AS BIGINT)
    END) AS end_time,
    orig_h AS src_ip,
    TRY_CAST(orig_p AS INTEGER) AS src_port,
    resp_h AS dst_ip,
    TRY_CAST(resp_p AS INTEGER) AS dst_port,
    lower(proto) AS protocol,
    TRY_CAST(orig_bytes AS BIGINT) AS bytes_out,
    TRY_CAST(resp_bytes AS BIGINT) AS bytes_in,
    TRY_CAST(orig_pkts AS BIGINT) AS packets_out,
    TRY_CAST(resp_pkts AS BIGINT) AS packets_in,
    false AS one_way,
    CASE service WHEN 'ssl' THEN 'tls' ELSE lower(service) END AS application,
    CASE
        WHEN local_orig IN ('T', 'true') AND local_resp IN ('F', 'false') THEN 'egress'
        WHEN local_orig IN ('F', 'false') AND local_resp IN ('T', 'true') THEN 'ingress'
    END AS direction,
    conn_state AS state,
    line,
    byte_offset,
    reject
FROM stamped
