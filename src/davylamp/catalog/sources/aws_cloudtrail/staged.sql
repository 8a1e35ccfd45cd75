-- `texts` holds one CloudTrail event a row. Each text is parsed once; damaged text parses to null.
parsed AS (
  SELECT
    TRY(json_transform(text, '{
      "eventTime": "VARCHAR", "eventSource": "VARCHAR", "eventName": "VARCHAR", "awsRegion": "VARCHAR",
      "sourceIPAddress": "VARCHAR", "userAgent": "VARCHAR", "errorCode": "VARCHAR", "errorMessage": "VARCHAR",
      "eventID": "VARCHAR", "eventType": "VARCHAR", "eventCategory": "VARCHAR", "readOnly": "BOOLEAN",
      "recipientAccountId": "VARCHAR", "digestStartTime": "VARCHAR",
      "requestParameters": "JSON", "responseElements": "JSON", "resources": [{"ARN": "VARCHAR"}],
      "userIdentity": {
        "type": "VARCHAR", "arn": "VARCHAR", "principalId": "VARCHAR", "accountId": "VARCHAR",
        "accessKeyId": "VARCHAR", "userName": "VARCHAR", "invokedBy": "VARCHAR",
        "sessionContext": {"sessionIssuer": {"userName": "VARCHAR", "accountId": "VARCHAR"}}
      }
    }')) AS event,
    line, byte_offset
  FROM texts
),
flat AS (
  SELECT
    event,
    event.userIdentity AS identity,
    event.userIdentity.sessionContext.sessionIssuer AS issuer,
    -- A cast to TIMESTAMP ignores an offset, and only exports by other tools write one.
    CASE
      WHEN NOT ends_with(event.eventTime, 'Z') AND regexp_matches(event.eventTime, '[+-][0-9]{2}:?[0-9]{2}$')
        THEN make_timestamp(epoch_us(TRY_CAST(event.eventTime AS TIMESTAMPTZ)))
      WHEN event.eventTime[1:1] BETWEEN '0' AND '9' THEN TRY_CAST(event.eventTime AS TIMESTAMP)
    END AS called_at,
    -- CloudTrail Lake and stores of other tools hold these two as JSON in a string.
    nullif(CASE WHEN starts_with(event.requestParameters::VARCHAR, '"') AND json_valid(event.requestParameters ->> '$')
      THEN event.requestParameters ->> '$' ELSE event.requestParameters::VARCHAR END, 'null') AS request,
    nullif(CASE WHEN starts_with(event.responseElements::VARCHAR, '"') AND json_valid(event.responseElements ->> '$')
      THEN event.responseElements ->> '$' ELSE event.responseElements::VARCHAR END, 'null') AS response,
    line, byte_offset
  FROM parsed
)
SELECT
  called_at AS "time",
  coalesce(
    identity.arn,
    -- The same form as the ARN that most services record for an assumed role.
    CASE WHEN identity.type = 'AssumedRole' AND issuer.userName IS NOT NULL THEN
      'arn:aws:sts::' || coalesce(issuer.accountId, identity.accountId, '') || ':assumed-role/' || issuer.userName
      || '/' || coalesce(nullif(split_part(identity.principalId, ':', 2), ''), '') END,
    identity.userName, identity.invokedBy, identity.principalId, identity.accountId
  ) AS actor,
  identity.type AS actor_type,
  nullif(identity.accessKeyId, '') AS access_key,
  event.sourceIPAddress AS src_ip,
  event.userAgent AS user_agent,
  event.eventSource AS service,
  event.eventName AS operation,
  event.awsRegion AS region,
  coalesce(event.recipientAccountId, identity.accountId) AS account_uid,
  event.errorCode AS error_code,
  event.errorMessage AS error_message,
  -- Most calls name no resource: asking that first spares the building and sorting of empty lists.
  CASE WHEN len(event.resources) > 0 OR contains(request, '"i-') OR contains(response, '"i-') THEN
    nullif(list_sort(list_distinct(list_concat(
      list_transform(event.resources, lambda resource: resource.ARN),
      CASE WHEN contains(request, '"i-') THEN regexp_extract_all(request, '"(i-[0-9A-Za-z]{8,17})"', 1) END,
      CASE WHEN contains(response, '"i-') THEN regexp_extract_all(response, '"(i-[0-9A-Za-z]{8,17})"', 1) END
    ))), [])
  END AS resources,
  request,
  response,
  event.eventID AS event_uid,
  event.readOnly AS read_only,
  line,
  byte_offset,
  CASE
    WHEN event IS NULL THEN 'no JSON object, or damaged'
    WHEN event.digestStartTime IS NOT NULL THEN 'a digest of CloudTrail: it vouches for log files and holds no event'
    WHEN event.eventCategory = 'Insight' OR event.eventType = 'AwsCloudTrailInsight'
      THEN 'an insight event of CloudTrail: a statement about a rate of calls, not a call'
    WHEN event.eventName IS NULL OR event.eventSource IS NULL THEN 'no CloudTrail event: eventName or eventSource is missing'
    WHEN event.eventTime IS NULL THEN 'eventTime is missing'
    WHEN called_at IS NULL THEN 'eventTime is no time'
    -- 2100: later stamps are damage, and year 9999 is where calendars of other tools end.
    WHEN called_at < TIMESTAMP '1970-01-01' OR called_at >= TIMESTAMP '2100-01-01'
      THEN 'eventTime lies outside 1970 to 2100'
  END AS reject
FROM flat
