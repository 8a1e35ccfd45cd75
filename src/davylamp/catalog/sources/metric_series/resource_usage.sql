-- `staged` holds one sample a row, as text. A series is judged as a whole before its samples are believed.
WITH typed AS (
  SELECT
    *,
    CASE
      -- Seconds, milliseconds, microseconds or nanoseconds since 1970: today's instants tell them apart by length.
      WHEN regexp_full_match(time_text, '[0-9]{9,10}(\.[0-9]+)?') THEN make_timestamp((time_text::DOUBLE * 1e6)::BIGINT)
      WHEN regexp_full_match(time_text, '[0-9]{12,13}') THEN make_timestamp(time_text::BIGINT * 1000)
      WHEN regexp_full_match(time_text, '[0-9]{15,16}') THEN make_timestamp(time_text::BIGINT)
      WHEN regexp_full_match(time_text, '[0-9]{18,19}') THEN make_timestamp(TRY_CAST(time_text AS BIGINT) // 1000)
      -- A cast to TIMESTAMP ignores an offset.
      WHEN regexp_matches(time_text, ':[0-9]{2}(\.[0-9]+)? ?[+-][0-9]{2}:?[0-9]{2}$')
        THEN make_timestamp(epoch_us(TRY_CAST(time_text AS TIMESTAMPTZ)))
      WHEN regexp_matches(time_text, '^[0-9]{4}[-/]') THEN TRY_CAST(replace(time_text, '/', '-') AS TIMESTAMP)
    END AS sampled_at,
    TRY_CAST(value_text AS DOUBLE) AS used_percent
  FROM staged
),
judged AS (
  SELECT
    series, instance_uid,
    max(used_percent) FILTER (WHERE isfinite(used_percent)) AS most_percent,
    -- CPU percent ends at 100; real exports go slightly above, and one damaged sample must not cost a series.
    count(*) FILTER (WHERE isfinite(used_percent) AND used_percent > 105) > count(*) * 0.001 AS is_other_metric
  FROM typed
  GROUP BY series, instance_uid
)
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
      THEN 'no CPU percentage: the series reaches ' || round(judged.most_percent, 1)::VARCHAR
    WHEN typed.used_percent NOT BETWEEN 0 AND 105 THEN 'the value lies outside 0 to 105 percent'
  END AS reject
FROM typed
JOIN judged
  ON typed.series IS NOT DISTINCT FROM judged.series AND typed.instance_uid IS NOT DISTINCT FROM judged.instance_uid
