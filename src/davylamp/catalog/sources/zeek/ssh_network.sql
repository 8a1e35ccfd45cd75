SELECT
    started AS time,
    orig_h AS src_ip,
    TRY_CAST(orig_p AS INTEGER) AS src_port,
    resp_h AS dst_ip,
    TRY_CAST(resp_p AS INTEGER) AS dst_port,
    'tcp' AS protocol,
    false AS one_way,
    'ssh' AS application,
    client AS user_agent,
    line,
    byte_offset
FROM stamped
WHERE reject IS NULL
