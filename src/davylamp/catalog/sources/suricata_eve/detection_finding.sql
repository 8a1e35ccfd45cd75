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
    host AS device_name,
    line,
    byte_offset
FROM staged
WHERE reject IS NULL AND event_type = 'alert'
