WITH calls AS (
  SELECT
    time, actor, access_key, src_ip, user_agent, service, operation, region, error_code, error_message,
    request, response, event_uid, path, line, frame, byte_offset,
    account,
    principal
    , CAST(floor(epoch(time) / 86400) AS BIGINT) AS day
  FROM api_activity
  WHERE operation IN (
      'CreateUser', 'CreateAccessKey', 'CreateLoginProfile', 'UpdateLoginProfile', 'AttachUserPolicy', 'AttachRolePolicy',
      'AttachGroupPolicy', 'PutUserPolicy', 'PutRolePolicy', 'PutGroupPolicy', 'AddUserToGroup', 'UpdateAssumeRolePolicy',
      'CreateRole', 'CreatePolicyVersion', 'SetDefaultPolicyVersion', 'CreateSAMLProvider', 'CreateOpenIDConnectProvider', 'CreateTrustAnchor',
      'GetFederationToken',
      'ImportKeyPair', 'CreateKeyPair', 'VerifyEmailIdentity', 'VerifyDomainIdentity', 'CreateEmailIdentity',
      'PutAccountDetails', 'UpdateAccountSendingEnabled', 'PutAccountSendingAttributes', 'CreateSMTPCredential'
    )
    OR (service LIKE 'lambda.%' AND (operation LIKE 'AddPermission%' OR operation LIKE 'CreateFunctionUrlConfig%'
      OR operation LIKE 'UpdateFunctionUrlConfig%'))
),
ranked AS (
  SELECT
    *,
    row_number() OVER (PARTITION BY account, principal, operation ORDER BY time, path, line, byte_offset) AS position,
    count(*) OVER (PARTITION BY account, principal, operation) AS calls_count
  FROM calls
),
days AS (
  SELECT account, principal, count(DISTINCT day) AS days_count FROM calls GROUP BY account, principal
)
SELECT ranked.*, days.days_count
FROM ranked
JOIN days ON ranked.account = days.account AND ranked.principal = days.principal
WHERE ranked.position <= $rows_count
ORDER BY ranked.account, ranked.principal, ranked.time, ranked.path, ranked.line, ranked.byte_offset
