-- What processes spent beside what the processes that show spent; and the provider's word beside the host's own.
WITH sampled AS (
  SELECT
    asset, time, metric, used_ratio, period_s, cpu_count, started_count, device_name, path, line, byte_offset,
    epoch(time) AS time_s
  FROM resource_usage
  WHERE metric IN ('cpu', 'cpu_of_processes', 'cpu_of_visible_processes')
    AND used_ratio IS NOT NULL AND asset IS NOT NULL AND time IS NOT NULL
),
compared AS (
  SELECT
    spent.asset, spent.time, spent.time_s, spent.period_s, spent.cpu_count, spent.started_count,
    spent.used_ratio * spent.cpu_count AS spent_cpus, shown.used_ratio * spent.cpu_count AS visible_cpus,
    spent.path, spent.line, spent.byte_offset
  FROM sampled AS spent
  JOIN sampled AS shown
    ON shown.asset = spent.asset AND shown.time = spent.time AND shown.path = spent.path
    AND shown.metric = 'cpu_of_visible_processes'
  WHERE spent.metric = 'cpu_of_processes' AND spent.period_s > 0 AND spent.cpu_count > 0
),
gaping AS (
  SELECT asset
  FROM compared
  WHERE spent_cpus - visible_cpus >= $gap_least_cpus
  GROUP BY asset
  HAVING count(*) >= $gaping_least_count
),
ranked AS (
  SELECT compared.*, row_number() OVER (PARTITION BY compared.asset ORDER BY compared.time DESC, compared.path DESC) AS place
  FROM compared
  JOIN gaping ON gaping.asset = compared.asset
),
own AS (
  SELECT asset, time_s, period_s, used_ratio, cpu_count
  FROM sampled
  WHERE metric = 'cpu' AND device_name IS NOT NULL AND period_s > 0
),
told AS (
  SELECT
    asset, time, time_s, used_ratio, path, line, byte_offset,
    coalesce(
      lead(time_s) OVER (PARTITION BY asset, path ORDER BY time_s) - time_s,
      time_s - lag(time_s) OVER (PARTITION BY asset, path ORDER BY time_s)
    ) AS period_s
  FROM sampled
  WHERE metric = 'cpu' AND device_name IS NULL AND asset IN (SELECT asset FROM own)
),
beside AS (
  SELECT
    told.asset, told.time, told.time_s, told.period_s, told.used_ratio, told.path, told.line, told.byte_offset,
    max(own.cpu_count) AS cpu_count,
    sum(own.period_s) AS covered_s,
    sum(own.used_ratio * own.period_s) / sum(own.period_s) AS own_ratio
  FROM told
  JOIN own
    ON own.asset = told.asset AND own.time_s >= told.time_s AND own.time_s < told.time_s + told.period_s
  WHERE told.period_s > 0 AND told.period_s <= $sample_longest_s
  GROUP BY told.asset, told.time, told.time_s, told.period_s, told.used_ratio, told.path, told.line, told.byte_offset
)
SELECT
  'listing' AS kind, asset, time, time_s, period_s, cpu_count, started_count, spent_cpus, visible_cpus,
  path, line, byte_offset
FROM ranked
WHERE place <= $windows_most_count
UNION ALL
SELECT
  'provider' AS kind, asset, time, time_s, period_s, cpu_count, CAST(NULL AS BIGINT) AS started_count,
  used_ratio * cpu_count AS spent_cpus, own_ratio * cpu_count AS visible_cpus, path, line, byte_offset
FROM beside
WHERE covered_s >= $covered_ratio * period_s
