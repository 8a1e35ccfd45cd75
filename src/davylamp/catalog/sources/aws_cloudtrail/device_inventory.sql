-- What the answers of RunInstances and TerminateInstances say about machines.
WITH answers AS (
  SELECT
    "time", operation, region, account_uid, actor, line, byte_offset,
    unnest(TRY(json_transform(response, '{"instancesSet": {"items": [{
      "instanceId": "VARCHAR", "imageId": "VARCHAR", "instanceType": "VARCHAR", "vpcId": "VARCHAR",
      "privateIpAddress": "VARCHAR", "privateDnsName": "VARCHAR", "ipAddress": "VARCHAR",
      "placement": {"availabilityZone": "VARCHAR"},
      "networkInterfaceSet": {"items": [{
        "networkInterfaceId": "VARCHAR", "macAddress": "VARCHAR", "privateIpAddress": "VARCHAR", "vpcId": "VARCHAR",
        "association": {"publicIp": "VARCHAR"},
        "ipv6AddressesSet": {"items": [{"ipv6Address": "VARCHAR"}]},
        "privateIpAddressesSet": {"items": [{
          "privateIpAddress": "VARCHAR", "association": {"publicIp": "VARCHAR"}
        }]}
      }]}
    }]}}')).instancesSet.items) AS instance
  FROM staged
  WHERE reject IS NULL AND response IS NOT NULL AND error_code IS NULL
    AND service = 'ec2.amazonaws.com' AND operation IN ('RunInstances', 'TerminateInstances')
),
interfaces AS (
  SELECT *, unnest(coalesce(nullif(instance.networkInterfaceSet.items, []), [NULL])) AS interface
  FROM answers
  WHERE instance.instanceId LIKE 'i-%'
),
addresses AS (
  SELECT
    * EXCLUDE (interface),
    interface,
    -- Only addresses: a join must not rest on whatever else stands there.
    unnest(coalesce(nullif(list_sort(list_distinct(list_filter(list_concat(
      [coalesce(interface.privateIpAddress, instance.privateIpAddress), interface.association.publicIp],
      -- The answer does not say on which interface this address is, and it is nearly always the first and only one.
      CASE WHEN len(coalesce(instance.networkInterfaceSet.items, [])) < 2 THEN [instance.ipAddress] END,
      list_transform(interface.ipv6AddressesSet.items, lambda each: each.ipv6Address),
      list_transform(interface.privateIpAddressesSet.items, lambda each: each.privateIpAddress),
      list_transform(interface.privateIpAddressesSet.items, lambda each: each.association.publicIp)
    ), lambda each: regexp_full_match(each, $address)))), []), [NULL])) AS ip
  FROM interfaces
)
SELECT
  "time",
  CASE WHEN operation = 'TerminateInstances' THEN "time" END AS end_time,
  CASE operation WHEN 'RunInstances' THEN 'run_instances' ELSE 'terminate' END AS ground,
  -- The two forms that EC2 gives; any other name there is not the machine's own.
  nullif(regexp_extract(instance.privateDnsName, '^(ip(?:-[0-9]{1,3}){4}|i-[0-9a-z]{8,17})\.', 1), '') AS device_name,
  ip,
  lower(interface.macAddress) AS mac,
  instance.instanceId AS instance_uid,
  interface.networkInterfaceId AS interface_uid,
  instance.instanceType AS instance_type,
  instance.imageId AS image_uid,
  account_uid,
  coalesce(interface.vpcId, instance.vpcId) AS vpc_uid,
  coalesce(region, regexp_extract(instance.placement.availabilityZone, '^([a-z]+(?:-[a-z]+)+-[0-9]+)', 1)) AS region,
  actor,
  line,
  byte_offset
FROM addresses
