SELECT
    logged AS time,
    'Suricata' AS product,
    alert.signature_id AS rule_uid,
    alert.signature AS title,
    alert.category AS category,
    alert.severity AS severity,
    alert.action AS action,
    src_ip,
    src_port,
    dest_ip AS dst_ip,
    dest_port AS dst_port,
    CASE
        WHEN app_proto NOT IN ('failed', 'unknown') THEN app_proto
        WHEN tls.sni IS NOT NULL OR tls.version IS NOT NULL THEN 'tls'
        WHEN http.hostname IS NOT NULL OR http.url IS NOT NULL THEN 'http'
        WHEN dns.rrname IS NOT NULL OR dns.queries IS NOT NULL THEN 'dns'
    END AS application,
    host AS device_name,
    line,
    byte_offset
FROM staged
WHERE reject IS NULL AND event_type = 'alert'
