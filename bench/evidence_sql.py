"""SELECTs that make evidence of any length: every value is a hash of the row's number, so a seed gives one file."""

from __future__ import annotations

DAY_S = 86_400
START_S = 1_772_323_200  # 2026-03-01, UTC


def _dice(name: str, salt: int, sides: int) -> str:
    """A column of uniform whole numbers below `sides`."""
    return f"CAST(hash(i, {salt}) % {sides} AS BIGINT) AS {name}"


def _moment(rows_count: int) -> str:
    return f"{START_S} + i * {DAY_S} // {rows_count}"


_SERVICE_PORT = (
    "CASE WHEN port < 70 THEN 443 WHEN port < 82 THEN 80 WHEN port < 90 THEN 5432 WHEN port < 96 THEN 53 ELSE 22 END"
)


def flow_rows(rows_count: int, seed: int) -> str:
    """Flow records of 200 interfaces over a day: one in ten belongs to one of 2,000 lasting connections."""
    kept = "CAST(hash(kept, {0}) % {1} AS BIGINT)"
    lasting = "lasting = 0"
    return f"""
    WITH dice AS (
        SELECT i, {_dice("host", seed + 1, 200)}, {_dice("remote", seed + 2, 40_000)}, {_dice("port", seed + 3, 100)},
            {_dice("client", seed + 4, 28_000)}, {_dice("lasting", seed + 5, 10)}, {_dice("kept", seed + 6, 2_000)},
            {_dice("outward", seed + 7, 2)}, {_dice("packets", seed + 8, 40)}, {_dice("size", seed + 9, 1_400)},
            {_dice("refused", seed + 10, 50)}, {_dice("span", seed + 11, 60)}
        FROM range({rows_count}) AS t(i)
    ), drawn AS (
        SELECT i, outward, packets + 1 AS packets, (packets + 1) * (size + 40) AS bytes, refused, span,
            CASE WHEN {lasting} THEN {kept.format(1, 200)} ELSE host END AS host,
            CASE WHEN {lasting} THEN {kept.format(2, 40_000)} ELSE remote END AS remote,
            CASE WHEN {lasting} THEN {kept.format(3, 28_000)} ELSE client END + 32768 AS client_port,
            CASE WHEN {lasting} THEN {kept.format(4, 100)} ELSE port END AS port
        FROM dice
    ), ends AS (
        SELECT *, {_SERVICE_PORT} AS service_port,
            '10.0.' || host // 100 || '.' || (host % 100 + 10) AS own,
            (20 + remote // 2000) || '.' || (remote // 100 % 20 + 1) || '.7.' || remote % 100 AS other
        FROM drawn
    )
    SELECT 2 AS "version", '123456789012' AS "account-id",
        'eni-0' || lpad(printf('%x', host * 7919), 16, 'a') AS "interface-id",
        CASE outward WHEN 1 THEN own ELSE other END AS srcaddr, CASE outward WHEN 1 THEN other ELSE own END AS dstaddr,
        CASE outward WHEN 1 THEN client_port ELSE service_port END AS srcport,
        CASE outward WHEN 1 THEN service_port ELSE client_port END AS dstport,
        CASE service_port WHEN 53 THEN 17 ELSE 6 END AS protocol, packets, bytes,
        {_moment(rows_count)} AS "start", {_moment(rows_count)} + span AS "end",
        CASE WHEN refused = 0 THEN 'REJECT' ELSE 'ACCEPT' END AS "action", 'OK' AS "log-status"
    FROM ends
    """


_NAME = """CASE
            WHEN kind < 60 THEN 'svc' || name % 400 || '.internal.shop.example'
            WHEN kind < 90 THEN 'api' || name % 50 || '.region' || name % 7 || '.cloud' || name % 3000 || '.example.com'
            ELSE 'd' || printf('%x', name * 2654435761) || '.cdn.example.net'
        END"""


def dns_dice(rows_count: int, seed: int) -> str:
    """Columns that both DNS formats are written from: 300 machines, 60 thousand names, one in 200,000 a pool's."""
    return f"""
    WITH dice AS (
        SELECT i, {_dice("host", seed + 1, 300)}, {_dice("kind", seed + 2, 100)}, {_dice("name", seed + 3, 60_000)},
            {_dice("port", seed + 4, 28_000)}, {_dice("missing", seed + 5, 30)}, {_dice("listed", seed + 6, 200_000)}
        FROM range({rows_count}) AS t(i)
    ), asked AS (
        SELECT *, {_moment(rows_count)} AS at_s, '10.1.' || host // 100 || '.' || (host % 100 + 10) AS own,
            CASE WHEN listed = 0 AND host = 7 THEN 'xmr.pool.minergate.com' ELSE {_NAME} END AS asked_name,
            (30 + name // 4000) || '.' || (name // 200 % 20) || '.9.' || name % 200 AS address
        FROM dice
    )
    """


def resolver_rows(rows_count: int, seed: int) -> str:
    """Route 53 Resolver query log records."""
    return f"""{dns_dice(rows_count, seed)}
    SELECT '1.100000' AS version, '123456789012' AS account_id, 'us-east-1' AS region,
        'vpc-0a1b2c3d4e5f60718' AS vpc_id,
        strftime(make_timestamp(at_s * 1000000), '%Y-%m-%dT%H:%M:%SZ') AS query_timestamp,
        asked_name || '.' AS query_name, 'A' AS query_type, 'IN' AS query_class,
        CASE missing WHEN 0 THEN 'NXDOMAIN' ELSE 'NOERROR' END AS rcode,
        CASE missing WHEN 0 THEN [] ELSE [{{'Rdata': address, 'Type': 'A', 'Class': 'IN'}}] END AS answers,
        own AS srcaddr, CAST(port + 32768 AS VARCHAR) AS srcport, 'UDP' AS transport,
        {{'instance': 'i-0' || lpad(printf('%x', host * 7919), 16, 'b')}} AS srcids
    FROM asked
    """


def zeek_lines(rows_count: int, seed: int) -> str:
    """Zeek's dns.log as separated text, one `text` a row."""
    return f"""{dns_dice(rows_count, seed)}
    SELECT concat_ws(chr(9), at_s || '.' || lpad(CAST(port AS VARCHAR), 6, '0'), 'C' || printf('%x', i * 2654435761),
        own, port + 32768, '10.1.0.2', 53, 'udp', port, '0.000310', asked_name, 1, 'C_INTERNET', 1, 'A',
        CASE missing WHEN 0 THEN 3 ELSE 0 END, CASE missing WHEN 0 THEN 'NXDOMAIN' ELSE 'NOERROR' END,
        'F', 'F', 'T', 'T', 0, CASE missing WHEN 0 THEN '-' ELSE address END,
        CASE missing WHEN 0 THEN '-' ELSE '60.000000' END, 'F') AS text
    FROM asked
    """


def dnsmasq_lines(questions_count: int, seed: int) -> str:
    """dnsmasq's query log through syslog, two lines of `text` a question."""
    return f"""{dns_dice(questions_count, seed)}
    SELECT strftime(make_timestamp(at_s * 1000000), '%b %d %H:%M:%S') || ' gw dnsmasq[812]: ' || said AS text
    FROM (SELECT at_s, unnest(['query[A] ' || asked_name || ' from ' || own,
        'reply ' || asked_name || ' is ' || CASE missing WHEN 0 THEN 'NXDOMAIN' ELSE address END]) AS said FROM asked)
    """


ZEEK_HEADER = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tdns\n"
    "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\ttrans_id\trtt\tquery\tqclass\tqclass_name"
    "\tqtype\tqtype_name\trcode\trcode_name\tAA\tTC\tRD\tRA\tZ\tanswers\tTTLs\trejected\n"
)


def trail_events(first: int, rows_count: int, total_count: int, seed: int) -> str:
    """CloudTrail events: reads and assumed roles mostly, one launch in 5,000."""
    return f"""
    WITH dice AS (
        SELECT i, {_dice("actor", seed + 1, 120)}, {_dice("kind", seed + 2, 100)}, {_dice("place", seed + 3, 10)},
            {_dice("failed", seed + 4, 40)}, {_dice("launch", seed + 5, 5_000)}, {_dice("thing", seed + 6, 100_000)}
        FROM range({first}, {first + rows_count}) AS t(i)
    ), drawn AS (
        SELECT *, launch = 0 AS launches, 'i-0' || lpad(printf('%x', i * 2654435761), 16, 'c') AS instance,
            CASE WHEN launch = 0 THEN 'RunInstances' WHEN kind < 40 THEN 'DescribeInstances'
                WHEN kind < 70 THEN 'AssumeRole'
                WHEN kind < 85 THEN 'GetObject' ELSE 'PutMetricData' END AS operation
        FROM dice
    )
    SELECT '1.09' AS "eventVersion", {{
            'type': 'AssumedRole', 'principalId': 'AROAEXAMPLEEXAMPLE:s' || actor,
            'arn': 'arn:aws:sts::123456789012:assumed-role/service-' || actor || '/s' || actor,
            'accountId': '123456789012', 'accessKeyId': 'ASIAEXAMPLE' || lpad(CAST(actor AS VARCHAR), 9, '0'),
            'sessionContext': {{
                'sessionIssuer': {{'type': 'Role', 'principalId': 'AROAEXAMPLEEXAMPLE', 'userName': 'service-' || actor,
                    'arn': 'arn:aws:iam::123456789012:role/service-' || actor, 'accountId': '123456789012'}},
                'attributes': {{'creationDate': '2026-03-01T00:00:00Z', 'mfaAuthenticated': 'false'}}
            }}
        }} AS "userIdentity",
        strftime(make_timestamp(({_moment(total_count)}) * 1000000), '%Y-%m-%dT%H:%M:%SZ') AS "eventTime",
        CASE operation WHEN 'AssumeRole' THEN 'sts' WHEN 'GetObject' THEN 's3' WHEN 'PutMetricData' THEN 'monitoring'
            ELSE 'ec2' END || '.amazonaws.com' AS "eventSource",
        operation AS "eventName", CASE place WHEN 0 THEN 'eu-west-1' ELSE 'us-east-1' END AS "awsRegion",
        '198.51.100.' || (actor + 1) AS "sourceIPAddress",
        'aws-sdk-go-v2/1.24.0 os/linux lang/go#1.21.5 md/GOOS#linux md/GOARCH#amd64 api/ec2#1.141.0' AS "userAgent",
        CASE failed WHEN 0 THEN 'AccessDenied' END AS "errorCode",
        CAST(CASE operation
            WHEN 'RunInstances' THEN json_object('instancesSet', json_object('items', [json_object(
                'imageId', 'ami-0abc', 'minCount', 1, 'maxCount', 1)]),
                'instanceType', 'm5.large', 'disableApiTermination', false)
            WHEN 'DescribeInstances' THEN json_object('filterSet', json_object('items', [json_object('name', 'tag:app',
                'valueSet', json_object('items', [json_object('value', 'shop-' || thing % 50)]))]), 'maxResults', 100)
            WHEN 'AssumeRole' THEN json_object('roleArn', 'arn:aws:iam::123456789012:role/service-' || actor,
                'roleSessionName', 's' || thing, 'durationSeconds', 3600)
            ELSE json_object('bucketName', 'logs-' || actor, 'key', 'a/b/' || thing,
                'Host', 's3.us-east-1.amazonaws.com')
            END AS JSON) AS "requestParameters",
        CAST(CASE operation
            WHEN 'RunInstances' THEN json_object('instancesSet', json_object('items', [json_object(
                'instanceId', instance, 'instanceType', 'm5.large',
                'privateIpAddress', '10.2.' || thing % 250 || '.' || thing % 240,
                'vpcId', 'vpc-0a1b2c3d4e5f60718', 'placement', json_object('availabilityZone', 'us-east-1a'))]))
            WHEN 'AssumeRole' THEN json_object('credentials', json_object('accessKeyId', 'ASIAEXAMPLE' || thing,
                'expiration', 'Mar 1, 2026, 1:00:00 AM', 'sessionToken', repeat(printf('%x', thing), 40)))
            END AS JSON) AS "responseElements",
        printf('%08x-0000-4000-8000-%012x', i, thing) AS "requestID",
        printf('%08x-0000-4000-9000-%012x', i, thing) AS "eventID",
        NOT launches AS "readOnly", 'AwsApiCall' AS "eventType", true AS "managementEvent",
        '123456789012' AS "recipientAccountId", 'Management' AS "eventCategory"
    FROM drawn
    """


def sshd_lines(rows_count: int, seed: int) -> str:
    """auth.log of an exposed machine: strangers who guess, people who log in, sessions, other programs."""
    return f"""
    WITH dice AS (
        SELECT i, {_dice("kind", seed + 1, 100)}, {_dice("source", seed + 2, 3_000)}, {_dice("name", seed + 3, 500)},
            {_dice("port", seed + 4, 28_000)}, {_dice("pid", seed + 5, 30_000)}
        FROM range({rows_count}) AS t(i)
    ), drawn AS (
        SELECT *, (40 + source // 250) || '.' || source % 250 || '.3.' || source % 200 AS address,
            CASE WHEN name < 200 THEN 'root' WHEN name < 260 THEN 'admin' ELSE 'user' || name END AS tried,
            strftime(make_timestamp(({_moment(rows_count)}) * 1000000), '%Y-%m-%dT%H:%M:%S+00:00') AS stamp
        FROM dice
    )
    SELECT stamp || ' web1 ' || CASE
        WHEN kind < 40 THEN 'sshd[' || pid || ']: Failed password for '
            || CASE WHEN name < 260 THEN '' ELSE 'invalid user ' END || tried
            || ' from ' || address || ' port ' || port || ' ssh2'
        WHEN kind < 55 THEN 'sshd[' || pid || ']: Invalid user ' || tried || ' from ' || address || ' port ' || port
        WHEN kind < 75 THEN 'sshd[' || pid || ']: Connection closed by authenticating user ' || tried || ' ' || address
            || ' port ' || port || ' [preauth]'
        WHEN kind < 85 THEN 'sshd[' || pid || ']: pam_unix(sshd:auth): authentication failure; logname= uid=0 '
            || 'euid=0 tty=ssh ruser= rhost=' || address || '  user=' || tried
        WHEN kind < 90 THEN 'sshd[' || pid || ']: Accepted publickey for deploy from 10.3.0.' || (name % 20 + 2)
            || ' port ' || port || ' ssh2: ED25519 SHA256:' || md5(CAST(name % 20 AS VARCHAR))
        ELSE 'CRON[' || pid || ']: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)' END AS text
    FROM drawn
    """
