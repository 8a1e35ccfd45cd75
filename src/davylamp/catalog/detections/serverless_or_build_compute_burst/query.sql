WITH calls AS (
  SELECT
    time, actor, access_key, src_ip, user_agent, service, operation, region, error_code, request, response, event_uid,
    path, line, frame, byte_offset,
    account,
    principal,
    CASE
      WHEN service LIKE 'codebuild.%' AND regexp_matches(operation, '^(CreateProject|CreateFleet|StartBuild|StartBuildBatch|StartSandbox)$')
        THEN 'CodeBuild'
      WHEN service LIKE 'sagemaker.%' AND regexp_matches(operation,
        '^(Create(NotebookInstance|TrainingJob|ProcessingJob|TransformJob|HyperParameterTuningJob|Endpoint|EndpointConfig|App|Space|Cluster|NotebookInstanceLifecycleConfig|StudioLifecycleConfig)|StartNotebookInstance|UpdateNotebookInstanceLifecycleConfig)$')
        THEN 'SageMaker'
      WHEN service LIKE 'amplify.%' AND regexp_matches(operation, '^(CreateApp|CreateBranch|StartJob|StartDeployment)$') THEN 'Amplify'
      WHEN service LIKE 'batch.%' AND regexp_matches(operation, '^(CreateComputeEnvironment|UpdateComputeEnvironment|SubmitJob)$') THEN 'Batch'
      WHEN service LIKE 'lightsail.%' AND regexp_matches(operation, '^(CreateInstances|CreateInstancesFromSnapshot|CreateContainerService|CreateContainerServiceDeployment|UpdateContainerService)$')
        THEN 'Lightsail'
      WHEN service LIKE 'glue.%' AND regexp_matches(operation, '^(CreateJob|StartJobRun|CreateDevEndpoint|CreateSession|RunStatement)$') THEN 'Glue'
      WHEN service LIKE 'lambda.%' AND regexp_matches(operation, '^(CreateFunction([0-9]|$)|PutFunctionConcurrency|PutProvisionedConcurrencyConfig|UpdateFunctionConfiguration)')
        AND (operation NOT LIKE 'Update%' OR request LIKE '%"memorySize"%')
        THEN 'Lambda'
      WHEN service LIKE 'elasticmapreduce.%' AND regexp_matches(operation, '^(RunJobFlow|AddInstanceGroups|AddInstanceFleet)$') THEN 'EMR'
      WHEN service LIKE 'emr-serverless.%' AND regexp_matches(operation, '^(CreateApplication|StartApplication|StartJobRun)$') THEN 'EMR Serverless'
      WHEN service LIKE 'apprunner.%' AND regexp_matches(operation, '^(CreateService|UpdateService)$') THEN 'App Runner'
      WHEN service LIKE 'cloud9.%' AND operation = 'CreateEnvironmentEC2' THEN 'Cloud9'
      WHEN service LIKE 'elasticbeanstalk.%' AND operation = 'CreateEnvironment' THEN 'Elastic Beanstalk'
      WHEN service LIKE 'gamelift.%' AND regexp_matches(operation, '^(CreateFleet|UpdateFleetCapacity)$') THEN 'GameLift'
      WHEN service LIKE 'appstream.%' AND regexp_matches(operation, '^(CreateFleet|StartFleet|CreateImageBuilder)$') THEN 'AppStream'
      WHEN service LIKE 'workspaces.%' AND operation = 'CreateWorkspaces' THEN 'WorkSpaces'
      WHEN service LIKE 'deadline.%' AND regexp_matches(operation, '^(CreateFleet|CreateJob)$') THEN 'Deadline Cloud'
      WHEN service LIKE 'imagebuilder.%' AND operation = 'StartImagePipelineExecution' THEN 'Image Builder'
    END AS product
  FROM api_activity
  WHERE regexp_matches(
      service,
      '^(codebuild|sagemaker|amplify|batch|lightsail|glue|lambda|elasticmapreduce|emr-serverless|apprunner|cloud9|elasticbeanstalk|gamelift|appstream|workspaces|deadline|imagebuilder)[.]'
    )
    AND NOT read_only IS TRUE
    AND (
      coalesce(src_ip, '') NOT LIKE '%.amazonaws.com'
      OR src_ip IN ('cloudformation.amazonaws.com', 'lambda.amazonaws.com')
    )
),
compute AS (
  SELECT
    *,
    CAST(floor(epoch(time) / 3600) AS BIGINT) AS hour,
    CAST(floor(epoch(time) / 86400) AS BIGINT) AS day
  FROM calls
  WHERE product IS NOT NULL
),
hours AS (
  SELECT account, principal, product, hour, day, count(*) AS hour_calls_count
  FROM compute
  GROUP BY account, principal, product, hour, day
),
-- Regions in which the account had not used the product on any earlier day.
spread AS (
  SELECT c.account, c.principal, c.product, c.hour, count(DISTINCT c.region) AS new_regions_count
  FROM compute AS c
  JOIN (SELECT account, product, region, min(hour) AS first_hour FROM compute GROUP BY account, product, region) AS r
    ON r.account = c.account AND r.product = c.product AND r.region = c.region
  WHERE r.first_hour > c.hour - $apart_hours
  GROUP BY c.account, c.principal, c.product, c.hour
),
products AS (
  SELECT account, product, min(hour) AS product_first_hour FROM hours GROUP BY account, product
),
own AS (
  SELECT account, principal, product, min(hour) AS own_first_hour FROM hours GROUP BY account, principal, product
),
began AS (
  SELECT
    account,
    CAST(floor(epoch(min(time)) / 3600) AS BIGINT) AS first_hour
  FROM api_activity
  GROUP BY 1
),
judged AS (
  SELECT
    hours.account, hours.principal, hours.product, hours.hour,
    min(hours.hour_calls_count) AS hour_calls_count,
    min(hours.hour) - min(began.first_hour) AS history_hours,
    min(hours.hour) - min(products.product_first_hour) AS product_age_hours,
    min(hours.hour) - min(own.own_first_hour) AS own_age_hours,
    count(DISTINCT earlier.day) AS earlier_days_count,
    coalesce(max(earlier.hour_calls_count), 0) AS earlier_calls_max_count
  FROM hours
  JOIN products ON hours.account = products.account AND hours.product = products.product
  JOIN own
    ON hours.account = own.account AND hours.principal = own.principal AND hours.product = own.product
  JOIN began ON hours.account = began.account
  LEFT JOIN (
    SELECT account, product, day, max(hour_calls_count) AS hour_calls_count, min(hour) AS hour
    FROM hours
    GROUP BY account, product, day
  ) AS earlier
    ON hours.account = earlier.account AND hours.product = earlier.product AND earlier.hour <= hours.hour - $apart_hours
  GROUP BY hours.account, hours.principal, hours.product, hours.hour
),
looked_at AS (
  SELECT judged.*
  FROM judged
  LEFT JOIN spread
    ON spread.account = judged.account AND spread.principal = judged.principal AND spread.product = judged.product
    AND spread.hour = judged.hour
  WHERE earlier_days_count < $steady_days_count
    OR coalesce(spread.new_regions_count, 0) >= $new_regions_count
    OR hour_calls_count >= $burst_calls_count
    AND (hour_calls_count >= 3 * earlier_calls_max_count OR own_age_hours < $apart_hours)
),
cited AS (
  SELECT
    compute.*, looked_at.hour_calls_count, looked_at.history_hours, looked_at.product_age_hours,
    looked_at.earlier_days_count, looked_at.earlier_calls_max_count,
    row_number() OVER (
      PARTITION BY compute.account, compute.principal, compute.product
      ORDER BY time, path, line, byte_offset
    ) AS position
  FROM compute
  JOIN looked_at
    ON compute.account = looked_at.account AND compute.principal = looked_at.principal
    AND compute.product = looked_at.product AND compute.hour = looked_at.hour
)
SELECT * FROM cited
WHERE position <= $rows_count
ORDER BY account, principal, product, position
