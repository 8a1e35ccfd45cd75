WITH calls AS (
  SELECT
    time, actor, access_key, src_ip, user_agent, service, operation, region, error_code, error_message,
    request, response, event_uid, path, line, frame, byte_offset,
    account,
    principal
  FROM api_activity
  WHERE operation IN (
    'StopLogging', 'DeleteTrail', 'UpdateTrail', 'PutEventSelectors', 'DeleteEventDataStore', 'StopEventDataStoreIngestion',
    'DeleteFlowLogs', 'DeleteDetector', 'UpdateDetector', 'CreateFilter', 'UpdateFilter', 'CreateIPSet',
    'DisassociateFromAdministratorAccount', 'DisassociateFromMasterAccount', 'DisassociateMembers', 'DeleteMembers',
    'StopMonitoringMembers', 'DisableOrganizationAdminAccount', 'DeletePublishingDestination',
    'DeleteResolverQueryLogConfig', 'DisassociateResolverQueryLogConfig', 'StopConfigurationRecorder',
    'DeleteConfigurationRecorder', 'DeleteDeliveryChannel', 'DeleteLogGroup', 'DeleteLogStream', 'DeleteAlarms',
    'DisableAlarmActions', 'DisableSecurityHub', 'BatchDisableStandards', 'DeleteBudget', 'DeleteAnomalyMonitor',
    'DeleteAnomalySubscription', 'DeleteVpc', 'LeaveOrganization', 'PutBucketLifecycle', 'PutBucketLifecycleConfiguration',
    'PutBucketLogging', 'DeleteAnalyzer', 'DisableMacie', 'UpdateMacieSession', 'CreateTrail', 'CreateFlowLogs',
    'CreateDetector'
  )
),
ranked AS (
  SELECT
    *,
    row_number() OVER (PARTITION BY account, principal, operation ORDER BY time, path, line, byte_offset) AS position
  FROM calls
)
SELECT * FROM ranked
WHERE position <= $rows_count
ORDER BY account, principal, time, path, line, byte_offset
