SELECT
    CASE
        WHEN event_type IN ('flow', 'netflow')
            AND started BETWEEN TIMESTAMP '1970-01-01' AND TIMESTAMP '9999-12-31' THEN started
        ELSE logged
    END AS time,
    CASE
        WHEN event_type IN ('flow', 'netflow') AND ended BETWEEN TIMESTAMP '1970-01-01' AND TIMESTAMP '9999-12-31'
            THEN ended
    END AS end_time,
    src_ip,
    src_port,
    dest_ip AS dst_ip,
    dest_port AS dst_port,
    proto AS protocol,
    CASE WHEN event_type IN ('flow', 'netflow') THEN bytes_out END AS bytes_out,
    CASE WHEN event_type = 'flow' THEN bytes_in END AS bytes_in,
    CASE WHEN event_type IN ('flow', 'netflow') THEN packets_out END AS packets_out,
    CASE WHEN event_type = 'flow' THEN packets_in END AS packets_in,
    event_type = 'netflow' AS one_way,
    nullif(lower(coalesce(rtrim(tls.sni, '.'), regexp_replace(http.hostname, ':[0-9]+$', ''))), '') AS server_name,
    CASE
        WHEN event_type IN ('tls', 'http', 'ssh') THEN event_type
        WHEN app_proto NOT IN ('failed', 'unknown') THEN app_proto
    END AS application,
    CASE WHEN tls.version = 'TLSv1' THEN 'TLS 1.0' WHEN tls.version <> 'UNDETERMINED' THEN tls.version END
        AS tls_version,
    http.url AS url_path,
    coalesce(http.http_user_agent, 'SSH-' || ssh.client.proto_version || '-' || ssh.client.software_version)
        AS user_agent,
    CASE WHEN flow_action IN ('drop', 'reject') THEN 'reject' WHEN flow_action = 'accept' THEN 'accept' END AS action,
    flow_state AS state,
    host AS device_name,
    line,
    byte_offset
FROM staged
WHERE reject IS NULL
    AND (
        event_type IN ('flow', 'netflow', 'tls', 'http', 'ssh')
        OR (event_type = 'alert' AND coalesce(tls.sni, http.hostname) IS NOT NULL)
    )
