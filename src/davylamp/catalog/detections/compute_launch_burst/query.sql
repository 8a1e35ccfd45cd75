WITH calls AS (
  SELECT
    time, actor, access_key, src_ip, user_agent, operation, region, error_code, request, response, event_uid,
    path, line, frame, byte_offset,
    account,
    principal,
    coalesce(
      nullif(regexp_extract(request, '"[iI]nstanceTypes?"[^a-z"]*"([a-z0-9-]+[.][a-z0-9-]+)"', 1), ''),
      nullif(regexp_extract(response, '"[iI]nstanceType"[ ]*:[ ]*"([a-z0-9-]+[.][a-z0-9-]+)"', 1), ''),
      ''
    ) AS instance_type,
    CASE WHEN src_ip = 'autoscaling.amazonaws.com'
      THEN nullif(
        regexp_extract(request, '"aws:autoscaling:groupName"[ ]*,[ ]*"value"[ ]*:[ ]*"([^"]+)"', 1), ''
      )
      WHEN operation = 'CreateAutoScalingGroup'
      THEN nullif(regexp_extract(request, '"autoScalingGroupName"[ ]*:[ ]*"([^"]+)"', 1), '')
    END AS group_name,
    coalesce(src_ip, '') LIKE '%.amazonaws.com'
      AND coalesce(src_ip, '') NOT IN ('cloudformation.amazonaws.com', 'cloudshell.amazonaws.com', 'lambda.amazonaws.com')
      AS by_service,
    CAST(floor(epoch(time) / 3600) AS BIGINT) AS hour
  FROM api_activity
  WHERE (
      (service LIKE 'ec2.%' AND operation IN ('RunInstances', 'CreateFleet', 'RequestSpotInstances', 'RequestSpotFleet'))
      OR (service LIKE 'autoscaling.%' AND (operation = 'CreateAutoScalingGroup' OR (
        operation = 'UpdateAutoScalingGroup'
        AND regexp_matches(request, '"(minSize"[ ]*:[ ]*[2-9][0-9]|maxSize"[ ]*:[ ]*[1-9][0-9][0-9])')
      )))
      OR (service LIKE 'eks.%' AND operation = 'CreateNodegroup')
      OR operation IN ('CreateLaunchTemplate', 'CreateLaunchConfiguration')
    )
    AND coalesce(error_code, '') NOT LIKE '%DryRunOperation'
    AND NOT regexp_matches(coalesce(request, ''), '"[dD]ryRun"[ ]*:[ ]*"?[tT]rue')
),
groups AS (
  SELECT account, region, group_name, min(principal) AS principal, min(time) AS made_at
  FROM calls
  WHERE operation = 'CreateAutoScalingGroup' AND error_code IS NULL AND NOT by_service AND group_name IS NOT NULL
  GROUP BY account, region, group_name
),
owned AS (
  SELECT
    calls.time, calls.actor, calls.access_key, calls.src_ip, calls.user_agent, calls.operation, calls.region, calls.error_code,
    calls.request, calls.response, calls.event_uid, calls.path, calls.line, calls.frame, calls.byte_offset, calls.account,
    calls.instance_type, calls.group_name, calls.hour,
    coalesce(groups.principal, calls.principal) AS principal,
    operation IN ('CreateLaunchTemplate', 'CreateLaunchConfiguration') AS prepares
  FROM calls
  LEFT JOIN groups
    ON calls.by_service AND calls.account = groups.account AND calls.region = groups.region
    AND calls.group_name = groups.group_name
    AND calls.time >= groups.made_at AND calls.time < groups.made_at + INTERVAL '24' HOUR
  WHERE NOT calls.by_service OR groups.principal IS NOT NULL
),
counted AS (
  SELECT
    *,
    CASE WHEN prepares THEN 0 ELSE
      CASE
        WHEN response LIKE '%"instanceId"%'
          THEN (length(response) - length(replace(response, '"instanceId"', ''))) / 12
        ELSE coalesce(CAST(nullif(regexp_extract(request,
          '"(?:maxCount|desiredCapacity|desiredSize|[tT]otalTargetCapacity|targetCapacity|instanceCount|minSize)"[^0-9a-z"]*([0-9]{1,5})', 1
        ), '') AS INTEGER), CASE WHEN operation LIKE '%AutoScalingGroup' THEN 0 ELSE 1 END)
      END
      * CASE
        WHEN instance_type LIKE '%.metal%' THEN 96
        WHEN instance_type LIKE '%xlarge'
          THEN 4 * coalesce(CAST(nullif(regexp_extract(instance_type, '[.]([0-9]{1,3})xlarge', 1), '') AS INTEGER), 1)
        ELSE 2
      END
    END AS vcpu,
    regexp_matches(instance_type, '^(p[0-9]|g[0-9]|gr[0-9]|trn|inf|dl[0-9]|vt[0-9])') AS accelerated
  FROM owned
),
hours AS (
  SELECT
    account, principal, hour,
    sum(vcpu) AS vcpu,
    sum(CASE WHEN accelerated THEN vcpu ELSE 0 END) AS accelerated_vcpu,
    sum(CASE WHEN prepares THEN 0 ELSE 1 END) AS calls_count
  FROM counted
  GROUP BY account, principal, hour
),
bursts AS (
  SELECT * FROM hours
  WHERE vcpu >= $burst_vcpu_count OR accelerated_vcpu >= $accelerated_vcpu_count
),
alike AS (
  SELECT
    bursts.account, bursts.principal, bursts.hour,
    count(DISTINCT CASE WHEN earlier.principal = bursts.principal AND earlier.vcpu >= bursts.vcpu * 0.5
      AND earlier.accelerated_vcpu >= bursts.accelerated_vcpu * 0.5 THEN floor(earlier.hour / 24) END) AS alike_days_count,
    count(DISTINCT CASE WHEN earlier.vcpu >= bursts.vcpu
      AND earlier.accelerated_vcpu >= bursts.accelerated_vcpu
      THEN floor(earlier.hour / 24) END) AS account_alike_days_count,
    count(DISTINCT CASE WHEN earlier.principal = bursts.principal AND earlier.vcpu >= $burst_vcpu_count
      THEN floor(earlier.hour / 24) END) AS own_burst_days_count,
    coalesce(sum(earlier.vcpu), 0) AS earlier_vcpu,
    coalesce(sum(earlier.vcpu * earlier.vcpu), 0) AS earlier_vcpu_squared
  FROM bursts
  LEFT JOIN hours AS earlier
    ON bursts.account = earlier.account AND earlier.hour <= bursts.hour - $apart_hours
  GROUP BY bursts.account, bursts.principal, bursts.hour
),
began AS (
  SELECT
    account,
    CAST(floor(epoch(min(time)) / 3600) AS BIGINT) AS first_hour
  FROM api_activity
  GROUP BY 1
),
unusual AS (
  SELECT
    bursts.account, bursts.principal, bursts.hour, bursts.calls_count, bursts.vcpu AS hour_vcpu,
    alike.alike_days_count, alike.account_alike_days_count, alike.own_burst_days_count, alike.earlier_vcpu, alike.earlier_vcpu_squared,
    bursts.hour - began.first_hour AS history_hours
  FROM bursts
  JOIN alike
    ON bursts.account = alike.account AND bursts.principal = alike.principal AND bursts.hour = alike.hour
  JOIN began ON bursts.account = began.account
  WHERE alike.alike_days_count < $alike_days_count
),
-- Days on which the principal had called from the same address before; for what an AWS service calls, none.
familiar AS (
  SELECT asked.account, asked.principal, asked.src_ip, asked.hour, count(DISTINCT floor(epoch(earlier.time) / 86400)) AS days_count
  FROM (
    SELECT DISTINCT counted.account, counted.principal, counted.src_ip, counted.hour
    FROM counted
    JOIN unusual
      ON counted.account = unusual.account AND counted.principal = unusual.principal AND counted.hour = unusual.hour
    WHERE NOT counted.prepares AND counted.src_ip NOT LIKE '%.amazonaws.com'
  ) AS asked
  JOIN api_activity AS earlier
    ON earlier.account = asked.account AND earlier.principal = asked.principal AND earlier.src_ip = asked.src_ip
    AND floor(epoch(earlier.time) / 86400) < floor(asked.hour / 24)
  GROUP BY asked.account, asked.principal, asked.src_ip, asked.hour
),
cited AS (
  SELECT
    counted.*, coalesce(familiar.days_count, 0) AS familiar_days_count, unusual.calls_count, unusual.hour_vcpu, unusual.alike_days_count, unusual.account_alike_days_count, unusual.own_burst_days_count,
    unusual.earlier_vcpu, unusual.earlier_vcpu_squared, unusual.history_hours,
    row_number() OVER (
      PARTITION BY counted.account, counted.principal
      ORDER BY counted.time, counted.path, counted.line, counted.byte_offset
    ) AS position
  FROM counted
  JOIN unusual
    ON counted.account = unusual.account AND counted.principal = unusual.principal AND counted.hour = unusual.hour
  LEFT JOIN familiar
    ON counted.account = familiar.account AND counted.principal = familiar.principal AND counted.hour = familiar.hour
    AND counted.src_ip = familiar.src_ip
)
SELECT * FROM cited
WHERE position <= $rows_count
ORDER BY account, principal, position
