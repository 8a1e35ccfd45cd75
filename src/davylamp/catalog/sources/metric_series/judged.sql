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
    count(*) AS samples_count,
    round(max(used_percent) FILTER (WHERE isfinite(used_percent)), 1)::VARCHAR AS most_percent,
    -- CPU percent ends at 100; real exports go slightly above, and one damaged sample must not cost a series.
    count(*) FILTER (WHERE isfinite(used_percent) AND used_percent > 105) > count(*) * 0.001 AS is_other_metric
  FROM typed
  GROUP BY series, instance_uid
)
