-- Few addresses make many calls: the network of each is found once.
CREATE TEMPORARY TABLE caller_place AS
SELECT
  src_ip,
  coalesce(
    nullif(regexp_extract(src_ip, '^([0-9]{1,3}[.][0-9]{1,3})[.][0-9]{1,3}[.][0-9]{1,3}$', 1), ''),
    nullif(regexp_extract(lower(src_ip), '^([0-9a-f]{1,4}:[0-9a-f]{0,4}):', 1), '')
  ) AS network
FROM (SELECT DISTINCT src_ip FROM api_activity WHERE src_ip IS NOT NULL) AS seen
WHERE regexp_matches(src_ip, '^[0-9.]+$|:')
  -- What comes over a private end point, and from a carrier's shared addresses, has no place of its own.
  AND NOT regexp_matches(src_ip, $not_public)
;
-- Every call with its place: the principal's and the account's history is made of it.
CREATE TEMPORARY VIEW call_origin AS
SELECT
  a.account, a.principal, a.time, CAST(floor(epoch(a.time) / 86400) AS BIGINT) AS day, p.network, a.operation, a.service,
  a.read_only, a.error_code, regexp_extract(lower(coalesce(a.user_agent, '')), '^[^a-z0-9]*([a-z0-9._-]+)', 1) AS program,
  a.actor, a.access_key, a.src_ip, a.user_agent, a.region, a.path, a.line, a.frame,
  a.byte_offset
FROM api_activity AS a
JOIN caller_place AS p ON p.src_ip = a.src_ip
WHERE a.principal <> 'unknown' AND p.network IS NOT NULL
;
CREATE TEMPORARY TABLE launch_call AS
SELECT *
FROM call_origin
WHERE (
    (service LIKE 'ec2.%' AND operation IN ('RunInstances', 'CreateFleet', 'RequestSpotInstances', 'RequestSpotFleet'))
    OR (service LIKE 'autoscaling.%' AND operation IN ('CreateAutoScalingGroup', 'UpdateAutoScalingGroup'))
    OR (service LIKE 'eks.%' AND operation IN ('CreateCluster', 'CreateNodegroup'))
    OR (service LIKE 'ecs.%' AND operation IN ('CreateCluster', 'RunTask', 'StartTask', 'CreateService', 'UpdateService'))
    OR (
      regexp_matches(
        service,
        '^(codebuild|sagemaker|amplify|batch|lightsail|glue|lambda|elasticmapreduce|emr-serverless|apprunner|cloud9|elasticbeanstalk|gamelift|appstream|workspaces|deadline|imagebuilder)[.]'
      )
      AND NOT read_only IS TRUE AND regexp_matches(operation, '^(Create|Run|Start|Submit|Put|UpdateComputeEnvironment)')
    )
  )
  AND coalesce(error_code, '') NOT LIKE '%DryRunOperation'
;
-- The history of accounts in which compute was taken, by days: calls are many, what they differ in is not.
CREATE TEMPORARY TABLE call_day AS
SELECT c.account, c.principal, c.network, c.day, c.program, c.region, c.service, min(c.time) AS first_at
FROM call_origin AS c
JOIN (SELECT DISTINCT account FROM launch_call) AS l ON l.account = c.account
GROUP BY c.account, c.principal, c.network, c.day, c.program, c.region, c.service
;
WITH days AS (
  SELECT
    c.account, c.principal, c.network, c.day, min(c.first_at) AS first_at
  FROM call_day AS c
  JOIN (SELECT DISTINCT account, principal FROM launch_call) AS l ON l.account = c.account AND l.principal = c.principal
  GROUP BY c.account, c.principal, c.network, c.day
),
used AS (
  SELECT account, principal, network, min(day) AS first_day, min(first_at) AS first_at
  FROM days
  GROUP BY account, principal, network
),
seen AS (
  SELECT account, principal, min(first_day) AS first_day FROM used GROUP BY account, principal
),
began AS (
  SELECT DISTINCT u.account, u.principal, u.first_day
  FROM used AS u
  JOIN launch_call AS l ON l.account = u.account AND l.principal = u.principal AND l.network = u.network
),
active AS (
  SELECT b.account, b.principal, b.first_day, count(DISTINCT d.day) AS history_days_count
  FROM began AS b
  JOIN days AS d ON d.account = b.account AND d.principal = b.principal AND d.day < b.first_day
  GROUP BY b.account, b.principal, b.first_day
),
-- From how many networks the principal had called before that day, and how many of them were new when it was known.
moved AS (
  SELECT
    b.account, b.principal, b.first_day, count(*) AS networks_count,
    sum(CASE WHEN u.first_day > s.first_day THEN 1 ELSE 0 END) AS moves_count
  FROM began AS b
  JOIN seen AS s ON s.account = b.account AND s.principal = b.principal
  JOIN used AS u ON u.account = b.account AND u.principal = b.principal AND u.first_day < b.first_day
  GROUP BY b.account, b.principal, b.first_day
),
anybody AS (
  SELECT u.account, u.principal, u.network, count(DISTINCT c.day) AS days_count
  FROM used AS u
  JOIN (SELECT DISTINCT account, network, day FROM call_day) AS c
    ON c.account = u.account AND c.network = u.network AND c.day < u.first_day
  GROUP BY u.account, u.principal, u.network
),
unfamiliar AS (
  SELECT u.account, u.principal, u.network, u.first_at, m.networks_count, m.moves_count, a.history_days_count
  FROM used AS u
  JOIN active AS a ON a.account = u.account AND a.principal = u.principal AND a.first_day = u.first_day
  JOIN moved AS m ON m.account = u.account AND m.principal = u.principal AND m.first_day = u.first_day
  LEFT JOIN anybody AS k ON k.account = u.account AND k.principal = u.principal AND k.network = u.network
  WHERE coalesce(k.days_count, 0) < $known_days_count AND a.history_days_count >= $history_days_count
    AND (m.moves_count + 0.5) / (a.history_days_count + 1) <= $moves_ratio_most
),
-- On how many later days the principal called at all, and from where it used to: what has moved is not in two places.
afterwards AS (
  SELECT
    u.account, u.principal, u.network, count(DISTINCT d.day) AS later_days_count,
    count(DISTINCT CASE WHEN o.first_day < CAST(floor(epoch(u.first_at) / 86400) AS BIGINT) THEN d.day END)
      AS later_usual_days_count
  FROM unfamiliar AS u
  JOIN days AS d
    ON d.account = u.account AND d.principal = u.principal AND d.day > CAST(floor(epoch(u.first_at) / 86400) AS BIGINT)
  JOIN used AS o ON o.account = d.account AND o.principal = d.principal AND o.network = d.network
  GROUP BY u.account, u.principal, u.network
),
-- When the principal first used a program, called a region, called a service: what it had not before is news.
known_program AS (
  SELECT account, principal, program, min(first_at) AS first_at
  FROM call_day
  WHERE program <> ''
  GROUP BY account, principal, program
),
known_region AS (
  SELECT account, principal, region, min(first_at) AS first_at FROM call_day GROUP BY account, principal, region
),
known_service AS (
  SELECT account, principal, service, min(first_at) AS first_at FROM call_day GROUP BY account, principal, service
),
taken AS (
  SELECT
    l.account, l.principal, l.network,
    count(DISTINCT CASE WHEN r.region IS NULL THEN l.region END) AS new_regions_count,
    count(DISTINCT CASE WHEN s.service IS NULL THEN l.service END) AS new_services_count
  FROM launch_call AS l
  JOIN unfamiliar AS u ON u.account = l.account AND u.principal = l.principal AND u.network = l.network
  LEFT JOIN known_region AS r
    ON r.account = l.account AND r.principal = l.principal AND r.region = l.region AND r.first_at < u.first_at
  LEFT JOIN known_service AS s
    ON s.account = l.account AND s.principal = l.principal AND s.service = l.service AND s.first_at < u.first_at
  WHERE epoch(l.time) <= epoch(u.first_at) + $new_s
  GROUP BY l.account, l.principal, l.network
),
cited AS (
  SELECT
    l.*, u.first_at, t.new_regions_count, t.new_services_count,
    coalesce(f.later_days_count, 0) AS later_days_count, coalesce(f.later_usual_days_count, 0) AS later_usual_days_count,
    u.history_days_count, u.networks_count, u.moves_count,
    CASE WHEN p.program IS NULL AND l.program <> '' THEN 1 ELSE 0 END AS new_program,
    count(*) OVER (PARTITION BY l.account, l.principal, l.network) AS calls_count,
    row_number() OVER (
      PARTITION BY l.account, l.principal, l.network ORDER BY l.time, l.path, l.line, l.byte_offset
    ) AS position
  FROM launch_call AS l
  JOIN unfamiliar AS u ON u.account = l.account AND u.principal = l.principal AND u.network = l.network
  JOIN taken AS t ON t.account = l.account AND t.principal = l.principal AND t.network = l.network
  LEFT JOIN afterwards AS f ON f.account = l.account AND f.principal = l.principal AND f.network = l.network
  LEFT JOIN known_program AS p
    ON p.account = l.account AND p.principal = l.principal AND p.program = l.program AND p.first_at < u.first_at
  WHERE epoch(l.time) <= epoch(u.first_at) + $new_s
)
SELECT * FROM cited
WHERE position <= 50
ORDER BY account, principal, network, position
