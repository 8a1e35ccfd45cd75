WITH calls AS (
  SELECT
    time, actor, access_key, src_ip, user_agent, service, operation, region, error_code, error_message,
    request, response, event_uid, path, line, frame, byte_offset,
    account,
    principal
  FROM api_activity
  WHERE (coalesce(src_ip, '') NOT LIKE '%.amazonaws.com')
    AND (
      (
        service LIKE 'servicequotas.%'
        AND operation IN (
          'GetServiceQuota', 'GetAWSDefaultServiceQuota', 'ListServiceQuotas', 'ListAWSDefaultServiceQuotas',
          'RequestServiceQuotaIncrease'
        )
        AND regexp_matches(
          lower(coalesce(request, '')),
          '"(ec2|fargate|ecs|sagemaker|batch|lambda|eks|lightsail|glue|codebuild|elasticmapreduce|autoscaling)"|"l-1216c47a"'
        )
      )
      OR (
        service LIKE 'ec2.%'
        AND operation IN ('DescribeAccountAttributes', 'DescribeInstanceTypes', 'DescribeInstanceTypeOfferings',
          'DescribeSpotPriceHistory')
      )
    )
),
kinds AS (
  SELECT
    *,
    CAST(floor(epoch(time) / 86400) AS BIGINT) AS day,
    CASE
      WHEN operation = 'RequestServiceQuotaIncrease' THEN 'increase'
      WHEN service LIKE 'servicequotas.%' THEN 'quota'
      ELSE 'capacity'
    END AS kind,
    coalesce(regexp_extract(request, '"quotaCode"[ ]*:[ ]*"([^"]+)"', 1), '') AS quota_code
  FROM calls
),
days AS (
  SELECT
    account, principal, day,
    count(*) AS day_calls_count,
    count(DISTINCT region) AS day_regions_count,
    count(DISTINCT CASE WHEN kind <> 'capacity' THEN concat(coalesce(region, ''), quota_code) END) AS day_quotas_count,
    sum(CASE WHEN kind = 'increase' THEN 1 ELSE 0 END) AS day_increases_count
  FROM kinds
  GROUP BY account, principal, day
),
seen AS (
  SELECT
    *,
    count(*) OVER (PARTITION BY account, principal) AS days_count
  FROM days
  WHERE day_regions_count >= $regions_count OR day_quotas_count >= $quotas_count OR day_increases_count > 0
),
probing AS (
  SELECT * FROM seen
  WHERE days_count < $steady_days_count
),
ranked AS (
  SELECT
    kinds.*, probing.day_calls_count, probing.day_regions_count, probing.days_count,
    row_number() OVER (
      PARTITION BY kinds.account, kinds.principal, kinds.region, kinds.kind, kinds.quota_code
      ORDER BY kinds.time, kinds.path, kinds.line, kinds.byte_offset
    ) AS place_position
  FROM kinds
  JOIN probing
    ON kinds.account = probing.account AND kinds.principal = probing.principal AND kinds.day = probing.day
),
firsts AS (
  SELECT
    *,
    row_number() OVER (PARTITION BY account, principal ORDER BY time, path, line, byte_offset) AS position
  FROM ranked
  WHERE place_position <= 2
),
breadth AS (
  SELECT
    account,
    principal,
    CAST(floor(epoch(time) / 86400) AS BIGINT) AS day,
    count(DISTINCT concat(coalesce(service, ''), coalesce(operation, ''))) AS operations_count
  FROM api_activity
  WHERE actor IN (SELECT actor FROM firsts) OR actor IS NULL
  GROUP BY 1, 2, 3
),
began AS (
  SELECT
    account,
    min(time) AS first_at
  FROM api_activity
  GROUP BY 1
)
SELECT firsts.*, breadth.operations_count, epoch(firsts.time) - epoch(began.first_at) AS history_s
FROM firsts
JOIN began ON firsts.account = began.account
JOIN breadth
  ON firsts.account = breadth.account AND firsts.principal = breadth.principal AND firsts.day = breadth.day
WHERE firsts.position <= $rows_count
ORDER BY firsts.account, firsts.principal, firsts.position
