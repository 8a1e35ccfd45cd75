"""Event rows from joined audit events (`staged`), as SQL text."""

from __future__ import annotations

from davylamp.catalog.sources.auditd_log import syscalls
from davylamp.kit.engine import literal

# Marks the rows that repeat what sshd tells syslog; the view of attempts leaves those out where syslog's are there.
AUDIT_DETAIL = "audit record"
# `/usr/bin/x (deleted)` is the kernel's mark; `/memfd:NAME` is a file that never had a place.
_EXE = "CASE WHEN ends_with(exe, ' (deleted)') THEN left(exe, length(exe) - 10) ELSE exe END"
_STATE = """CASE WHEN exe IS NULL THEN 'unknown' WHEN starts_with(exe, '/memfd:') OR starts_with(exe, 'memfd:')
    THEN 'memory' WHEN ends_with(exe, ' (deleted)') THEN 'deleted' ELSE 'file' END"""
_USER = "coalesce(effective_user, user_name, CASE WHEN coalesce(effective_uid, uid) = 0 THEN 'root' END)"
# -1, as the kernel writes it: no login.
_LOGIN = """CASE WHEN login_uid IN (4294967295, -1) THEN NULL
    ELSE coalesce(login_user, CASE WHEN login_uid = 0 THEN 'root' END, CAST(login_uid AS VARCHAR)) END"""
# The kernel keeps a title that it has read once, so one beside an execution may be the program's before.
_TITLE = """CASE WHEN starts_with(regexp_extract(split_part(title, ' ', 1), '[^/]*$'), process_name) THEN title END"""
_LOADER = r"/ld[-.0-9a-z_]*[.]so[.0-9]*$|/ld-linux[^/]*$|/ld-musl[^/]*$"
# A program named by an open file descriptor has no name to show.
_AT_FOLDER = "(a0 IN ('ffffff9c', 'ffffffffffffff9c') OR call NOT LIKE '%at%')"


def _at(name: str) -> str:
    """A name as a path: below the current folder where it is relative to that."""
    return f"""CASE WHEN starts_with({name}, '/') OR cwd IS NULL OR NOT {_AT_FOLDER} THEN {name}
        ELSE concat(CASE WHEN ends_with(cwd, '/') THEN cwd ELSE concat(cwd, '/') END,
            CASE WHEN starts_with({name}, './') THEN substr({name}, 3) ELSE {name} END) END"""


def process_activity() -> str:
    """Programs executed, and commands that sudo says it ran."""
    script = f"""CASE WHEN len(files) >= 2 AND files[1].name <> files[2].name AND files[1].inode <> files[2].inode
        AND NOT regexp_matches(files[2].name, '{_LOADER}') THEN {_at("files[1].name")} END"""
    executed = f"""SELECT line, byte_offset, time, 'launch' AS activity, process_pid, parent_process_pid,
            process_name, coalesce(arguments, {_TITLE}) AS command_line, {_EXE} AS image_path, {_STATE} AS image_state,
            {script} AS script_path, cwd AS working_folder, coalesce(effective_uid, uid) AS user_uid,
            {_USER} AS user_name, {_LOGIN} AS login_user_name, terminal, ['event'] AS seen_by, device_name
        FROM staged WHERE reject IS NULL AND call IN ({syscalls.listed(syscalls.EXECUTES)})
            AND coalesce(success, TRUE)"""
    ordered = f"""SELECT line, byte_offset, time, 'launch', process_pid, NULL, 'sudo', command,
            coalesce(service_path, '/usr/bin/sudo'), 'file', NULL, command_folder, uid, {_USER}, {_LOGIN}, NULL,
            ['event'], device_name
        FROM staged WHERE reject IS NULL AND type = 'USER_CMD' AND command IS NOT NULL
            AND result IN ('success', '1')"""
    return f"{executed} UNION ALL {ordered}"


def file_activity() -> str:
    """Files made, changed, removed, renamed or given other permissions; opens for reading alone as `read`."""
    writing = "('1', '2', '5', '6', '9', 'a', 'd', 'e')"
    writes = f"""CASE WHEN call = 'creat' THEN TRUE WHEN call = 'open' THEN right(a1, 1) IN {writing}
        WHEN call = 'openat' THEN right(a2, 1) IN {writing}
        WHEN call = 'openat2' THEN right(open_flags, 1) IN ('1','2','5','6') END"""
    activity = f"""CASE WHEN call IN ({syscalls.listed(syscalls.RENAMES)}) THEN 'rename'
        WHEN call IN ({syscalls.listed(syscalls.DELETES)}) THEN 'delete'
        WHEN call IN ({syscalls.listed(syscalls.CREATES)}) OR file.kind = 'CREATE' THEN 'create'
        WHEN call IN ({syscalls.listed(syscalls.SETS_ATTRIBUTES)}) THEN 'set_attributes'
        WHEN call IN ({syscalls.listed(syscalls.UPDATES)}) OR {writes} THEN 'update' ELSE 'read' END"""
    # Of a rename the new name is the file's; of a removal the one removed; parents are never what changed.
    concerned = f"""file.name IS NOT NULL AND CASE WHEN call IN ({syscalls.listed(syscalls.RENAMES)})
        THEN file.kind = 'CREATE' OR success = FALSE AND file.kind NOT IN ('PARENT', '')
        WHEN call IN ({syscalls.listed(syscalls.DELETES)}) THEN file.kind IN ('DELETE', 'UNKNOWN') OR
            success = FALSE AND file.kind = 'NORMAL'
        ELSE coalesce(file.kind, '') NOT IN ('PARENT', 'DELETE') END"""
    touched = f"""SELECT *, unnest(files) AS file FROM staged
        WHERE reject IS NULL AND call IN ({syscalls.listed(syscalls.FILE_CALLS)})"""
    return f"""SELECT line, byte_offset, time, {activity} AS activity, {_at("file.name")} AS file_path,
            CASE WHEN success THEN 'success' WHEN success = FALSE THEN 'failure' END AS status, process_pid,
            process_name, {_EXE} AS image_path, {_USER} AS user_name, {_LOGIN} AS login_user_name, device_name
        FROM ({touched}) AS touched WHERE {concerned}"""


_FAMILY = "left(saddr, 4)"


def _connections() -> str:
    """Calls of connect() to an internet address, with the address read out of the socket address."""
    # The family is in the processor's byte order, the port in the network's.
    port = "TRY_CAST(concat('0x', substr(saddr, 5, 4)) AS INTEGER)"
    part = "CAST(CAST(concat('0x', substr(saddr, {}, 2)) AS INTEGER) AS VARCHAR)"
    v4 = " || '.' || ".join(part.format(9 + 2 * place) for place in range(4))
    groups = " || ':' || ".join(
        f"coalesce(nullif(ltrim(lower(substr(saddr, {17 + 4 * place}, 4)), '0'), ''), '0')" for place in range(8)
    )
    mapped = "substr(saddr, 17, 24) = '00000000000000000000FFFF'"
    v4_mapped = " || '.' || ".join(part.format(41 + 2 * place) for place in range(4))
    address = f"CASE WHEN is_v4 THEN {v4} WHEN {mapped} THEN {v4_mapped} ELSE {groups} END"
    sockets = f"""SELECT *, {_FAMILY} IN ('0200', '0002') AS is_v4 FROM staged WHERE reject IS NULL
        AND call IN ({syscalls.listed(syscalls.CONNECTS)}) AND (call = 'connect' OR a0 = '3')
        AND regexp_full_match(saddr, '(?:0200|0002)[0-9A-F]{{12,}}|(?:0A00|000A)[0-9A-F]{{44,}}')"""
    named = f"SELECT * EXCLUDE (cwd), {port} AS port, {address} AS long_address FROM ({sockets}) AS sockets"
    return f"SELECT *, {_shortened('long_address')} AS address FROM ({named}) AS named WHERE port > 0"


def _shortened(address: str) -> str:
    """An IPv6 address as people write it: its longest run of zeros as `::`."""
    runs = [literal(rf"(?:^|:)0(?::0){{{count - 1}}}(?::|$)") for count in range(7, 1, -1)]
    arms = " ".join(
        f"WHEN regexp_matches({address}, {run}) THEN regexp_replace({address}, {run}, '::')" for run in runs
    )
    return f"CASE {arms} ELSE {address} END"


# -115, in progress: what every connection that is not waited for says.
_ANSWER = "CASE WHEN success OR exit_code = -115 THEN NULL ELSE concat('connect() failed with ', -exit_code) END"


def network_activity() -> str:
    """Connections that programs asked for; how much went over them an audit does not say."""
    return f"""SELECT line, byte_offset, time, address AS dst_ip, port AS dst_port, 'egress' AS direction,
        {_ANSWER} AS state, process_pid, process_name, device_name FROM ({_connections()}) AS connections"""


def socket_usage() -> str:
    """The same connections with the process that asked for them, without counters."""
    return f"""SELECT line, byte_offset, time, 'syn_sent' AS state, 'outgoing' AS direction, address AS dst_ip,
        port AS dst_port, process_pid, process_name, coalesce(effective_uid, uid) AS user_uid, device_name
        FROM ({_connections()}) AS connections WHERE success OR exit_code = -115"""


def authentication() -> str:
    """Attempts that sshd reported to the audit: of the records of one connection those that tell most.

    sshd and PAM write up to four records for one attempt. Keys that were offered and not taken are none: a client
    offers every key it has.
    """
    succeeded = "result IN ('success', '1')"
    by_password = "type = 'USER_AUTH' AND (operation = 'PAM:authentication' OR said_pam)"
    reported = f"""SELECT *, {succeeded} AS succeeded, starts_with(coalesce(operation, ''), 'PAM:') OR operation = ''
            OR operation IS NULL AS said_pam FROM staged
        WHERE reject IS NULL AND type IN ('USER_AUTH', 'USER_LOGIN', 'USER_ACCT')
            AND regexp_matches(service_path, '/sshd(-session|-auth)?$') AND coalesce(source, source_host) IS NOT NULL"""
    ranked = f"""SELECT *, CASE WHEN succeeded THEN
                CASE WHEN type = 'USER_LOGIN' THEN 1 WHEN {by_password} THEN 2 WHEN type = 'USER_ACCT' THEN 3 END
            ELSE CASE WHEN {by_password} THEN 1 WHEN type = 'USER_AUTH' AND operation LIKE '%password%' THEN 2
                WHEN type = 'USER_LOGIN' THEN 3 END END AS rank,
            max(CASE WHEN succeeded AND {by_password} THEN 1 ELSE 0 END) OVER connection AS took_password,
            max(CASE WHEN succeeded AND type = 'USER_AUTH' AND operation LIKE '%key%' THEN 1 ELSE 0 END)
                OVER connection AS took_key,
            max(account) OVER connection AS any_account
        FROM ({reported}) AS reported
        WINDOW connection AS (PARTITION BY device_name, process_pid, source, succeeded)"""
    best = f"""SELECT *, min(rank) OVER (PARTITION BY device_name, process_pid, source, succeeded) AS best_rank,
            row_number() OVER (PARTITION BY device_name, process_pid, source, succeeded, rank ORDER BY line) AS place,
            count(*) OVER (PARTITION BY device_name, process_pid, source, succeeded, rank) AS of_one_kind
        FROM ({ranked}) AS ranked WHERE rank IS NOT NULL"""
    unknown = "account IN ('(unknown)', '(invalid user)', 'UNKNOWN', '(unknown user)')"
    # sshd says twice that a name is not known before it hears a word, and once more of each word it is told.
    notice = "type = 'USER_LOGIN' AND account = '(invalid user)' AND place < least(3, of_one_kind)"
    return f"""SELECT line, byte_offset, time, CASE WHEN succeeded THEN 'success' ELSE 'failure' END AS status,
            CASE WHEN {unknown} THEN NULL ELSE coalesce(account, account_name, any_account) END AS user_name,
            CASE WHEN {unknown} THEN FALSE END AS user_known,
            CASE WHEN regexp_matches(source, '^[0-9.]+$|^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$')
                THEN lower(source) END AS src_ip,
            CASE WHEN source IS NULL THEN source_host END AS src_host,
            CASE WHEN succeeded AND took_password = 1 OR NOT succeeded AND rank < 3 THEN 'password'
                WHEN succeeded AND took_key = 1 THEN 'publickey' END AS auth_method,
            'sshd' AS service, concat('{AUDIT_DETAIL} ', type) AS outcome_detail, device_name, process_pid
        FROM ({best}) AS best
        WHERE rank = best_rank AND (place = 1 OR NOT succeeded) AND NOT coalesce({notice}, FALSE)"""
