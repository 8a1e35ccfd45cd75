-- `fields` holds one record a row: the fields as text or number, '-' as null, absent fields as null.
SELECT
  make_timestamp(coalesce(start_s, end_s)::BIGINT * 1000000) AS "time",
  make_timestamp(end_s::BIGINT * 1000000) AS end_time,
  -- The packet's own addresses, where the format has them: behind a NAT gateway, a transit gateway or a
  -- Kubernetes node, srcaddr and dstaddr only name the interface in between.
  coalesce(pkt_srcaddr, srcaddr) AS src_ip,
  srcport AS src_port,
  coalesce(pkt_dstaddr, dstaddr) AS dst_ip,
  dstport AS dst_port,
  CASE protocol WHEN '6' THEN 'tcp' WHEN '17' THEN 'udp' WHEN '1' THEN 'icmp' ELSE protocol END AS protocol,
  bytes_count AS bytes_out,
  packets_count AS packets_out,
  true AS one_way,
  lower("action") AS "action",
  lower(flow_direction) AS direction,
  tcp_flags AS state,
  instance_id AS instance_uid,
  interface_id AS interface_uid,
  nullif(account_id, 'unknown') AS account_uid,
  vpc_id AS vpc_uid,
  region,
  -- The address of the recording interface itself: what device_inventory states.
  CASE lower(flow_direction) WHEN 'egress' THEN srcaddr WHEN 'ingress' THEN dstaddr END AS interface_ip,
  line,
  byte_offset,
  CASE
    WHEN shape_fault IS NOT NULL THEN shape_fault
    WHEN log_status = 'SKIPDATA' THEN 'SKIPDATA: the recorder skipped records, so traffic of this interval is missing'
    WHEN number_fault IS NOT NULL THEN number_fault || ' is no number, or out of range'
    WHEN start_s IS NULL AND end_s IS NULL THEN 'no start and no end: the record has no time'
    WHEN coalesce(pkt_srcaddr, srcaddr) IS NULL OR coalesce(pkt_dstaddr, dstaddr) IS NULL THEN 'an address is missing'
    WHEN NOT regexp_full_match(coalesce(pkt_srcaddr, srcaddr), $address)
      OR NOT regexp_full_match(coalesce(pkt_dstaddr, dstaddr), $address) THEN 'an address is none'
    -- Eight bits of an IP header.
    WHEN protocol IS NOT NULL AND TRY_CAST(protocol AS UTINYINT) IS NULL THEN 'protocol is no number, or out of range'
  END AS reject
FROM fields
-- NODATA says that nothing was to be recorded: neither a flow nor a loss.
WHERE log_status IS DISTINCT FROM 'NODATA' OR shape_fault IS NOT NULL
