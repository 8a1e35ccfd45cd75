-- Follows judged.sql: the samples of the series that were judged there.
SELECT
  typed.sampled_at AS "time",
  'cpu' AS metric,
  typed.used_percent / 100 AS used_ratio,
  typed.series AS series,
  typed.instance_uid AS instance_uid,
  typed.line AS line,
  typed.byte_offset AS byte_offset,
  CASE
    WHEN typed.shape_fault IS NOT NULL THEN typed.shape_fault
    WHEN typed.sampled_at IS NULL THEN 'the time is none that can be read'
    -- 2100: later stamps are damage, and year 9999 is where calendars of other tools end.
    WHEN typed.sampled_at < TIMESTAMP '1970-01-01' OR typed.sampled_at >= TIMESTAMP '2100-01-01'
      THEN 'the time lies outside 1970 to 2100'
    WHEN typed.unit <> '' AND lower(typed.unit) NOT IN ('percent', '%') THEN 'the unit is not percent'
    WHEN typed.used_percent IS NULL OR NOT isfinite(typed.used_percent) THEN 'the value is no number'
    WHEN judged.is_other_metric
      THEN 'no CPU percentage: the series reaches ' || judged.most_percent
    WHEN typed.used_percent NOT BETWEEN 0 AND 105 THEN 'the value lies outside 0 to 105 percent'
  END AS reject
FROM typed
JOIN judged
  ON typed.series IS NOT DISTINCT FROM judged.series AND typed.instance_uid IS NOT DISTINCT FROM judged.instance_uid
{kept}
