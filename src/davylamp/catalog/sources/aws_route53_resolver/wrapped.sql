-- Records as CloudWatch Logs hands them out: text inside an event, or inside a list of events.
WITH carried AS (
  SELECT
    text,
    TRY(json_extract_string(text, '$.message')) AS message,
    TRY(list_concat(
      json_extract_string(text, '$.logEvents[*].message'), json_extract_string(text, '$.events[*].message')
    )) AS messages,
    line, byte_offset
  FROM records
),
texts AS (
  SELECT unnest(coalesce(nullif(messages, []), [coalesce(message, text)])) AS text, line, byte_offset
  FROM carried
),
