WITH calls AS (
  SELECT
    time, actor, access_key, src_ip, user_agent, service, operation, region, error_code, error_message,
    request, response, event_uid, path, line, frame, byte_offset,
    account,
    principal
    , CAST(floor(epoch(time) / 86400) AS BIGINT) AS day
  FROM api_activity
  WHERE service LIKE 'ec2.%'
    AND error_code IS NULL
    AND (
      operation = 'RunInstances'
      OR (operation = 'ModifyInstanceAttribute' AND regexp_matches(request, 'disableApi(Termination|Stop)'))
    )
),
protecting AS (
  SELECT * FROM calls
  WHERE coalesce(src_ip, '') NOT LIKE '%.amazonaws.com'
    AND (
      operation = 'ModifyInstanceAttribute'
      OR regexp_matches(request, '"disableApi(Termination|Stop)"[^a-zA-Z]*("value"[^a-zA-Z]*)?[tT]rue')
    )
),
days AS (
  SELECT account, principal, count(DISTINCT day) AS days_count, count(*) AS calls_count
  FROM protecting
  GROUP BY account, principal
),
ranked AS (
  SELECT
    protecting.*, days.days_count, days.calls_count, 'protects' AS role,
    row_number() OVER (
      PARTITION BY protecting.account, protecting.principal ORDER BY time, path, line, byte_offset
    ) AS position
  FROM protecting
  JOIN days ON protecting.account = days.account AND protecting.principal = days.principal
),
spans AS (
  SELECT account, principal, min(time) AS first_at, max(time) AS last_at, max(days_count) AS days_count,
    max(calls_count) AS calls_count
  FROM ranked
  WHERE position <= $rows_count
  GROUP BY account, principal
),
launching AS (
  SELECT
    calls.time, calls.actor, calls.access_key, calls.src_ip, calls.user_agent, calls.operation, calls.region,
    calls.error_code, calls.request, calls.response, calls.event_uid, calls.path, calls.line, calls.frame,
    calls.byte_offset, calls.account, spans.principal, spans.days_count, spans.calls_count, 'launches' AS role,
    row_number() OVER (
      PARTITION BY spans.account, spans.principal ORDER BY time DESC, path, line, byte_offset
    ) AS position
  FROM calls
  JOIN spans
    ON calls.account = spans.account
    AND (calls.principal = spans.principal OR calls.src_ip = 'autoscaling.amazonaws.com')
    AND calls.operation = 'RunInstances'
    AND calls.time >= spans.first_at - INTERVAL '1' HOUR AND calls.time <= spans.last_at
)
SELECT account, principal, role, days_count, calls_count, time, actor, access_key, src_ip, user_agent, operation, region,
  error_code, request, response, event_uid, path, line, frame, byte_offset
FROM ranked WHERE position <= $rows_count
UNION ALL
SELECT account, principal, role, days_count, calls_count, time, actor, access_key, src_ip, user_agent, operation, region,
  error_code, request, response, event_uid, path, line, frame, byte_offset
FROM launching WHERE position <= $rows_count
ORDER BY account, principal, time, path, line, byte_offset
