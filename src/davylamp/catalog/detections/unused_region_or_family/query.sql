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
    coalesce(src_ip, '') LIKE '%.amazonaws.com' AND src_ip <> 'cloudformation.amazonaws.com' AS by_service
  FROM api_activity
  WHERE (
      (service LIKE 'ec2.%' AND operation IN ('RunInstances', 'CreateFleet', 'RequestSpotInstances', 'RequestSpotFleet'))
      OR (service LIKE 'eks.%' AND operation = 'CreateNodegroup')
      OR (service LIKE 'autoscaling.%' AND operation IN ('CreateAutoScalingGroup', 'CreateLaunchConfiguration'))
      OR (service LIKE 'ec2.%' AND operation = 'CreateLaunchTemplate')
    )
    AND coalesce(error_code, '') NOT LIKE '%DryRunOperation'
    AND NOT regexp_matches(coalesce(request, ''), '"[dD]ryRun"[ ]*:[ ]*"?[tT]rue')
),
placed AS (
  SELECT
    *,
    regexp_extract(instance_type, '^([a-z]+)', 1) AS family,
    row_number() OVER (PARTITION BY account ORDER BY time, path, line, byte_offset) - 1 AS earlier_calls_count,
    row_number() OVER (
      PARTITION BY account, principal, region, regexp_extract(instance_type, '^([a-z]+)', 1)
      ORDER BY time, path, line, byte_offset
    ) AS triple_position,
    min(time) OVER (PARTITION BY account, principal) AS principal_first_at,
    min(time) OVER (PARTITION BY account, region) AS region_first_at,
    min(time) OVER (PARTITION BY account, regexp_extract(instance_type, '^([a-z]+)', 1)) AS family_first_at
  FROM calls
),
triples AS (
  SELECT
    account, principal, region, family,
    max(CASE WHEN by_service THEN 1 ELSE 0 END) AS by_service,
    min(time) AS first_at,
    min(CASE WHEN triple_position = 2 THEN time END) AS second_at,
    min(CASE WHEN triple_position = 1 THEN earlier_calls_count END) AS earlier_calls_count,
    min(principal_first_at) AS principal_first_at,
    min(region_first_at) AS region_first_at,
    min(family_first_at) AS family_first_at
  FROM placed
  GROUP BY account, principal, region, family
),
began AS (
  SELECT
    account,
    region,
    min(time) AS region_call_at,
    min(CASE WHEN read_only THEN NULL ELSE time END) AS region_change_at
  FROM api_activity
  GROUP BY 1, 2
),
account_began AS (
  SELECT account, min(region_call_at) AS account_first_at FROM began GROUP BY account
),
singles AS (
  SELECT
    triples.account, triples.principal, triples.region, triples.family,
    sum(CASE WHEN others.first_at < triples.first_at
      AND (others.second_at IS NULL OR others.second_at >= triples.first_at) THEN 1 ELSE 0 END) AS singles_count
  FROM triples
  LEFT JOIN triples AS others ON triples.account = others.account
  WHERE triples.by_service = 0 AND (triples.first_at - INTERVAL '1' HOUR <= triples.region_first_at
    OR triples.first_at - INTERVAL '1' HOUR <= triples.family_first_at)
  GROUP BY triples.account, triples.principal, triples.region, triples.family
),
novel AS (
  SELECT triples.*, singles.singles_count, began.region_change_at, account_began.account_first_at
  FROM triples
  JOIN singles
    ON triples.account = singles.account AND triples.principal = singles.principal
    AND triples.region = singles.region AND triples.family = singles.family
  JOIN began ON triples.account = began.account AND triples.region = began.region
  JOIN account_began ON triples.account = account_began.account
),
cited AS (
  SELECT
    placed.time, placed.actor, placed.access_key, placed.src_ip, placed.user_agent, placed.operation, placed.region,
    placed.error_code, placed.request, placed.response, placed.event_uid, placed.path, placed.line, placed.frame,
    placed.byte_offset, placed.account, placed.principal, placed.instance_type, placed.family,
    novel.first_at, novel.earlier_calls_count, novel.principal_first_at, novel.region_first_at, novel.family_first_at, novel.singles_count,
    novel.account_first_at, novel.region_change_at,
    row_number() OVER (
      PARTITION BY placed.account, placed.principal ORDER BY time, placed.path, placed.line, placed.byte_offset
    ) AS position
  FROM placed
  JOIN novel
    ON placed.account = novel.account AND placed.principal = novel.principal
    AND placed.region = novel.region AND placed.family = novel.family
  WHERE placed.time <= novel.first_at + INTERVAL '24' HOUR
)
SELECT * FROM cited
WHERE position <= $rows_count
ORDER BY account, principal, position
