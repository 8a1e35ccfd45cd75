WITH calls AS (
  SELECT
    time, actor, access_key, src_ip, user_agent, service, operation, region, error_code, error_message,
    request, response, event_uid, path, line, frame, byte_offset,
    account,
    principal
  FROM api_activity
  WHERE service LIKE 'ecs.%'
    AND operation IN ('RegisterTaskDefinition', 'RunTask', 'StartTask', 'CreateService', 'UpdateService', 'CreateCluster')
    AND coalesce(src_ip, '') NOT LIKE 'ecs%.amazonaws.com'
    AND coalesce(src_ip, '') NOT LIKE '%autoscaling.amazonaws.com'
),
marked AS (
  SELECT
    *,
    CAST(floor(epoch(time) / 3600) AS BIGINT) AS hour,
    CASE
      WHEN operation = 'RegisterTaskDefinition' AND (
        regexp_matches(request, '"cpu"[ ]*:[ ]*"?([89][0-9][0-9][0-9]|[1-9][0-9][0-9][0-9][0-9])')
        OR regexp_matches(request, '"cpu"[ ]*:[ ]*"([89]|[1-9][0-9])[ ]*[vV][cC][pP][uU]')
        OR length(request) - length(replace(request, '"cpu"', '')) >= 10
      ) THEN 'large'
      WHEN operation = 'RegisterTaskDefinition' THEN 'small'
      WHEN operation = 'CreateCluster' THEN 'cluster'
      ELSE 'start'
    END AS role
  FROM calls
),
clusters AS (
  SELECT account, principal, hour, count(*) AS clusters_count
  FROM marked
  WHERE role = 'cluster'
  GROUP BY account, principal, hour
),
involved AS (
  SELECT account, principal FROM marked WHERE role = 'large'
  UNION
  SELECT account, principal FROM clusters WHERE clusters_count >= $clusters_count
),
kept AS (
  SELECT
    marked.*,
    row_number() OVER (
      PARTITION BY marked.account, marked.principal, marked.role ORDER BY time, path, line, byte_offset
    ) AS position,
    count(*) OVER (PARTITION BY marked.account, marked.principal, marked.role) AS calls_count
  FROM marked
  JOIN involved ON marked.account = involved.account AND marked.principal = involved.principal
  WHERE marked.role <> 'small'
)
SELECT * FROM kept
WHERE position <= $rows_count
ORDER BY account, principal, time, path, line, byte_offset
