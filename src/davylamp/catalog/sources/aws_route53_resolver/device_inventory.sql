-- One statement for each instance and address, from its first question on.
SELECT
  min("time") AS "time",
  'resolver_log' AS ground,
  src_ip AS ip,
  instance_uid,
  account_uid,
  vpc_uid,
  region,
  arg_min(line, "time") AS line,
  arg_min(byte_offset, "time") AS byte_offset
FROM staged
-- Questions through an inbound endpoint come from outside the network: they name no instance.
WHERE reject IS NULL AND instance_uid IS NOT NULL AND src_ip IS NOT NULL
GROUP BY src_ip, instance_uid, account_uid, vpc_uid, region
