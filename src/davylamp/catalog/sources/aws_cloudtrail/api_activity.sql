SELECT
  "time", actor, actor_type, access_key, src_ip, user_agent, service, operation, region, account_uid, error_code,
  error_message, resources, request, response, event_uid, read_only, line, byte_offset
FROM staged
WHERE reject IS NULL
