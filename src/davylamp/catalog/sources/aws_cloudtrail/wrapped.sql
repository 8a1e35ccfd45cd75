-- The event inside what carries it: EventBridge, CloudWatch Logs, `aws cloudtrail lookup-events`,
-- CloudTrail Lake, other tools' stores.
WITH carried AS (
  SELECT
    text,
    TRY(json_transform(text, '{
      "event": "JSON", "detail": "JSON", "message": "VARCHAR", "CloudTrailEvent": "VARCHAR", "eventJson": "VARCHAR"
    }')) AS carrier,
    TRY(list_concat(
      json_extract_string(text, '$.Events[*].CloudTrailEvent'),
      json_extract_string(text, '$.logEvents[*].message'),
      json_extract_string(text, '$.events[*].message'),
      json_extract_string(text, '$.QueryResultRows[*][*].eventJson')
    )) AS carried_texts,
    line, byte_offset
  FROM records
  -- CloudWatch Logs asks a subscriber for a sign of life now and then.
  WHERE NOT regexp_matches(text, '"messageType"\s*:\s*"CONTROL_MESSAGE"')
),
texts AS (
  SELECT
    unnest(coalesce(
      nullif(carried_texts, []),
      [coalesce(
        carrier.event ->> '$.original', carrier.event::VARCHAR, carrier.detail::VARCHAR, carrier.message,
        carrier."CloudTrailEvent", carrier."eventJson", text
      )]
    )) AS text,
    line, byte_offset
  FROM carried
),
