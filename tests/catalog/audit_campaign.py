"""The cloud campaign of November 2025, rebuilt as CloudTrail records in any order and pace, amid an account's own work.

Shapes of requests and answers follow the services' documented forms; every name, key and address is made up
(documentation ranges, example accounts).
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

ACCOUNT = "123456789012"
START = datetime(2026, 3, 2, tzinfo=UTC)
REGIONS = (
    "us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1", "eu-central-1", "eu-north-1",
    "ap-south-1", "ap-southeast-1", "ap-northeast-1", "sa-east-1", "ca-central-1",
)  # fmt: skip
Record = dict[str, object]


class Caller:
    """One principal: builds its records."""

    def __init__(self, arn: str, key: str, ip: str, kind: str = "IAMUser") -> None:
        self._identity = {"type": kind, "arn": arn, "accountId": ACCOUNT, "accessKeyId": key}
        self._ip = ip
        self.arn = arn
        self._count = 0

    def call(
        self,
        at: datetime,
        service: str,
        operation: str,
        region: str = "us-east-1",
        request: Mapping[str, object] | None = None,
        response: Mapping[str, object] | None = None,
        error: str | None = None,
    ) -> Record:
        """One CloudTrail record."""
        self._count += 1
        record: Record = {
            "eventVersion": "1.09",
            "userIdentity": dict(self._identity),
            "eventTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventSource": f"{service}.amazonaws.com",
            "eventName": operation,
            "awsRegion": region,
            "sourceIPAddress": self._ip,
            "userAgent": "Boto3/1.35.0",
            "requestParameters": request,
            "responseElements": response,
            "eventID": f"{self.arn.rpartition('/')[2]}-{self._count}",
            "readOnly": operation.startswith(("Describe", "Get", "List")),
            "eventType": "AwsApiCall",
            "recipientAccountId": ACCOUNT,
        }
        if error:
            record["errorCode"] = error
        return record

    def run_instances(
        self, at: datetime, kind: str, count: int, region: str = "us-east-1", group: str = "", seed: int = 0
    ) -> Record:
        """A launch that succeeds."""
        ids = [f"i-{(seed * 4099 + int(at.timestamp()) * 131 + index) % 16**17:017x}" for index in range(count)]
        tags = [{"key": "aws:autoscaling:groupName", "value": group}] if group else [{"key": "Name", "value": "node"}]
        asked = {
            "instancesSet": {"items": [{"imageId": "ami-0abcdef1234567890", "minCount": count, "maxCount": count}]},
            "instanceType": kind,
            "tagSpecificationSet": {"items": [{"resourceType": "instance", "tags": tags}]},
        }
        items = [{"instanceId": one, "instanceType": kind, "currentState": {"code": 0}} for one in ids]
        answer = {"reservationId": f"r-{int(at.timestamp()):017x}", "instancesSet": {"items": items}}
        return self.call(at, "ec2", "RunInstances", region, asked, answer)


def thief() -> Caller:
    """The holder of a stolen key."""
    return Caller(f"arn:aws:iam::{ACCOUNT}:user/app-backup", "AKIAEXAMPLETHIEF0001", "198.51.100.77")


def pipeline() -> Caller:
    """What deploys for the owner, every week."""
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/Deploy/build-1"
    return Caller(arn, "ASIAEXAMPLEDEPLOY001", "203.0.113.20", "AssumedRole")


def aws_service(name: str, role: str) -> Caller:
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}"
    return Caller(arn, "ASIAEXAMPLESERVICE01", f"{name}.amazonaws.com", "AssumedRole")


def own_work(days: int = 28, start: datetime = START) -> list[Record]:
    """An account's own month: a pipeline, autoscaling, a quota monitor, builds, an administrator, a teardown."""
    return sorted(_own_work(days, start), key=lambda record: str(record["eventTime"]))


def _own_work(days: int, start: datetime) -> Iterator[Record]:
    deploy, scaling = pipeline(), aws_service("autoscaling", "AWSServiceRoleForAutoScaling")
    monitor = Caller(f"arn:aws:sts::{ACCOUNT}:assumed-role/QuotaMonitor/run", "ASIAEXAMPLEMONITOR01", "203.0.113.21")
    karpenter = Caller(f"arn:aws:sts::{ACCOUNT}:assumed-role/Karpenter/k", "ASIAEXAMPLEKARP0001", "203.0.113.22")
    admin = Caller(
        f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/ann",
        "ASIAEXAMPLEADMIN0001",
        "203.0.113.5",
    )
    for day in range(days):
        at = start + timedelta(days=day, hours=9)
        for hour in range(0, 24, 4):
            moment = start + timedelta(days=day, hours=hour)
            yield scaling.run_instances(moment, "m5.large", 2 + hour % 3, group="web", seed=day)
            asked = {"dryRun": True, "instanceType": "m5.large"}
            yield karpenter.call(moment, "ec2", "RunInstances", request=asked, error="Client.DryRunOperation")
        for build in range(6):
            moment = at + timedelta(minutes=40 * build)
            yield deploy.call(moment, "codebuild", "StartBuild", request={"projectName": "site"})
            yield deploy.call(
                moment, "ecs", "RegisterTaskDefinition", request=own_task(8192), response={"revision": day}
            )
            yield deploy.call(moment, "lambda", "UpdateFunctionCode20150331v2", request={"functionName": "api"})
        for region in REGIONS:
            yield monitor.call(at, "servicequotas", "GetServiceQuota", region,
                               {"serviceCode": "ec2", "quotaCode": "L-1216C47A"})  # fmt: skip
        if day % 7 == 1:
            yield deploy.run_instances(at, "m5.xlarge", 12, seed=day)
        if day % 9 == 4:
            yield admin.call(at, "iam", "CreateUser", request={"userName": f"colleague{day}"})
            yield admin.run_instances(at, "t3.micro", 1, seed=day)
        if day % 10 == 6:
            yield deploy.call(at, "ec2", "DeleteFlowLogs", request={"flowLogId": "fl-1"})
            yield deploy.call(at, "ec2", "DeleteVpc", request={"vpcId": "vpc-1"})


def own_task(units: int) -> dict[str, object]:
    """A large task definition with an image of the account's own."""
    image = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/batch:5"
    return {
        "family": "batch",
        "cpu": str(units),
        "memory": "16384",
        "containerDefinitions": [{"name": "b", "image": image}],
    }


def quota(who: Caller, at: datetime, dice: random.Random) -> list[Record]:
    """Looks at quotas over regions."""
    regions = dice.sample(REGIONS, dice.randint(2, len(REGIONS)))
    places = [(region, code) for region in regions for code in ("L-1216C47A", "L-DB2E81BA")]
    return [
        who.call(
            at + timedelta(seconds=3 * index),
            "servicequotas",
            "GetServiceQuota",
            region,
            {"serviceCode": "ec2", "quotaCode": code},
        )
        for index, (region, code) in enumerate(places)
    ]


def dry_run(who: Caller, at: datetime, dice: random.Random) -> list[Record]:
    """Tests launch rights."""
    kind = dice.choice(("t3.micro", "c5.4xlarge", "g4dn.12xlarge"))
    asked = {"dryRun": True, "instanceType": kind, "instancesSet": {"items": [{"minCount": 1, "maxCount": 1}]}}
    return [
        who.call(
            at, "ec2", "RunInstances", region, asked, None, f"Client.{dice.choice(('DryRun', 'Unauthorized'))}Operation"
        )
        for region in dice.sample(REGIONS, dice.randint(1, 4))
    ]


def roles(who: Caller, at: datetime, dice: random.Random) -> list[Record]:
    """Roles for scaling and functions."""
    trust = (
        '{"Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
    )
    basic = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    return [
        who.call(at, "iam", "CreateServiceLinkedRole", request={"aWSServiceName": "autoscaling.amazonaws.com"}),
        who.call(at, "iam", "CreateRole", request={"roleName": "fn", "assumeRolePolicyDocument": trust}),
        who.call(at, "iam", "AttachRolePolicy", request={"roleName": "fn", "policyArn": basic}),
    ]


def key_pair(who: Caller, at: datetime, dice: random.Random) -> list[Record]:
    """Key pairs for machines to come."""
    return [
        who.call(at, "ec2", "CreateKeyPair", region, {"keyName": "k1"})
        for region in dice.sample(REGIONS, dice.randint(1, 5))
    ]


def clusters(who: Caller, at: datetime, dice: random.Random) -> list[Record]:
    """Container clusters in dozens."""
    return [
        who.call(at + timedelta(seconds=index), "ecs", "CreateCluster", request={"clusterName": f"c{index}"})
        for index in range(dice.randint(12, 55))
    ]


def task(who: Caller, at: datetime, dice: random.Random) -> list[Record]:
    """A full-size task from a public image, run ten times."""
    units = dice.choice((8192, 16384))
    asked = {
        "family": "web", "cpu": str(units), "memory": "32768", "requiresCompatibilities": ["FARGATE"],
        "containerDefinitions": [{"name": "web", "image": "someuser/secret:user", "essential": True}],
    }  # fmt: skip
    answer = {"taskDefinition": {"family": "web", "revision": 1}}
    service = {"cluster": "c1", "serviceName": "web", "taskDefinition": "web:1", "desiredCount": 10}
    return [
        who.call(at, "ecs", "RegisterTaskDefinition", request=asked, response=answer),
        who.call(at + timedelta(minutes=1), "ecs", "CreateService", request=service, response={"service": {}}),
    ]


def foothold(who: Caller, at: datetime, dice: random.Random) -> list[Record]:
    """A function open to all, and a user who may send mail."""
    mail = "arn:aws:iam::aws:policy/AmazonSESFullAccess"
    grant = {"functionName": "fn", "principal": "*", "action": "lambda:InvokeFunction", "statementId": "1"}
    key = {"accessKey": {"accessKeyId": "AKIAEXAMPLEMAIL00001", "userName": "user-x1x2x3x4"}}
    return [
        who.call(at, "lambda", "AddPermission20150331v2", request=grant),
        who.call(at, "iam", "CreateUser", request={"userName": "user-x1x2x3x4"}),
        who.call(at, "iam", "AttachUserPolicy", request={"userName": "user-x1x2x3x4", "policyArn": mail}),
        who.call(at, "iam", "CreateAccessKey", request={"userName": "user-x1x2x3x4"}, response=key),
    ]


def blinding(who: Caller, at: datetime, dice: random.Random) -> list[Record]:
    """Closes one eye."""
    service, operation, asked = dice.choice(
        (
            ("cloudtrail", "StopLogging", {"name": "main"}),
            ("guardduty", "UpdateDetector", {"detectorId": "d1", "enable": False}),
            ("ec2", "DeleteFlowLogs", {"DeleteFlowLogsRequest": {"FlowLogId": {"content": "fl-2"}}}),
        )
    )
    return [who.call(at, service, operation, request=asked)]


EARLY: tuple[Callable[[Caller, datetime, random.Random], list[Record]], ...] = (
    quota, dry_run, roles, key_pair, clusters, task, foothold, blinding,
)  # fmt: skip


def launch(who: Caller, at: datetime, dice: random.Random) -> list[Record]:
    """Machines, protected at once, and groups that would start many more."""
    region = dice.choice(REGIONS)
    machines = who.run_instances(at, dice.choice(("g5.12xlarge", "c5.24xlarge", "p3.8xlarge")), 12, region)
    answer = machines["responseElements"]
    assert isinstance(answer, dict)
    protections = [
        who.call(at + timedelta(seconds=20), "ec2", "ModifyInstanceAttribute", region,
                 {"instanceId": item["instanceId"], "disableApiTermination": {"value": True}})
        for item in answer["instancesSet"]["items"]
    ]  # fmt: skip
    groups = [
        who.call(at + timedelta(seconds=40 + index), "autoscaling", "CreateAutoScalingGroup", region,
                 {"autoScalingGroupName": f"g{index}", "minSize": 20, "maxSize": 999, "desiredCapacity": 20})
        for index in range(14)
    ]  # fmt: skip
    return [machines, *protections, *groups]


def early_stages(seed: int, begin: datetime) -> tuple[Sequence[Record], datetime]:
    """Two to eight early stages in any order, spread over ten minutes to ten days, and the instant of the launch."""
    dice = random.Random(seed)
    who = thief()
    pace_s = 600 * (1440 ** dice.random())
    chosen = dice.sample(EARLY, dice.randint(2, len(EARLY)))
    moments = sorted(dice.uniform(0, pace_s) for _ in chosen)
    records = [
        record
        for stage, offset in zip(chosen, moments, strict=True)
        for record in stage(who, begin + timedelta(seconds=offset), dice)
    ]
    return records, begin + timedelta(seconds=pace_s + 120)


def in_account(account: str, records: Sequence[Record]) -> list[Record]:
    """The same records as another account would have them."""
    moved: list[Record] = json.loads(json.dumps(records).replace(ACCOUNT, account))
    return moved


def new_region(at: datetime, seed: int = 0) -> list[Record]:
    """A pipeline that has worked for weeks opens a region, and takes part of it down the next day: nothing is wrong."""
    deploy, region = pipeline(), "eu-west-1"
    machines = deploy.run_instances(at + timedelta(minutes=5), "m6i.xlarge", 3, region, seed=seed)
    answer = machines["responseElements"]
    assert isinstance(answer, dict)
    ec2 = {"serviceCode": "ec2", "quotaCode": "L-1216C47A"}
    scaling: dict[str, object] = {"minSize": 3, "maxSize": 10, "desiredSize": 3}
    nodes: dict[str, object] = {"clusterName": "k", "instanceTypes": ["m6i.2xlarge"], "scalingConfig": scaling}
    key: dict[str, object] = {"accessKey": {"accessKeyId": "AKIAEXAMPLEDEPLOYER1", "userName": "deployer"}}
    policy = "arn:aws:iam::aws:policy/AmazonECS_FullAccess"
    calls: list[tuple[str, str, Mapping[str, object], Mapping[str, object] | None]] = [
        ("servicequotas", "GetServiceQuota", dict(ec2), None),
        ("servicequotas", "RequestServiceQuotaIncrease", {**ec2, "desiredValue": 256}, None),
        ("cloudtrail", "CreateTrail", {"name": region}, {"name": region}),
        ("iam", "CreateUser", {"userName": "deployer"}, None),
        ("iam", "AttachUserPolicy", {"userName": "deployer", "policyArn": policy}, None),
        ("iam", "CreateAccessKey", {"userName": "deployer"}, key),
        ("ecs", "CreateCluster", {"clusterName": "web"}, None),
        ("eks", "CreateNodegroup", nodes, None),
        ("autoscaling", "CreateAutoScalingGroup", {"autoScalingGroupName": "w", "minSize": 2, "maxSize": 12}, None),
        ("lambda", "CreateFunctionUrlConfig", {"functionName": "hook", "authType": "NONE"}, None),
        ("codebuild", "CreateProject", {"name": "image", "environment": {"computeType": "BUILD_GENERAL1_SMALL"}}, None),
    ]
    records = [
        deploy.call(at + timedelta(seconds=6 * number), service, operation, region, asked, answered)
        for number, (service, operation, asked, answered) in enumerate(calls)
    ]
    records += [
        deploy.call(at + timedelta(minutes=6), "ec2", "ModifyInstanceAttribute", region,
                    {"instanceId": item["instanceId"], "disableApiTermination": {"value": True}})
        for item in answer["instancesSet"]["items"]
    ]  # fmt: skip
    later = at + timedelta(days=1)
    gone = {"DeleteFlowLogsRequest": {"FlowLogId": {"content": "fl-7"}}}
    return [
        *records,
        machines,
        deploy.call(later, "cloudtrail", "DeleteTrail", region, {"name": region}),
        deploy.call(later, "ec2", "DeleteFlowLogs", region, gone),
        deploy.call(later + timedelta(seconds=9), "ec2", "DeleteVpc", region, {"vpcId": "vpc-7"}),
    ]


def large_rollout(at: datetime) -> list[Record]:
    """The same pipeline fills the new region with 15 large machines: more than ever before, and nothing is wrong."""
    deploy, region = pipeline(), "eu-west-1"
    nodes = {"instanceTypes": ["m6i.4xlarge"], "scalingConfig": {"minSize": 3, "maxSize": 40, "desiredSize": 12}}
    return [
        *new_region(at),
        deploy.call(at + timedelta(minutes=30), "eks", "CreateNodegroup", region, nodes),
        deploy.run_instances(at + timedelta(minutes=40), "r6i.4xlarge", 3, region, seed=77),
    ]


def pipeline_from(address: str) -> Caller:
    """The pipeline's role and key, used from somewhere."""
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/Deploy/build-1"
    return Caller(arn, "ASIAEXAMPLEDEPLOY001", address, "AssumedRole")


def container_theft(who: Caller, at: datetime) -> list[Record]:
    """55 clusters and, in one of them, ten tasks of full size: nothing else."""
    dice = random.Random(5)
    made = [
        who.call(at + timedelta(seconds=2 * index), "ecs", "CreateCluster", request={"clusterName": f"c{index}"})
        for index in range(55)
    ]
    return [*made, *task(who, at + timedelta(minutes=5), dice)]


def managed_theft(who: Caller, at: datetime, regions_count: int = 4) -> list[Record]:
    """Builds, notebooks, hosted pages and containers in one region after another (AMBERSQUID)."""
    project = {"name": "b", "environment": {"computeType": "BUILD_GENERAL1_LARGE"}}
    asked: tuple[tuple[str, str, Mapping[str, object]], ...] = (
        ("codebuild", "CreateProject", project),
        ("codebuild", "StartBuild", {"projectName": "b"}),
        ("sagemaker", "CreateNotebookInstance", {"instanceType": "ml.t3.medium"}),
        ("amplify", "CreateApp", {"name": "a"}),
        ("amplify", "StartJob", {"appId": "d1", "branchName": "main", "jobType": "RELEASE"}),
    )
    return [
        who.call(at + timedelta(seconds=30 * index + place), service, operation, region, request)
        for index, region in enumerate(REGIONS[:regions_count])
        for place, (service, operation, request) in enumerate(asked)
    ]


def managed_campaign(begin: datetime) -> list[Record]:
    """Mining in managed services alone, over a week, through a user that the stolen key made."""
    first = thief()
    second = Caller(f"arn:aws:iam::{ACCOUNT}:user/svc-health", "AKIAEXAMPLESECOND001", "198.51.100.78")
    user = {"userName": "svc-health"}
    key = {"accessKey": {"accessKeyId": "AKIAEXAMPLESECOND001", "userName": "svc-health"}}
    admin = {**user, "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}
    day = timedelta(days=1)
    notebook = {"instanceType": "ml.p3.8xlarge"}
    project = {"name": "b", "environment": {"computeType": "BUILD_GENERAL1_2XLARGE"}}
    return [
        first.call(begin, "iam", "CreateUser", request=user),
        first.call(begin + day / 99, "iam", "AttachUserPolicy", request=admin),
        first.call(begin + day / 98, "iam", "CreateAccessKey", request=user, response=key),
        *(
            second.call(begin + 2 * day + index * day / 200, "sagemaker", "CreateNotebookInstance", region, notebook)
            for index, region in enumerate(REGIONS[:5])
        ),
        second.call(begin + 3 * day, "codebuild", "CreateProject", "us-east-2", project),
        *(
            second.call(begin + 3 * day + index * day / 4000, "codebuild", "StartBuild", "us-east-2",
                        {"projectName": "b"})
            for index in range(1, 40)
        ),
        *(
            second.call(begin + 6 * day, "lightsail", "CreateInstances", "eu-west-1",
                        {"instanceNames": [f"z{index}"], "bundleId": "2xlarge_3_0"})
            for index in range(12)
        ),
    ]  # fmt: skip


def managed_sweep(begin: datetime, regions_count: int) -> list[Record]:
    """Large jobs of three managed services in region after region, and nothing else (AMBERSQUID's way)."""
    who = thief()
    asked: dict[str, tuple[str, Mapping[str, object]]] = {
        "glue": ("StartJobRun", {"jobName": "b", "numberOfWorkers": 100, "workerType": "G.2X"}),
        "sagemaker": ("CreateNotebookInstance", {"instanceType": "ml.p3.8xlarge"}),
        "lightsail": ("CreateInstances", {"instanceNames": ["a", "b"], "bundleId": "2xlarge_3_0"}),
    }
    return [
        who.call(begin + timedelta(seconds=40 * index), service, operation, region, request)
        for index, region in enumerate(REGIONS[:regions_count])
        for service, (operation, request) in asked.items()
    ]


def accelerator_sweep(who: Caller, at: datetime, regions_count: int) -> list[Record]:
    """Machines with accelerators in region after region, and nothing else."""
    return [
        who.run_instances(at + timedelta(seconds=40 * index), "g4dn.12xlarge", 2, region, seed=index)
        for index, region in enumerate(REGIONS[:regions_count])
    ]


def clean_up_in_all_regions(at: datetime) -> list[Record]:
    """The pipeline rolls a small function and a small build out to every region."""
    deploy = pipeline()
    small: Mapping[str, object] = {"name": "clean-up", "environment": {"computeType": "BUILD_GENERAL1_SMALL"}}
    function: Mapping[str, object] = {"functionName": "clean-up", "memorySize": 256, "timeout": 60}
    return [
        deploy.call(at + timedelta(seconds=30 * index), service, operation, region, request)
        for index, region in enumerate(REGIONS)
        for service, operation, request in (
            ("lambda", "CreateFunction20150331", function),
            ("codebuild", "CreateProject", small),
        )
    ]


def first_training(at: datetime, address: str) -> list[Record]:
    """An engineer known in the account asks for accelerators, starts two and makes a key for the data.

    The same calls, from an address that nobody knows, are a theft.
    """
    arn, key = f"arn:aws:iam::{ACCOUNT}:user/eve", "AKIAEXAMPLEEVE000001"
    usual, asks = Caller(arn, key, "203.0.113.44"), Caller(arn, key, address)
    user = {"userName": "train-data"}
    made = {"accessKey": {"accessKeyId": "AKIAEXAMPLEDATA00001", "userName": "train-data"}}
    quota = {"serviceCode": "ec2", "quotaCode": "L-DB2E81BA", "desiredValue": 192.0}
    minute = timedelta(minutes=1)
    return [
        *(
            usual.call(at - timedelta(days=day, minutes=hour * 60), "s3", "ListBuckets")
            for day in range(1, 11)
            for hour in range(4)
        ),
        asks.call(at, "servicequotas", "ListServiceQuotas", "us-west-2", {"serviceCode": "ec2"}),
        asks.call(at + minute, "servicequotas", "RequestServiceQuotaIncrease", "us-west-2", quota),
        asks.run_instances(at + 50 * minute, "g5.48xlarge", 2, "us-west-2"),
        asks.call(at + 60 * minute, "iam", "CreateUser", request=user),
        asks.call(at + 61 * minute, "iam", "CreateAccessKey", request=user, response=made),
    ]
