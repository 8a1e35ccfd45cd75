SELECT
  "time", query_name, query_type, answers, rcode, protocol, "action", src_ip, src_port, instance_uid, interface_uid,
  account_uid, vpc_uid, region, line, byte_offset
FROM staged
WHERE reject IS NULL
