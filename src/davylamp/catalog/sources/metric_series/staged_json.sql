-- Answers of `aws cloudwatch get-metric-data` and `get-metric-statistics`: one sample a row.
WITH answers AS MATERIALIZED (
  SELECT
    TRY(json_transform(text, '{
      "MetricDataResults": [{"Id": "VARCHAR", "Label": "VARCHAR", "Timestamps": ["VARCHAR"], "Values": ["VARCHAR"]}],
      "Label": "VARCHAR",
      "Datapoints": [{
        "Timestamp": "VARCHAR", "Average": "VARCHAR", "Maximum": "VARCHAR", "Minimum": "VARCHAR",
        "Sum": "DOUBLE", "SampleCount": "DOUBLE", "Unit": "VARCHAR"
      }]
    }')) AS answer,
    line, byte_offset
  FROM records
),
results AS (
  SELECT unnest(answer."MetricDataResults") AS result, line, byte_offset FROM answers
),
points AS (
  SELECT answer."Label" AS label, unnest(answer."Datapoints") AS point, line, byte_offset FROM answers
),
samples AS (
  SELECT
    unnest(result."Timestamps") AS time_text, unnest(result."Values") AS value_text, NULL::VARCHAR AS unit,
    result."Label" AS label, concat_ws(' ', result."Label", result."Id") AS names, line, byte_offset
  FROM results
  UNION ALL
  SELECT
    point."Timestamp",
    coalesce(
      point."Average", point."Maximum", (point."Sum" / nullif(point."SampleCount", 0))::VARCHAR, point."Minimum"
    ),
    point."Unit", label, label, line, byte_offset
  FROM points
)
SELECT
  time_text, value_text, unit,
  -- A label that only names the metric tells no series from another.
  CASE WHEN NOT regexp_full_match(label, '(?i)cpu[ _]?utili[sz]ation') THEN label END AS series,
  nullif(regexp_extract(label, '\bi-[0-9a-f]{8,17}\b'), '') AS instance_uid,
  NULL::VARCHAR AS shape_fault,
  line, byte_offset
FROM samples
-- A label names the metric, or only what tells the series apart; then the query's id may name the metric.
WHERE regexp_matches(names, '(?i)cpu') AND NOT regexp_matches(names, '{not_load}')
  OR regexp_matches(label, '^i-[0-9a-f]{8,17}\b') AND NOT regexp_matches(names, '{metric}')
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, 'no metric data, or damaged', line, byte_offset
FROM answers
WHERE answer."MetricDataResults" IS NULL AND answer."Datapoints" IS NULL
