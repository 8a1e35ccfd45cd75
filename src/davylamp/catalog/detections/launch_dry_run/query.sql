WITH calls AS (
  SELECT
    time, actor, access_key, src_ip, user_agent, service, operation, region, error_code, error_message,
    request, response, event_uid, path, line, frame, byte_offset,
    account,
    principal
  FROM api_activity
  WHERE service LIKE 'ec2.%'
    AND operation IN ('RunInstances', 'CreateFleet', 'RequestSpotInstances', 'RequestSpotFleet')
    AND (error_code LIKE '%DryRunOperation' OR regexp_matches(request, '"[dD]ryRun"[ ]*:[ ]*"?[tT]rue'))
    AND (coalesce(src_ip, '') NOT LIKE '%.amazonaws.com' OR src_ip = 'cloudformation.amazonaws.com')
),
ranked AS (
  SELECT
    *,
    row_number() OVER (PARTITION BY account, principal ORDER BY time, path, line, byte_offset) AS position,
    count(*) OVER (PARTITION BY account, principal) AS calls_count
  FROM calls
),
spans AS (
  SELECT account, principal, count(DISTINCT date_trunc('day', time)) AS days_count
  FROM calls
  GROUP BY account, principal
)
SELECT ranked.*, spans.days_count
FROM ranked
JOIN spans ON ranked.account = spans.account AND ranked.principal = spans.principal
WHERE ranked.position <= $rows_count
ORDER BY ranked.account, ranked.principal, ranked.position
