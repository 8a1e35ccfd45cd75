-- One statement for each interface of an instance and each address it sent from or received at.
SELECT
  min("time") AS "time",
  'flow_log' AS ground,
  interface_ip AS ip,
  instance_uid,
  interface_uid,
  account_uid,
  vpc_uid,
  region,
  arg_min(line, "time") AS line,
  arg_min(byte_offset, "time") AS byte_offset
FROM staged
WHERE reject IS NULL AND instance_uid IS NOT NULL AND interface_ip IS NOT NULL
GROUP BY interface_ip, instance_uid, interface_uid, account_uid, vpc_uid, region
