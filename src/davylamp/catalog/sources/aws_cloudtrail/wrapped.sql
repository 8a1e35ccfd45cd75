-- The event inside what carries it: EventBridge, CloudWatch Logs, `aws cloudtrail lookup-events`, other tools' stores.
WITH carried AS (
  SELECT
    text,
    TRY(json_transform(text, '{
      "event": "JSON", "detail": "JSON", "message": "VARCHAR", "CloudTrailEvent": "VARCHAR"
    }')) AS carrier,
    TRY(list_concat(
      json_extract_string(text, '$.Events[*].CloudTrailEvent'),
      json_extract_string(text, '$.logEvents[*].message'),
      json_extract_string(text, '$.events[*].message')
    )) AS carried_texts,
    line, byte_offset
  FROM records
),
texts AS (
  SELECT
    unnest(coalesce(
      nullif(carried_texts, []),
      [coalesce(carrier.event::VARCHAR, carrier.detail::VARCHAR, carrier.message, carrier."CloudTrailEvent", text)]
    )) AS text,
    line, byte_offset
  FROM carried
),
