SELECT
    started AS time,
    CASE WHEN auth_success IN ('T', 'true') THEN 'success' ELSE 'failure' END AS status,
    orig_h AS src_ip,
    TRY_CAST(orig_p AS INTEGER) AS src_port,
    'sshd' AS service,
    'as Zeek infers it from packet sizes; attempts on the connection: ' || coalesce(auth_attempts, 'unknown')
        AS outcome_detail,
    resp_h AS device_ip,
    line,
    byte_offset
FROM stamped
WHERE reject IS NULL AND auth_success IN ('T', 'F', 'true', 'false')
