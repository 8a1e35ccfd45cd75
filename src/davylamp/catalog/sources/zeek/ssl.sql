SELECT
    started AS time,
    orig_h AS src_ip,
    TRY_CAST(orig_p AS INTEGER) AS src_port,
    resp_h AS dst_ip,
    TRY_CAST(resp_p AS INTEGER) AS dst_port,
    'tcp' AS protocol,
    false AS one_way,
    nullif(lower(rtrim(server_name, '.')), '') AS server_name,
    'tls' AS application,
    CASE
        WHEN version LIKE 'TLSv1_' THEN 'TLS 1.' || version[6:6]
        WHEN version = 'SSLv3' THEN 'SSL 3.0'
        ELSE version
    END AS tls_version,
    line,
    byte_offset,
    reject
FROM stamped
