-- One row per hour of each CPU series, with its five-minute means in twelve columns: a twelfth of the
-- rows that leave the engine otherwise. Series too short to judge, or that never moved, stay inside.
WITH bucket AS (
    SELECT
        asset,
        coalesce(series, '') AS series,
        path,
        CAST(floor(epoch(time) / 300) AS BIGINT) AS slot,
        avg(CASE WHEN used_ratio < 0 THEN 0.0 WHEN used_ratio > 1 THEN 1.0 ELSE used_ratio END) AS used_ratio,
        count(*) AS records_count,
        min(line) AS line,
        min(byte_offset) AS byte_offset
    FROM resource_usage
    WHERE metric = 'cpu' AND used_ratio IS NOT NULL AND time IS NOT NULL AND asset IS NOT NULL
    GROUP BY asset, coalesce(series, ''), path, CAST(floor(epoch(time) / 300) AS BIGINT)
),
moving AS (
    SELECT asset, series
    FROM bucket
    GROUP BY asset, series
    HAVING (max(slot) - min(slot)) * 300 >= $judged_after_s AND max(used_ratio) - min(used_ratio) > $slow_rise_ratio
)
SELECT
    bucket.asset AS asset,
    bucket.series AS series,
    bucket.path AS path,
    CAST(floor(slot / 12) AS BIGINT) * 3600 AS hour_s,
    CAST(sum(records_count) AS BIGINT) AS records_count,
    min(line) AS line,
    min(byte_offset) AS byte_offset,
    max(CASE WHEN slot % 12 = 0 THEN used_ratio END) AS used_00_ratio,
    max(CASE WHEN slot % 12 = 1 THEN used_ratio END) AS used_05_ratio,
    max(CASE WHEN slot % 12 = 2 THEN used_ratio END) AS used_10_ratio,
    max(CASE WHEN slot % 12 = 3 THEN used_ratio END) AS used_15_ratio,
    max(CASE WHEN slot % 12 = 4 THEN used_ratio END) AS used_20_ratio,
    max(CASE WHEN slot % 12 = 5 THEN used_ratio END) AS used_25_ratio,
    max(CASE WHEN slot % 12 = 6 THEN used_ratio END) AS used_30_ratio,
    max(CASE WHEN slot % 12 = 7 THEN used_ratio END) AS used_35_ratio,
    max(CASE WHEN slot % 12 = 8 THEN used_ratio END) AS used_40_ratio,
    max(CASE WHEN slot % 12 = 9 THEN used_ratio END) AS used_45_ratio,
    max(CASE WHEN slot % 12 = 10 THEN used_ratio END) AS used_50_ratio,
    max(CASE WHEN slot % 12 = 11 THEN used_ratio END) AS used_55_ratio
FROM bucket
JOIN moving ON moving.asset = bucket.asset AND moving.series = bucket.series
GROUP BY bucket.asset, bucket.series, bucket.path, CAST(floor(slot / 12) AS BIGINT)
